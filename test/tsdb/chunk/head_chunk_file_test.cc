#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/chunk/head_chunk_file.h"
#include "narthex/base/env.h"

namespace narthex::tsdb {
namespace {

struct Seen {
  HeadChunkRef ref;
  uint64_t series;
  std::string bytes;
};

struct HeadChunkLab {
  std::unique_ptr<Env> env = NewMemEnv();
  std::vector<Seen> seen;
  std::vector<HeadChunkDamage> damage;

  std::unique_ptr<HeadChunkStore> Open(HeadChunkOptions options = {}) {
    seen.clear();
    damage.clear();
    auto store = HeadChunkStore::Open(
        *env, "d/chunks_head", options,
        [this](const HeadChunk& chunk) {
          seen.push_back({chunk.ref, chunk.series, std::string(chunk.bytes)});
        },
        &damage);
    INFO(store.status().ToString());
    REQUIRE(store.ok());
    return *std::move(store);
  }
  HeadChunkRef Write(HeadChunkStore& store, uint64_t series,
                     std::string_view bytes, bool out_of_order = false) {
    auto ref = store.Write({.series = series,
                            .min_t = 1000,
                            .max_t = 2000,
                            .encoding = ChunkEncoding::kXor,
                            .out_of_order = out_of_order,
                            .bytes = bytes});
    REQUIRE(ref.ok());
    return *ref;
  }
  std::string Read(const HeadChunkStore& store, HeadChunkRef ref) {
    std::string out;
    auto chunk = store.Read(ref, out);
    INFO(chunk.status().ToString());
    REQUIRE(chunk.ok());
    return std::string(chunk->bytes);
  }
  std::string File(const std::string& name) {
    auto bytes = env->ReadFile("d/chunks_head/" + name);
    REQUIRE(bytes.ok());
    return *bytes;
  }
};

}  // namespace

TEST_CASE_METHOD(HeadChunkLab,
                 "a head chunk file has the bytes that Prometheus writes") {
  auto store = Open();
  const HeadChunkRef ref = Write(*store, 5, "abc", /*out_of_order=*/true);
  REQUIRE(ref == (uint64_t{1} << 32 | 8));
  REQUIRE(store->Close().ok());
  const std::string file = File("000001");
  REQUIRE(file.substr(0, 8) == std::string("\x01\x30\xbc\x91\x01\0\0\0", 8));
  // Series 5, from 1000 to 2000, encoding 1 out of order, length 3.
  REQUIRE(file.substr(8, 29) ==
          std::string("\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\x03\xe8"
                      "\0\0\0\0\0\0\x07\xd0\x81\x03"
                      "abc",
                      29));
  REQUIRE(file.size() == 8 + 29 + 4);
}

TEST_CASE_METHOD(HeadChunkLab, "head chunks are read wherever they are") {
  auto store = Open();
  const HeadChunkRef a = Write(*store, 1, "in the buffer");
  REQUIRE(Read(*store, a) == "in the buffer");
  REQUIRE(store->Flush().ok());
  const HeadChunkRef b = Write(*store, 2, std::string(5000, 'b'));
  REQUIRE(Read(*store, a) == "in the buffer");
  REQUIRE(store->Flush().ok());
  REQUIRE(Read(*store, b) == std::string(5000, 'b'));
  store->CutFile();
  const HeadChunkRef c = Write(*store, 3, "in the next file");
  REQUIRE(HeadChunkFileOf(c) == 2);
  REQUIRE(Read(*store, a) == "in the buffer");
  REQUIRE(Read(*store, b) == std::string(5000, 'b'));
  REQUIRE(store->Close().ok());
  REQUIRE(Read(*store, c) == "in the next file");

  store = Open();
  REQUIRE(seen.size() == 3);
  REQUIRE(seen[1].ref == b);
  REQUIRE(seen[2].series == 3);
  REQUIRE(Read(*store, c) == "in the next file");
  REQUIRE(HeadChunkFileOf(Write(*store, 4, "d")) == 3);
}

TEST_CASE_METHOD(HeadChunkLab, "a file that is full is followed by the next") {
  auto store = Open({.max_file_size = 100});
  REQUIRE(HeadChunkFileOf(Write(*store, 1, std::string(40, 'a'))) == 1);
  REQUIRE(HeadChunkFileOf(Write(*store, 1, std::string(40, 'b'))) == 2);
}

TEST_CASE_METHOD(HeadChunkLab, "deleted files stay readable while pinned") {
  auto store = Open();
  const HeadChunkRef a = Write(*store, 1, "old");
  store->CutFile();
  const HeadChunkRef b = Write(*store, 1, "new");
  auto pin = store->Pin();
  REQUIRE(store->TruncateBefore(2).ok());
  REQUIRE_FALSE(env->Exists("d/chunks_head/000001"));
  REQUIRE(Read(*store, a) == "old");
  pin.reset();
  std::string out;
  REQUIRE(absl::IsNotFound(store->Read(a, out).status()));
  // The file being written stays.
  REQUIRE(store->TruncateBefore(9).ok());
  REQUIRE(Read(*store, b) == "new");
}

TEST_CASE_METHOD(HeadChunkLab, "what a crash leaves at the end is cut off") {
  auto store = Open();
  Write(*store, 1, "first");
  Write(*store, 2, "second");
  REQUIRE(store->Close().ok());
  const std::string whole = File("000001");
  const std::string path = "d/chunks_head/000001";
  const size_t first_end = 8 + 25 + 1 + 5 + 4;

  SECTION("zeros are room that was reserved") {
    REQUIRE(
        env->WriteFileAtomically(path, whole + std::string(5000, '\0')).ok());
    store = Open();
    REQUIRE(seen.size() == 2);
    REQUIRE(damage.empty());
  }
  SECTION("half an entry") {
    for (size_t n = first_end + 1; n < whole.size(); ++n) {
      REQUIRE(env->WriteFileAtomically(path, whole.substr(0, n)).ok());
      store = Open();
      INFO("cut to " << n);
      REQUIRE(seen.size() == 1);
      REQUIRE(File("000001").size() <= n);
    }
    store = Open();
    REQUIRE(damage.empty());
  }
  SECTION("an empty file, or one of zeros alone") {
    REQUIRE(env->WriteFileAtomically("d/chunks_head/000002", "").ok());
    store = Open();
    REQUIRE(seen.size() == 2);
    REQUIRE_FALSE(env->Exists("d/chunks_head/000002"));
    REQUIRE(env->WriteFileAtomically("d/chunks_head/000002",
                                     std::string(4096, '\0'))
                .ok());
    store = Open();
    REQUIRE(damage.empty());
    REQUIRE(HeadChunkFileOf(Write(*store, 3, "x")) == 2);
  }
}

TEST_CASE_METHOD(HeadChunkLab, "A cursor reads chunks wherever they are") {
  auto store = Open({.max_file_size = 4 << 20, .write_buffer = 4096});
  // Some files full, one that grows by more than is mapped at once, and what
  // is in memory only.
  std::vector<HeadChunkRef> refs;
  std::vector<std::string> texts;
  for (size_t i = 0; i < 10000; ++i) {
    texts.push_back(std::string(i % 1500, static_cast<char>('a' + i % 26)));
    refs.push_back(Write(*store, i, texts.back()));
  }
  REQUIRE(HeadChunkFileOf(refs.back()) == 2);
  HeadChunkCursor cursor(*store);
  std::string copy;
  for (size_t i = 0; i < refs.size(); ++i) {
    const size_t at = i * 7919 % refs.size();
    cursor.Expect(refs[i]);
    const auto chunk = cursor.Read(refs[at], copy);
    REQUIRE(chunk.ok());
    REQUIRE(chunk->bytes == texts[at]);
    REQUIRE(chunk->series == at);
    REQUIRE(chunk->ref == refs[at]);
  }
  const HeadChunkRef nowhere = uint64_t{3} << 32 | 8;
  REQUIRE(absl::IsNotFound(cursor.Read(nowhere, copy).status()));
}

TEST_CASE_METHOD(HeadChunkLab, "damage is set aside, the rest is read") {
  auto store = Open();
  Write(*store, 1, "first");
  const HeadChunkRef second = Write(*store, 2, "second");
  store->CutFile();
  Write(*store, 3, "third");
  REQUIRE(store->Close().ok());
  const std::string path = "d/chunks_head/000001";
  std::string bytes = File("000001");
  bytes[(second & 0xffffffff) + 27] ^= 0x10;
  REQUIRE(env->WriteFileAtomically(path, bytes).ok());

  SECTION("read-only leaves it alone") {
    store = Open({.read_only = true});
    REQUIRE(seen.size() == 2);
    REQUIRE(damage.size() == 1);
    REQUIRE(File("000001") == bytes);
  }
  SECTION("otherwise the intact beginning stays under its name") {
    store = Open();
    REQUIRE(seen.size() == 2);
    REQUIRE(seen[1].series == 3);
    REQUIRE(damage.size() == 1);
    REQUIRE(damage[0].file == path);
    REQUIRE(damage[0].offset == (second & 0xffffffff));
    auto entries = env->ListDir("d/chunks_head");
    REQUIRE(entries.ok());
    REQUIRE(entries->size() == 3);
    REQUIRE_THAT((*entries)[1].name, Catch::StartsWith("000001.corrupt-"));
    REQUIRE(File((*entries)[1].name) == bytes);
    store = Open();
    REQUIRE(damage.empty());
    REQUIRE(seen.size() == 2);
  }
}

}  // namespace narthex::tsdb
