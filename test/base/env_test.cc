#include "narthex/base/env.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "narthex/base/status.h"

namespace narthex {
namespace {

// Both file systems promise the same.
struct Place {
  std::unique_ptr<Env> memory;
  Env* env = nullptr;
  std::string dir;

  explicit Place(bool posix) {
    if (posix) {
      env = Env::Posix();
      const char* tmp = std::getenv("TMPDIR");
      std::string name =
          JoinPath(tmp == nullptr ? "/tmp" : tmp, "narthex-env-XXXXXX");
      REQUIRE(mkdtemp(name.data()) != nullptr);
      dir = name;
    } else {
      memory = NewMemEnv();
      env = memory.get();
      dir = "work";
      REQUIRE(env->MakeDir(dir).ok());
    }
  }
  ~Place() { env->RemoveAll(dir).IgnoreError(); }
  std::string At(std::string_view name) const { return JoinPath(dir, name); }
  void Put(std::string_view name, std::string_view data) {
    auto file = env->OpenWritable(At(name), Env::WriteMode::kTruncate);
    REQUIRE(file.ok());
    REQUIRE((*file)->Append(data).ok());
    REQUIRE((*file)->Close().ok());
  }
};

TEST_CASE("an env keeps files, on disk and in memory alike") {
  const bool posix = GENERATE(true, false);
  INFO("posix " << posix);
  Place p(posix);
  Env& env = *p.env;

  SECTION("bytes are appended, overwritten and cut") {
    p.Put("a", "hello ");
    auto file = env.OpenWritable(p.At("a"), Env::WriteMode::kAppend);
    REQUIRE(file.ok());
    REQUIRE((*file)->size() == 6);
    REQUIRE((*file)->Preallocate(1 << 16).ok());
    REQUIRE((*file)->Append("world").ok());
    REQUIRE((*file)->WriteAt(0, "J").ok());
    REQUIRE((*file)->Sync().ok());
    CHECK(*env.ReadFile(p.At("a")) == "Jello world");
    REQUIRE((*file)->Truncate(5).ok());
    REQUIRE((*file)->Append("!").ok());
    REQUIRE((*file)->Close().ok());
    CHECK(*env.ReadFile(p.At("a")) == "Jello!");
    CHECK(!(*file)->Append("x").ok());
  }
  SECTION("a new file must be new") {
    p.Put("a", "");
    CHECK(absl::IsAlreadyExists(
        env.OpenWritable(p.At("a"), Env::WriteMode::kCreateNew).status()));
    CHECK(absl::IsNotFound(env.ReadFile(p.At("nosuch")).status()));
    CHECK(Message(env.ReadFile(p.At("nosuch")).status()).find("nosuch") !=
          std::string_view::npos);
  }
  SECTION("a mapping shows what was there when it was made") {
    p.Put("a", "mapped");
    auto map = env.Map(p.At("a"));
    REQUIRE(map.ok());
    CHECK((*map)->bytes() == "mapped");
    p.Put("empty", "");
    CHECK((*env.Map(p.At("empty")))->bytes().empty());
    REQUIRE(env.Remove(p.At("a")).ok());
    CHECK((*map)->bytes() == "mapped");
  }
  SECTION("directories are listed in order, renamed and removed") {
    REQUIRE(env.MakeDirs(p.At("x/y")).ok());
    REQUIRE(env.MakeDirs(p.At("x/y")).ok());
    p.Put("x/b", "1");
    p.Put("x/a.z", "22");
    p.Put("x/y/c", "333");
    auto entries = env.ListDir(p.At("x"));
    REQUIRE(entries.ok());
    REQUIRE(entries->size() == 3);
    CHECK((*entries)[0].name == "a.z");
    CHECK((*entries)[1].name == "b");
    CHECK((*entries)[2].name == "y");
    CHECK((*entries)[2].is_dir);
    CHECK(*env.TreeSize(p.At("x")) == 6);
    CHECK(!env.RemoveDir(p.At("x")).ok());
    REQUIRE(env.Rename(p.At("x"), p.At("z")).ok());
    CHECK(*env.ReadFile(p.At("z/y/c")) == "333");
    CHECK(!env.Exists(p.At("x")));
    REQUIRE(env.SyncDir(p.At("z")).ok());
    REQUIRE(env.RemoveAll(p.At("z")).ok());
    REQUIRE(env.RemoveAll(p.At("z")).ok());
    CHECK(absl::IsNotFound(env.ListDir(p.At("z")).status()));
  }
  SECTION("a link is a second name for the same bytes") {
    p.Put("a", "one");
    REQUIRE(env.Link(p.At("a"), p.At("b")).ok());
    CHECK(absl::IsAlreadyExists(env.Link(p.At("a"), p.At("b"))));
    REQUIRE(env.Remove(p.At("a")).ok());
    CHECK(*env.ReadFile(p.At("b")) == "one");
  }
  SECTION("a file is replaced as a whole") {
    p.Put("a", "old");
    REQUIRE(env.WriteFileAtomically(p.At("a"), "new").ok());
    CHECK(*env.ReadFile(p.At("a")) == "new");
    CHECK(!env.Exists(p.At("a.tmp")));
  }
  SECTION("a lock is held by one, until it lets go") {
    auto lock = env.Lock(p.At("lock"));
    REQUIRE(lock.ok());
    const absl::Status second = env.Lock(p.At("lock")).status();
    CHECK(absl::IsFailedPrecondition(second));
    CHECK(Message(second).find(p.At("lock")) != std::string_view::npos);
    lock->reset();
    CHECK(env.Lock(p.At("lock")).ok());
  }
  SECTION("reading past the end gives what there is") {
    p.Put("a", "abc");
    auto file = env.OpenRandomAccess(p.At("a"));
    REQUIRE(file.ok());
    char out[8];
    CHECK(*(*file)->Read(1, sizeof(out), out) == 2);
    CHECK(*(*file)->Read(9, sizeof(out), out) == 0);
    CHECK(*(*file)->Size() == 3);
  }
}

TEST_CASE("paths are joined and taken apart") {
  CHECK(JoinPath("a", "b") == "a/b");
  CHECK(JoinPath("a/", "b") == "a/b");
  CHECK(JoinPath("", "b") == "b");
  CHECK(BaseName("a/b") == "b");
  CHECK(BaseName("a/b/") == "b");
  CHECK(BaseName("/") == "/");
  CHECK(DirName("a/b") == "a");
  CHECK(DirName("b") == ".");
  CHECK(DirName("/b") == "/");
}

}  // namespace
}  // namespace narthex
