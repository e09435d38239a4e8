// Crashes and failing disks at every call that changes a file: C1 to C4 of the
// reliability goals.  NARTHEX_FAULT_STRIDE=1 takes every call; the default
// takes one in so many, which is what there is time for in every run.

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "narthex/base/status.h"
#include "narthex/model/matcher.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/db.h"
#include "test/support/crash_env.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::tsdb {
namespace {

using test::CrashEnv;
using test::DbLab;
using test::Fault;
using test::Loss;

constexpr int64_t kHour = 3600 * 1000;
constexpr int64_t kStep = 20 * 60 * 1000;
constexpr const char* kNames[] = {"a", "b", "c"};
constexpr TimeRange kDeleted = {kHour, 5 * kHour};  // of "b"

uint64_t Stride(uint64_t otherwise) {
  const char* text = std::getenv("NARTHEX_FAULT_STRIDE");
  const uint64_t n = text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  return n == 0 ? otherwise : n;
}

double ValueAt(const std::string& name, int64_t t) {
  return static_cast<double>(t / kStep) + (name[0] - 'a') * 1000.5;
}

Options MakeOptions(Env& env, Clock& clock) {
  Options options;
  options.env = &env;
  options.clock = &clock;
  options.retention = Duration(0);
  options.wal_segment_bytes = 32 << 10;
  options.sync_commits = true;
  return options;
}

// What a database was told, and what it said.
struct Told {
  std::map<std::string, std::map<int64_t, double>> acknowledged;
  bool delete_asked = false;
  bool delete_done = false;

  void Commit(Db& db, int64_t t) {
    auto appender = db.NewAppender();
    for (const char* name : kNames) {
      const auto ref = appender->Resolve({{"__name__", name}});
      if (!ref.ok()) return;
      AppendFloat(*appender, *ref, t, ValueAt(name, t));
    }
    if (!appender->Commit().ok()) return;
    for (const char* name : kNames) acknowledged[name][t] = ValueAt(name, t);
  }

  // Commits, a deletion, compactions of head and blocks, the log cut, a
  // clean-up, a snapshot.  Goes on whatever fails.
  void Run(Env& env) {
    FakeClock clock{0};
    auto db = Db::Open("data", MakeOptions(env, clock));
    if (!db.ok()) return;
    int64_t t = 0;
    for (; t < 6 * kHour; t += kStep) Commit(**db, t);
    const auto matcher = Matcher::Make(Matcher::Type::kEqual, "__name__", "b");
    const Matcher* const only[] = {matcher->get()};
    delete_asked = true;
    delete_done = (*db)->Delete(kDeleted, only).ok();
    (*db)->Compact().IgnoreError();
    for (; t < 14 * kHour; t += 3 * kStep) Commit(**db, t);
    (*db)->Compact().IgnoreError();
    (*db)->CleanTombstones().IgnoreError();
    (*db)->Snapshot("data/snapshots/s").IgnoreError();
    for (int i = 0; i < 2; ++i, t += kStep) Commit(**db, t);
    (*db)->Close().IgnoreError();
  }

  // Opens what is left; nothing acknowledged is missing, nothing is wrong.
  void Check(Env& env) const {
    FakeClock clock{0};
    auto db = Db::Open("data", MakeOptions(env, clock));
    INFO(db.status());
    REQUIRE(db.ok());
    for (const char* name : kNames) {
      CAPTURE(name);
      std::map<int64_t, uint64_t> got;
      for (const auto& p : DbLab::ReadFrom(**db, {{"__name__", name}})) {
        CAPTURE(p.t);
        REQUIRE(p.bits == Bits(ValueAt(name, p.t)));
        got[p.t] = p.bits;
      }
      const auto it = acknowledged.find(name);
      if (it == acknowledged.end()) continue;
      for (const auto& [t, v] : it->second) {
        CAPTURE(t);
        if (name[0] == 'b' && delete_asked && kDeleted.Contains(t)) {
          if (delete_done) REQUIRE_FALSE(got.contains(t));
        } else {
          REQUIRE(got.contains(t));
        }
      }
    }
  }
};

uint64_t CallsOfScript() {
  CrashEnv env;
  Told told;
  told.Run(env);
  REQUIRE(told.acknowledged["a"].size() > 20);
  REQUIRE(told.delete_done);
  told.Check(env);
  return env.calls();
}

}  // namespace

TEST_CASE("a crash at any call loses nothing acknowledged, under any loss") {
  const uint64_t calls = CallsOfScript();
  uint64_t points = 0;
  for (uint64_t call = 0; call < calls; call += Stride(7)) {
    CrashEnv env;
    env.FailAt(call, Fault::kDead, true);
    Told told;
    told.Run(env);
    for (const Loss loss : test::kAllLosses) {
      CAPTURE(call, static_cast<int>(loss));
      told.Check(*env.Image(loss));
      ++points;
    }
  }
  std::printf("C1: %llu crashes of %llu calls x 6\n",
              static_cast<unsigned long long>(points),
              static_cast<unsigned long long>(calls));
}

TEST_CASE("a second crash during recovery loses nothing either") {
  const uint64_t calls = CallsOfScript();
  uint64_t pairs = 0;
  for (uint64_t call = 3; call < calls; call += Stride(7) * 7) {
    CrashEnv env;
    env.FailAt(call, Fault::kDead, true);
    Told told;
    told.Run(env);
    for (const Loss loss : {Loss::kAllUnsynced, Loss::kTornData}) {
      const auto once = env.Image(loss);
      const auto reopen = [](CrashEnv& on) {
        FakeClock clock{0};
        auto db = Db::Open("data", MakeOptions(on, clock));
        if (db.ok()) (*db)->Compact().IgnoreError();
      };
      const auto counter = once->Image(Loss::kNothing);
      reopen(*counter);
      for (uint64_t second = 0; second < counter->calls();
           second += std::max<uint64_t>(1, Stride(7) / 3)) {
        const auto twice = once->Image(Loss::kNothing);
        twice->FailAt(second, Fault::kDead, true);
        reopen(*twice);
        CAPTURE(call, second, static_cast<int>(loss));
        told.Check(*twice->Image(loss));
        ++pairs;
      }
    }
  }
  std::printf("C2: %llu pairs of crashes\n",
              static_cast<unsigned long long>(pairs));
}

TEST_CASE("a call that fails costs no acknowledged sample") {
  const uint64_t calls = CallsOfScript();
  uint64_t faults = 0;
  for (uint64_t call = 1; call < calls; call += Stride(7)) {
    for (const Fault fault :
         {Fault::kFullDisk, Fault::kBroken, Fault::kShortWrite}) {
      for (const bool sticky : {false, true}) {
        CAPTURE(call, static_cast<int>(fault), sticky);
        CrashEnv env;
        env.FailAt(call, fault, sticky);
        Told told;
        told.Run(env);
        env.Heal();
        told.Check(env);
        ++faults;
      }
    }
  }
  std::printf("C3: %llu faults\n", static_cast<unsigned long long>(faults));
}

TEST_CASE("what could not be synced is not acknowledged") {
  CrashEnv env;
  FakeClock clock{0};
  Told told;
  auto db = Db::Open("data", MakeOptions(env, clock));
  REQUIRE(db.ok());
  for (int64_t t = 0; t < 20; ++t) {
    env.FailSyncs(t % 5 == 3);
    told.Commit(**db, t * kStep);
  }
  env.FailSyncs(false);
  REQUIRE(told.acknowledged["a"].size() >= 10);
  for (const Loss loss : test::kAllLosses) told.Check(*env.Image(loss));
}

}  // namespace narthex::tsdb
