#include "test/tsdb/db/crash_story.h"

#include <catch2/catch.hpp>

#include <vector>

#include "narthex/base/cancel.h"
#include "narthex/base/clock.h"
#include "narthex/base/status.h"
#include "narthex/model/matcher.h"
#include "narthex/model/sample.h"

namespace narthex::test {
namespace {

using tsdb::BlockMeta;
using tsdb::Db;
using tsdb::Options;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kStep = 20 * kMinute;
constexpr TimeRange kDeleted = {kHour, 5 * kHour};  // of series 0
constexpr const char* kCopy = "data/snapshots/s";

bool CanBeDeleted(std::pair<SampleType, int> series, int64_t t) {
  return series.second == 0 && kDeleted.Contains(t);
}

}  // namespace

Options CrashStory::MakeOptions(Env& env, Clock& clock) const {
  Options options;
  options.env = &env;
  options.clock = &clock;
  options.retention = Duration(0);
  options.max_block_duration = Duration(54 * kHour);
  options.wal_segment_bytes = 32 << 10;
  options.sync_commits = sync_;
  options.out_of_order_time_window = Duration(3 * kHour);
  options.memory_snapshot_on_shutdown = true;
  options.max_exemplars = 1000;
  return options;
}

// Two series of each type; the second one also gets a late sample.
void CrashStory::Commit(Db& db, int64_t t, bool late) {
  auto appender = db.NewAppender();
  Times now;
  SeriesRef first = SeriesRef::kNone;
  for (const SampleType type : kSampleTypes) {
    for (const int series : {0, 1}) {
      const auto ref = appender->Resolve(SampleLabels(type, series));
      if (!ref.ok()) return;
      if (first == SeriesRef::kNone) first = *ref;
      const auto append = [&](int64_t at) {
        if (AppendSample(*appender, *ref, type, series, at) ==
            Appended::kStored) {
          now[{type, series}].insert(at);
          asked_[{type, series}].insert(at);
        }
      };
      append(t);
      if (series == 1 && late) append(t - 2 * kHour + 7 * kMinute);
    }
  }
  Exemplar exemplar;
  exemplar.labels = {{"trace", std::to_string(t)}};
  exemplar.value = static_cast<double>(t);
  exemplar.t = t;
  exemplar.has_timestamp = true;
  const bool with_exemplar =
      appender->AppendExemplar(first, exemplar) == Appended::kStored;
  if (with_exemplar) exemplars_asked_.insert(t);
  if (t % kHour == 0) {
    appender
        ->SetMetadata(first, {MetricType::kGauge, StrCat("at ", t), "seconds"})
        .IgnoreError();
  }
  if (!appender->Commit().ok()) return;
  if (with_exemplar) exemplars_due_.insert(t);
  for (const auto& [series, times] : now) {
    due_[series].insert(times.begin(), times.end());
  }
}

// Samples of their own times, among them what must be refused.
void CrashStory::WriteRemotely(Db& db, int64_t t) {
  auto appender = db.NewAppender();
  std::vector<std::pair<int, int64_t>> samples;
  for (int series = 10; series < 14; ++series) {
    samples.emplace_back(series, t + series * 1000);
    samples.emplace_back(series, t + series * 1000 + 500);
    samples.emplace_back(series, t - 40 * kHour);  // too old
  }
  std::vector<bool> taken;
  for (const auto& [series, at] : samples) {
    const auto ref =
        appender->Resolve(SampleLabels(SampleType::kFloat, series));
    if (!ref.ok()) return;
    taken.push_back(AppendSample(*appender, *ref, SampleType::kFloat, series,
                                 at) == Appended::kStored);
    if (taken.back()) asked_[{SampleType::kFloat, series}].insert(at);
  }
  if (!appender->Commit().ok()) return;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!taken[i]) continue;
    due_[{SampleType::kFloat, samples[i].first}].insert(samples[i].second);
  }
}

void CrashStory::RollBack(Db& db, int64_t t) {
  auto appender = db.NewAppender();
  for (const SampleType type : kSampleTypes) {
    const auto ref = appender->Resolve(SampleLabels(type, 0));
    if (!ref.ok()) return;
    AppendSample(*appender, *ref, type, 0, t);
  }
  appender->Resolve(SampleLabels(SampleType::kFloat, 99)).IgnoreError();
  appender->Rollback().IgnoreError();
}

void CrashStory::Run(Env& env) {
  FakeClock clock{0};
  bool good = true;
  const auto did = [&good](const absl::Status& status) {
    good = good && status.ok();
    return status.ok();
  };
  int64_t t = 0;
  {
    auto db = Db::Open("data", MakeOptions(env, clock));
    if (!did(db.status())) return;
    for (; t < 6 * kHour; t += kStep) Commit(**db, t, t >= 4 * kHour);
    RollBack(**db, t - kMinute);
    const MatcherPtr matcher =
        *Matcher::Make(Matcher::Type::kEqual, "series", "0");
    const Matcher* const only[] = {matcher.get()};
    delete_asked_ = true;
    delete_done_ = did((*db)->Delete(kDeleted, only));
    did((*db)->Compact());
    for (; t < 8 * kHour; t += kStep) Commit(**db, t, true);
    WriteRemotely(**db, t - kStep);
    did((*db)->Close());  // leaves a chunk snapshot
  }
  auto db = Db::Open("data", MakeOptions(env, clock));
  if (!did(db.status())) return;
  for (; t < 14 * kHour; t += 2 * kStep) Commit(**db, t, true);
  did((*db)->Compact());
  did((*db)->CleanTombstones());
  in_copy_ = due_;
  copy_done_ = did((*db)->Snapshot(kCopy));
  for (int i = 0; i < 3; ++i, t += kStep) Commit(**db, t, i == 1);
  // Whatever has failed, what was acknowledged is to be seen.
  Content content;
  const absl::Status read = ReadContent(**db, content);
  INFO(read);
  REQUIRE(read.ok());
  CheckContent(content, due_);
  did((*db)->Close());
  all_done_ = good && delete_done_ && copy_done_;
}

void CrashStory::CheckContent(const Content& content, const Times& due) const {
  static const Samples kNone;
  for (const auto& [series, times] : asked_) {
    const std::string name =
        SampleLabels(series.first, series.second).ToString();
    const auto it = content.find(name);
    const Samples& samples = it == content.end() ? kNone : it->second;
    for (const auto& [t, text] : samples) {
      if (times.contains(t) &&
          text == SampleTextAt(series.first, series.second, t)) {
        continue;
      }
      CAPTURE(name, t, text);
      FAIL("a wrong sample");
    }
  }
  for (const auto& [name, samples] : content) {
    bool known = false;
    for (const auto& [series, times] : asked_) {
      known =
          known || name == SampleLabels(series.first, series.second).ToString();
    }
    CAPTURE(name);
    if (!known) FAIL("a series that nobody wrote");
  }
  for (const auto& [series, times] : due) {
    const std::string name =
        SampleLabels(series.first, series.second).ToString();
    const auto it = content.find(name);
    const Samples& samples = it == content.end() ? kNone : it->second;
    for (const int64_t t : times) {
      const bool there = samples.contains(t);
      if (delete_asked_ && CanBeDeleted(series, t)) {
        if (!delete_done_ || !there) continue;
        CAPTURE(name, t);
        FAIL("a deleted sample is back");
      }
      if (there) continue;
      CAPTURE(name, t);
      FAIL("an acknowledged sample is lost");
    }
  }
}

// Those that are newer than the blocks: the log keeps no others.
void CrashStory::CheckExemplars(Db& db) const {
  int64_t blocks_end = INT64_MIN;
  for (const BlockMeta& meta : db.Blocks()) {
    blocks_end = std::max(blocks_end, meta.max_time.ms);
  }
  auto querier = db.NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  MemoryBudget budget;
  const CancelToken cancel;
  const std::vector<Matchers> selectors = {
      {*Matcher::Make(Matcher::Type::kEqual, "__name__", "float")}};
  auto got = (*querier)->Exemplars(selectors, TimeRange(), {budget, cancel});
  REQUIRE(got.ok());
  std::set<int64_t> times;
  for (const ExemplarSeries& series : *got) {
    for (const Exemplar& exemplar : series.exemplars) {
      const int64_t t = exemplar.t.ms;
      CAPTURE(t);
      REQUIRE(exemplars_asked_.contains(t));
      REQUIRE(exemplar.value == static_cast<double>(t));
      REQUIRE(exemplar.labels.Get("trace") == std::to_string(t));
      times.insert(t);
    }
  }
  for (const int64_t t : exemplars_due_) {
    CAPTURE(t, blocks_end);
    if (t >= blocks_end && !times.contains(t)) FAIL("an exemplar is lost");
  }
}

void CrashStory::Check(Env& env) const {
  FakeClock clock{0};
  {
    auto db = Db::Open("data", MakeOptions(env, clock));
    INFO(db.status());
    REQUIRE(db.ok());
    Content content;
    const absl::Status read = ReadContent(**db, content);
    INFO(read);
    REQUIRE(read.ok());
    CheckContent(content, due_);
    CheckExemplars(**db);
  }
  if (!copy_done_) return;
  Options options = MakeOptions(env, clock);
  options.read_only = true;
  auto db = Db::Open(kCopy, options);
  INFO("the copy: " << db.status());
  REQUIRE(db.ok());
  Content content;
  const absl::Status read = ReadContent(**db, content);
  INFO(read);
  REQUIRE(read.ok());
  CheckContent(content, in_copy_);
}

uint64_t CrashStory::acknowledged() const {
  uint64_t n = 0;
  for (const auto& [series, times] : due_) n += times.size();
  return n;
}

}  // namespace narthex::test
