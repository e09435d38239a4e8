// At which time a scrape is stored that comes late.

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "narthex/model/sample.h"
#include "test/scrape/loop/scrape_lab.h"

namespace narthex::scrape {
namespace {

// Hands its jobs out when the test says so.
class LateExecutor final : public Executor {
 public:
  void Run(absl::AnyInvocable<void() &&> job) override {
    jobs_.push_back(std::move(job));
  }
  void RunLong(absl::AnyInvocable<void() &&> job) override {
    Run(std::move(job));
  }
  int width() const override { return 1; }
  bool empty() const { return jobs_.empty(); }
  // Those too that come of it.
  void Work() {
    while (!jobs_.empty()) {
      for (auto& job : std::exchange(jobs_, {})) std::move(job)();
    }
  }

 private:
  std::vector<absl::AnyInvocable<void() &&>> jobs_;
};

TEST_CASE("a scrape that is a little late counts as on time",
          "[scrape][loop]") {
  struct Case {
    Duration tolerance, late;
    bool on_time;
  };
  for (const Case& c :
       std::vector<Case>{{Milliseconds(2), Milliseconds(2), true},
                         {Milliseconds(2), Milliseconds(3), false},
                         {Milliseconds(50), Milliseconds(49), true},
                         // Never more than a hundredth of the ten seconds.
                         {Milliseconds(500), Milliseconds(100), true},
                         {Milliseconds(500), Milliseconds(101), false},
                         {Duration(0), Milliseconds(1), false}}) {
    INFO(c.tolerance.ms << " ms, late by " << c.late.ms);
    LateExecutor later;
    ScrapeLab lab;
    ScraperOptions options;
    options.executor = &later;
    options.timestamp_tolerance = c.tolerance;
    lab.MakeScraper(std::move(options));
    lab.page = "a 1\n";
    lab.Begin(ScrapeLab::MakeJob());
    Timestamp due;
    while (lab.http.requests.empty()) {
      lab.clock.Advance(Milliseconds(1));
      due = lab.clock.Now();
      if (later.empty()) continue;
      lab.clock.Advance(c.late);
      later.Work();
    }
    const int64_t at = due.ms + (c.on_time ? 0 : c.late.ms);
    CHECK(lab.storage.Samples(R"({__name__="a", instance="h:1", job="j"})") ==
          StrCat("1@", at));
    later.Work();
    lab.scraper.reset();
  }
}

}  // namespace
}  // namespace narthex::scrape
