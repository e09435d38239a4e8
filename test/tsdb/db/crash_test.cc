// Crashes and failing disks at every call that changes a file: C1 to C4 of the
// reliability goals.  NARTHEX_FAULT_STRIDE=1 takes every call; the default
// takes one in so many, which is what there is time for in every run.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "narthex/base/clock.h"
#include "narthex/tsdb/db.h"
#include "test/support/crash_env.h"
#include "test/tsdb/db/crash_story.h"

namespace narthex::tsdb {
namespace {

using test::CrashEnv;
using test::CrashStory;
using test::Fault;
using test::Loss;

uint64_t Stride(uint64_t otherwise) {
  const char* text = std::getenv("NARTHEX_FAULT_STRIDE");
  const uint64_t n = text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  return n == 0 ? otherwise : n;
}

// Of the whole story, with nothing that fails.
struct Calls {
  uint64_t all = 0;
  uint64_t syncs = 0;

  explicit Calls(bool sync = true) {
    CrashEnv env;
    CrashStory story(sync);
    story.Run(env);
    REQUIRE(story.all_done());
    REQUIRE(story.acknowledged() > 400);
    story.Check(env);
    all = env.calls();
    syncs = env.syncs();
  }
};

void Print(const char* format, uint64_t a, uint64_t b = 0) {
  std::printf(format, static_cast<unsigned long long>(a),
              static_cast<unsigned long long>(b));
}

}  // namespace

TEST_CASE("a crash at any call loses nothing acknowledged, under any loss") {
  const Calls calls;
  uint64_t points = 0;
  for (uint64_t call = 0; call < calls.all; call += Stride(23)) {
    CrashEnv env;
    env.FailAt(call, Fault::kDead, true);
    CrashStory story;
    story.Run(env);
    for (const Loss loss : test::kAllLosses) {
      CAPTURE(call, static_cast<int>(loss));
      story.Check(*env.Image(loss));
      ++points;
    }
  }
  Print("C1: %llu crashes at calls of %llu, none lost a sample\n", points,
        calls.all);
}

TEST_CASE(
    "the death of the process loses nothing acknowledged, synced or not") {
  const Calls calls(/*sync=*/false);
  uint64_t points = 0;
  for (uint64_t call = 0; call < calls.all; call += Stride(11)) {
    CrashEnv env;
    env.FailAt(call, Fault::kDead, true);
    CrashStory story(/*sync=*/false);
    story.Run(env);
    CAPTURE(call);
    story.Check(*env.Image(Loss::kNothing));
    ++points;
  }
  Print("C1: %llu deaths at calls of %llu, none lost a sample\n", points,
        calls.all);
}

TEST_CASE("a second crash during recovery loses nothing either") {
  const Calls calls;
  uint64_t pairs = 0;
  for (uint64_t call = 3; call < calls.all; call += Stride(17) * 7) {
    CrashEnv env;
    env.FailAt(call, Fault::kDead, true);
    CrashStory story;
    story.Run(env);
    for (const Loss loss : {Loss::kAllUnsynced, Loss::kTornData}) {
      const auto once = env.Image(loss);
      const auto reopen = [&story](CrashEnv& on) {
        FakeClock clock{0};
        auto db = Db::Open("data", story.MakeOptions(on, clock));
        if (db.ok()) (*db)->Compact().IgnoreError();
      };
      const auto counter = once->Image(Loss::kNothing);
      reopen(*counter);
      for (uint64_t second = 0; second < counter->calls();
           second += std::max<uint64_t>(1, Stride(17) / 3)) {
        const auto twice = once->Image(Loss::kNothing);
        twice->FailAt(second, Fault::kDead, true);
        reopen(*twice);
        CAPTURE(call, second, static_cast<int>(loss));
        story.Check(*twice->Image(loss));
        ++pairs;
      }
    }
  }
  Print("C2: %llu pairs of crashes\n", pairs);
}

TEST_CASE("a call that fails costs no acknowledged sample") {
  const Calls calls;
  uint64_t faults = 0;
  for (uint64_t call = 1; call < calls.all; call += Stride(31)) {
    for (const Fault fault :
         {Fault::kFullDisk, Fault::kBroken, Fault::kShortWrite}) {
      for (const bool sticky : {false, true}) {
        CAPTURE(call, static_cast<int>(fault), sticky);
        CrashEnv env;
        env.FailAt(call, fault, sticky);
        CrashStory story;
        story.Run(env);
        env.Heal();
        story.Check(env);
        ++faults;
      }
    }
  }
  Print("C3: %llu faults\n", faults);
}

// And what was lost with it is not taken for written by a later one.
TEST_CASE("what could not be synced is not acknowledged") {
  const Calls calls;
  uint64_t faults = 0;
  for (uint64_t sync = 0; sync < calls.syncs; sync += Stride(13)) {
    for (const bool sticky : {false, true}) {
      CrashEnv env;
      env.FailSyncAt(sync, sticky);
      CrashStory story;
      story.Run(env);
      for (const Loss loss : test::kAllLosses) {
        CAPTURE(sync, sticky, static_cast<int>(loss));
        story.Check(*env.Image(loss));
      }
      ++faults;
    }
  }
  Print("C4: %llu failures of %llu syncs\n", faults, calls.syncs);
}

}  // namespace narthex::tsdb
