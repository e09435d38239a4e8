// A database beside a model of it, a map of samples: whatever is done to the
// one is done to the other, in random order, and both show the same bits (C11
// of the reliability goals).  NARTHEX_FAULT_STRIDE=1 runs it for longer.

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "narthex/base/clock.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"
#include "test/support/crash_env.h"
#include "test/tsdb/db/content.h"
#include "test/tsdb/db/sample_lab.h"

namespace narthex::tsdb {
namespace {

using test::Content;
using test::CrashEnv;
using test::Difference;
using test::SampleType;

constexpr int64_t kSecond = 1000;
constexpr int64_t kBlock = 100 * kSecond;
constexpr int kSeriesOfType = 4;

bool Full() {
  const char* text = std::getenv("NARTHEX_FAULT_STRIDE");
  return text != nullptr && std::string_view(text) == "1";
}

struct ModelSeries {
  SampleType type = SampleType::kFloat;
  int number = 0;
  std::string name = {};
  test::Samples samples = {};
  // Deletions reach to here: what comes late below stays away, here as there.
  int64_t deleted_to = INT64_MIN;
  // Late samples that were deleted.  One that had become a block before, of a
  // series that had left the head since, is found in chunks_head once more by a
  // later replay: it comes back, as with Prometheus (whose head forgets any
  // deletion beyond what it holds in order).  Long runs alone meet it.
  std::set<int64_t> may_return = {};
};

class ModelLab {
 public:
  explicit ModelLab(uint64_t seed);
  void Step();
  void CheckAll();
  void Reopen(bool killed);
  size_t samples() const {
    size_t n = 0;
    for (const ModelSeries& s : series_) n += s.samples.size();
    return n;
  }

 private:
  int64_t Below(int64_t n) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(n));
  }
  void Commit(bool roll_back);
  void Delete();
  void Read();
  void Snapshot();
  Content Expected(TimeRange range) const;
  // What both say is the same.
  void Compare(TimeRange range, Content content) const;
  static void RequireOk(const absl::Status& status) {
    INFO(status);
    REQUIRE(status.ok());
  }

  std::mt19937_64 random_;
  std::unique_ptr<CrashEnv> env_ = std::make_unique<CrashEnv>();
  FakeClock clock_{0};
  Options options_;
  std::unique_ptr<Db> db_;
  std::vector<ModelSeries> series_;
  int64_t now_ = 10 * kSecond;
  int snapshots_ = 0;
};

ModelLab::ModelLab(uint64_t seed) : random_(seed) {
  constexpr Compression kCompressions[] = {
      Compression::kNone, Compression::kSnappy, Compression::kZstd};
  options_.clock = &clock_;
  options_.min_block_duration = Duration(kBlock);
  options_.max_block_duration = Duration(9 * kBlock);
  options_.retention = Duration(0);
  options_.wal_segment_bytes = 32 << 10;
  options_.wal_compression = kCompressions[seed % 3];
  options_.sync_commits = seed % 4 == 0;
  options_.memory_snapshot_on_shutdown = seed % 2 == 0;
  options_.samples_per_chunk = seed % 5 == 0 ? 120 : 4 + Below(20);
  options_.out_of_order_time_window = Duration(3 * kBlock / 2);
  for (const SampleType type : test::kSampleTypes) {
    for (int number = 0; number < kSeriesOfType; ++number) {
      ModelSeries& series = series_.emplace_back();
      series.type = type;
      series.number = number;
      series.name = test::SampleLabels(type, number).ToString();
    }
  }
  Reopen(false);
}

void ModelLab::Reopen(bool killed) {
  if (db_ != nullptr) {
    // What a kill leaves, before anything is closed.
    auto image = killed ? env_->Image(test::Loss::kNothing) : nullptr;
    RequireOk(db_->Close());
    db_ = nullptr;
    if (killed) env_ = std::move(image);
  }
  options_.env = env_.get();
  auto db = Db::Open("data", options_);
  RequireOk(db.status());
  db_ = *std::move(db);
}

// Even milliseconds come in order, odd ones late.
void ModelLab::Commit(bool roll_back) {
  now_ += 2 * (1 + Below(4 * kSecond));
  auto appender = db_->NewAppender();
  std::vector<std::pair<ModelSeries*, int64_t>> taken;
  const int64_t in = 1 + Below(8);  // one series in so many
  for (ModelSeries& series : series_) {
    if (Below(in) != 0) continue;
    const auto ref =
        appender->Resolve(test::SampleLabels(series.type, series.number));
    RequireOk(ref.status());
    const auto append = [&](int64_t t) {
      if (test::AppendSample(*appender, *ref, series.type, series.number, t) ==
          Appended::kStored) {
        taken.emplace_back(&series, t);
      }
    };
    if (Below(4) == 0) {
      const int64_t late = now_ - 2 * Below(kBlock) - 1;
      if (late > series.deleted_to && late > 0) append(late);
    }
    append(now_);
  }
  if (roll_back) {
    RequireOk(appender->Rollback());
    return;
  }
  RequireOk(appender->Commit());
  for (const auto& [series, t] : taken) {
    series->samples.emplace(
        t, test::SampleTextAt(series->type, series->number, t));
  }
}

void ModelLab::Delete() {
  const bool by_type = Below(2) == 0;
  const ModelSeries& chosen =
      series_[static_cast<size_t>(Below(static_cast<int64_t>(series_.size())))];
  const Labels labels = test::SampleLabels(chosen.type, chosen.number);
  const std::string name = by_type ? "__name__" : "series";
  const MatcherPtr matcher =
      *Matcher::Make(Matcher::Type::kEqual, name, labels.Get(name));
  const Matcher* const matchers[] = {matcher.get()};
  const int64_t from = Below(now_);
  const TimeRange range{from, from + Below(60 * kSecond)};
  RequireOk(db_->Delete(range, matchers));
  for (ModelSeries& series : series_) {
    if (test::SampleLabels(series.type, series.number).Get(name) !=
        labels.Get(name)) {
      continue;
    }
    std::erase_if(series.samples, [&](const auto& sample) {
      if (!range.Contains(sample.first)) return false;
      if (Full() && sample.first % 2 != 0) {
        series.may_return.insert(sample.first);
      }
      return true;
    });
    series.deleted_to = std::max(series.deleted_to, range.max.ms);
  }
}

Content ModelLab::Expected(TimeRange range) const {
  Content content;
  for (const ModelSeries& series : series_) {
    for (const auto& [t, text] : series.samples) {
      if (range.Contains(t)) content[series.name][t] = text;
    }
  }
  return content;
}

void ModelLab::Compare(TimeRange range, Content content) const {
  for (const ModelSeries& series : series_) {
    const auto it = content.find(series.name);
    if (it == content.end()) continue;
    for (const int64_t t : series.may_return) {
      if (!series.samples.contains(t)) it->second.erase(t);
    }
    if (it->second.empty()) content.erase(it);
  }
  REQUIRE(Difference(Expected(range), content) == "");
}

void ModelLab::CheckAll() {
  Content content;
  RequireOk(test::ReadContent(*db_, content));
  Compare(TimeRange(), content);
}

void ModelLab::Read() {
  const int64_t from = Below(now_);
  const TimeRange range{from, from + Below(2 * kBlock)};
  auto querier = db_->NewQuerier(range);
  RequireOk(querier.status());
  Content content;
  RequireOk(test::ReadContent(**querier, content));
  Compare(range, content);
}

void ModelLab::Snapshot() {
  const std::string dir = StrCat("copy/", snapshots_++);
  RequireOk(db_->Snapshot(dir));
  Options options = options_;
  options.read_only = true;
  auto copy = Db::Open(dir, options);
  RequireOk(copy.status());
  Content content;
  RequireOk(test::ReadContent(**copy, content));
  Compare(TimeRange(), content);
  *copy = nullptr;
  RequireOk(env_->RemoveAll("copy"));
}

void ModelLab::Step() {
  const int64_t what = Below(100);
  CAPTURE(what, now_);
  if (what < 70) {
    Commit(false);
  } else if (what < 73) {
    Commit(true);
  } else if (what < 83) {
    Read();
  } else if (what < 87) {
    Delete();
  } else if (what < 91) {
    RequireOk(db_->Compact());
  } else if (what < 92) {
    RequireOk(db_->CleanTombstones());
  } else if (what < 93) {
    RequireOk(db_->CompactHead(now_ - Below(kBlock)));
  } else if (what < 95) {
    Reopen(false);
    CheckAll();
  } else if (what < 97) {
    Reopen(true);
    CheckAll();
  } else if (what < 98) {
    const Duration window((1 + Below(3)) * kBlock);
    options_.out_of_order_time_window = window;
    RequireOk(db_->SetOutOfOrderTimeWindow(window));
  } else if (what < 99) {
    Snapshot();
  } else {
    CheckAll();
  }
}

}  // namespace

TEST_CASE(
    "a database and a map of samples are told the same and say the same") {
  const bool full = Full();
  const uint64_t seeds = full ? 60 : 10;
  const int steps = full ? 4000 : 600;
  size_t samples = 0;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    ModelLab lab(seed);
    for (int step = 0; step < steps; ++step) {
      CAPTURE(seed, step);
      lab.Step();
    }
    CAPTURE(seed);
    lab.CheckAll();
    lab.Reopen(false);
    lab.CheckAll();
    samples += lab.samples();
  }
  std::printf("C11: %llu seeds of %d steps, %zu samples\n",
              static_cast<unsigned long long>(seeds), steps, samples);
}

}  // namespace narthex::tsdb
