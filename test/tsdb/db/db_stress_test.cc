// Everything at once: appends of every kind, late ones too, reads, views that
// are held, compactions, deletions, clean-ups and snapshots.  Every read is
// held against what was acknowledged.  Worth most under the tsan preset;
// NARTHEX_STRESS_SECONDS says for how long (3).

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/db.h"
#include "test/tsdb/chunk/histogram_lab.h"
#include "test/tsdb/db/content.h"

namespace narthex::tsdb {
namespace {

using test::Difference;
using test::SampleText;

constexpr int kAppenders = 4;
constexpr int kFloats = 6;  // plain series of each
constexpr int64_t kStep = 1000;
constexpr int64_t kAhead = 12;  // steps between the fastest and the slowest
constexpr int64_t kLate = 7;    // steps that a late sample comes late
constexpr int64_t kLife = 64;   // steps that a short-lived series lives
constexpr int64_t kBlock = 20'000;
constexpr int64_t kRetention = 400'000;

enum Kind : int {
  kPlain,  // kFloats of them
  kInteger = kFloats,
  kFloat,
  kCustom,
  kLateFloat,
  kLateInteger,
  kVictim,  // that the deletions are for
  kShort,   // a new series every kLife steps
  kKinds
};

Labels LabelsOf(int appender, int kind, int64_t life = 0) {
  return {{"__name__", "m"},
          {"appender", std::to_string(appender)},
          {"kind", std::to_string(kind)},
          {"life", std::to_string(life)}};
}
bool TakesLate(int kind) { return kind == kLateFloat || kind == kLateInteger; }

double ValueAt(int appender, int kind, int64_t t) {
  return static_cast<double>((t / 500 * 31 + appender * 7) % 1013) + kind * .25;
}
// Grows with time, so that no counter is reset; a bucket appears now and then.
BucketModel ModelAt(int appender, int64_t t) {
  const auto n = static_cast<uint64_t>(t / 500);
  BucketModel model;
  model.positive = {{1, n}, {4, 2 * n + static_cast<uint64_t>(appender)}};
  if (n % 512 > 100) model.positive[static_cast<int>(n / 512)] += n;
  model.sum = static_cast<double>(n) / 3;
  return model;
}
Histogram IntegerAt(int appender, int64_t t) {
  BucketModel model = ModelAt(appender, t);
  model.zero_threshold = 0.001;
  model.zero_count = static_cast<uint64_t>(t / 500);
  return model.Integer();
}
FloatHistogram FloatAt(int appender, int64_t t) {
  return ModelAt(appender, t).Float();
}
Histogram CustomAt(int appender, int64_t t) {
  BucketModel model;
  model.schema = kCustomBucketsSchema;
  const auto n = static_cast<uint64_t>(t / 500);
  model.positive = {{0, n}, {2, n + static_cast<uint64_t>(appender)}};
  model.sum = static_cast<double>(n);
  Histogram h = model.Integer();
  h.custom_values = {0.1, 1, 10};
  return h;
}
FloatHistogram HistogramAt(int appender, int kind, int64_t t) {
  if (kind == kFloat) return FloatAt(appender, t);
  if (kind == kCustom) return CustomAt(appender, t).ToFloat();
  return IntegerAt(appender, t).ToFloat();
}
bool IsHistogram(int kind) {
  return kind == kInteger || kind == kFloat || kind == kCustom ||
         kind == kLateInteger;
}

// How far everybody is.  Taken before a look it says what must be seen, taken
// after it what may be.
struct Progress {
  std::array<int64_t, kAppenders> step = {};
  std::vector<TimeRange> deleted = {};

  int64_t newest() const {
    return *std::max_element(step.begin(), step.end()) * kStep;
  }
  bool Deleted(int64_t t) const {
    for (const TimeRange& range : deleted) {
      if (range.Contains(t)) return true;
    }
    return false;
  }
};

class Stress {
 public:
  Stress();
  void Run(double seconds);

 private:
  void AppendLoop(int a);
  bool Commit(int a, int64_t k, Appender& appender,
              std::vector<SeriesRef>& refs);
  void ReadLoop(int number);
  void CompactLoop();
  void DeleteLoop();
  void SnapshotLoop();

  Progress Done();
  Progress Begun();
  // Opens a view and looks at all of it; false: something is wrong.
  std::unique_ptr<Querier> View(Queryable& store, Progress& done,
                                Progress& begun);
  bool Check(Querier& querier, const Progress& done, const Progress& begun);
  bool CheckSeries(int appender, int kind, int64_t life,
                   const SampleColumns& columns, const Progress& done,
                   const Progress& begun, int64_t& last);
  bool CheckExemplars(Querier& querier, const Progress& done,
                      const Progress& begun);
  bool CheckLatest(Querier& querier, const Progress& done,
                   const Progress& begun);
  bool Fail(const std::string& what);
  bool stopped() const { return stop_.load() || failed_.load(); }

  std::unique_ptr<Env> env_ = NewMemEnv();
  ThreadPool pool_{2};
  Options options_;
  std::unique_ptr<Db> db_;
  std::array<std::atomic<int64_t>, kAppenders> begun_ = {};
  std::array<std::atomic<int64_t>, kAppenders> done_ = {};
  std::mutex mu_;
  std::vector<TimeRange> deletes_begun_;
  std::vector<TimeRange> deletes_done_;
  std::string failure_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_{false};
  std::atomic<int> reads_{0}, held_{0}, compactions_{0}, deletes_{0},
      cleanings_{0}, snapshots_{0};
};

Stress::Stress() {
  options_.env = env_.get();
  options_.executor = &pool_;
  options_.background_interval = Milliseconds(200);
  options_.min_block_duration = Duration(kBlock);
  options_.max_block_duration = Duration(9 * kBlock);
  options_.retention = Duration(kRetention);
  options_.out_of_order_time_window = Duration(3 * kBlock);
  options_.wal_segment_bytes = 64 << 10;
  options_.max_exemplars = 2000;
  auto db = Db::Open("data", options_);
  INFO(db.status());
  REQUIRE(db.ok());
  db_ = *std::move(db);
}

bool Stress::Fail(const std::string& what) {
  const std::lock_guard<std::mutex> lock(mu_);
  if (failure_.empty()) failure_ = what;
  failed_ = true;
  return false;
}

Progress Stress::Done() {
  Progress progress;
  for (size_t a = 0; a < kAppenders; ++a) progress.step[a] = done_[a].load();
  const std::lock_guard<std::mutex> lock(mu_);
  progress.deleted = deletes_done_;
  return progress;
}
Progress Stress::Begun() {
  Progress progress;
  for (size_t a = 0; a < kAppenders; ++a) progress.step[a] = begun_[a].load();
  const std::lock_guard<std::mutex> lock(mu_);
  progress.deleted = deletes_begun_;
  return progress;
}

// --- Writers.

bool Stress::Commit(int a, int64_t k, Appender& appender,
                    std::vector<SeriesRef>& refs) {
  const int64_t t = k * kStep;
  const int64_t late_t = (k - kLate) * kStep + kStep / 2;
  // References are kept for a while, as a scraper keeps them.
  if (k % 16 == 1 || k % kLife == 0 || refs.empty()) {
    refs.resize(kKinds);
    for (int kind = 0; kind < kKinds; ++kind) {
      auto ref = appender.Resolve(
          LabelsOf(a, kind, kind == kShort ? k / kLife : int64_t{0}));
      if (!ref.ok()) return Fail(StrCat("Resolve: ", ref.status().ToString()));
      refs[static_cast<size_t>(kind)] = *ref;
    }
  }
  std::vector<SeriesRef> float_refs;
  std::vector<double> values;
  std::vector<Timestamp> times;
  const auto add = [&](int kind, int64_t at) {
    float_refs.push_back(refs[static_cast<size_t>(kind)]);
    values.push_back(ValueAt(a, kind, at));
    times.push_back(at);
  };
  for (int kind = 0; kind < kKinds; ++kind) {
    if (!IsHistogram(kind)) add(kind, t);
  }
  if (late_t > kStep) add(kLateFloat, late_t);
  std::vector<Appended> out(values.size());
  absl::Status status = appender.AppendFloats(
      {.refs = float_refs, .values = values, .times = times}, out);
  if (!status.ok()) return Fail(status.ToString());
  const auto histogram = [&](int kind, int64_t at) {
    const SeriesRef ref = refs[static_cast<size_t>(kind)];
    out.push_back(kind == kFloat
                      ? appender.AppendHistogram(ref, at, 0, FloatAt(a, at))
                      : appender.AppendHistogram(ref, at, 0,
                                                 kind == kCustom
                                                     ? CustomAt(a, at)
                                                     : IntegerAt(a, at)));
  };
  for (const int kind : {kInteger, kFloat, kCustom, kLateInteger}) {
    histogram(kind, t);
  }
  if (late_t > kStep) histogram(kLateInteger, late_t);
  Exemplar exemplar;
  exemplar.labels = {{"trace", std::to_string(k)}};
  exemplar.value = ValueAt(a, kPlain, t);
  exemplar.t = t;
  exemplar.has_timestamp = true;
  out.push_back(appender.AppendExemplar(refs[kPlain], exemplar));
  if (k % 64 == 0) {
    status = appender.SetMetadata(
        refs[kPlain], {MetricType::kGauge, StrCat("help ", k), "seconds"});
    if (!status.ok()) return Fail(status.ToString());
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] != Appended::kStored) {
      return Fail(StrCat("appender ", a, " step ", k, " sample ", i,
                         " refused: ", static_cast<int>(out[i])));
    }
  }
  status = appender.Commit();
  if (!status.ok()) return Fail(StrCat("Commit: ", status.ToString()));
  return true;
}

void Stress::AppendLoop(int a) {
  auto appender = db_->NewAppender();
  std::vector<SeriesRef> refs;
  const auto slot = static_cast<size_t>(a);
  for (int64_t k = 1; !stopped(); ++k) {
    for (;;) {  // nobody runs further ahead than the head takes
      int64_t least = INT64_MAX;
      for (const auto& done : done_) least = std::min(least, done.load());
      if (k - least <= kAhead || stopped()) break;
      std::this_thread::yield();
    }
    begun_[slot].store(k);
    if (!Commit(a, k, *appender, refs)) return;
    done_[slot].store(k);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
}

// --- Readers.

std::unique_ptr<Querier> Stress::View(Queryable& store, Progress& done,
                                      Progress& begun) {
  done = Done();
  auto querier = store.NewQuerier(TimeRange());
  begun = Begun();
  if (querier.ok()) return *std::move(querier);
  Fail(querier.status().ToString());
  return nullptr;
}

bool Stress::CheckSeries(int appender, int kind, int64_t life,
                         const SampleColumns& columns, const Progress& done,
                         const Progress& begun, int64_t& last) {
  const auto slot = static_cast<size_t>(appender);
  const std::string name = LabelsOf(appender, kind, life).ToString();
  std::map<int64_t, bool> seen;
  const auto may_be = [&](int64_t t) {
    const int64_t k =
        t % kStep == 0 ? t / kStep : (t - kStep / 2) / kStep + kLate;
    return t >= kStep && k <= begun.step[slot] &&
           (t % kStep == 0 || (TakesLate(kind) && t % kStep == kStep / 2)) &&
           (kind != kShort || t / kStep / kLife == life);
  };
  int64_t before = INT64_MIN;
  for (size_t i = 0; i < columns.size(); ++i) {
    const int64_t t = columns.t()[i].ms;
    if (t <= before || !may_be(t) || IsHistogram(kind) ||
        Bits(columns.v()[i]) != Bits(ValueAt(appender, kind, t))) {
      return Fail(StrCat("wrong float: ", name, " at ", t));
    }
    before = t;
    seen[t] = true;
  }
  const auto& points = columns.histograms().points;
  for (size_t i = 0; i < points.size(); ++i) {
    const int64_t t = points[i].t.ms;
    if (t <= before || !may_be(t) || !IsHistogram(kind) ||
        SampleText(ToFloatHistogram(columns.histograms(), i)) !=
            SampleText(HistogramAt(appender, kind, t))) {
      return Fail(StrCat("wrong histogram: ", name, " at ", t));
    }
    before = t;
    seen[t] = true;
  }
  // Whole commits: the last one is the same one in all series, and no late
  // sample is of a later one.
  const int64_t newest = seen.empty() ? 0 : seen.rbegin()->first;
  if (kind != kShort && kind != kVictim) {
    if (last == 0) last = newest;
    if (last != newest) {
      return Fail(
          StrCat("half a commit: ", name, " at ", newest, ", not ", last));
    }
  }
  // Everything that was acknowledged and is not beyond retention.
  int64_t from = begun.newest() - kRetention + kBlock;
  from = std::max(from / kStep * kStep, kStep);
  if (kind == kShort) from = std::max(from, life * kLife * kStep);
  for (int64_t t = from; t <= done.step[slot] * kStep; t += kStep / 2) {
    if (kind == kShort && t / kStep / kLife != life) break;
    const bool late = t % kStep != 0;
    if (late && (!TakesLate(kind) || t < kStep + kStep / 2 ||
                 (t - kStep / 2) / kStep + kLate > done.step[slot])) {
      continue;
    }
    if (kind == kVictim && begun.Deleted(t)) continue;
    if (!seen.contains(t)) return Fail(StrCat("lost: ", name, " at ", t));
  }
  if (kind == kVictim) {
    for (const auto& [t, yes] : seen) {
      if (done.Deleted(t)) {
        return Fail(StrCat("deleted and there: ", name, " at ", t));
      }
    }
  } else if (newest / kStep > begun.step[slot]) {
    return Fail(StrCat("from the future: ", name, " at ", newest));
  }
  return true;
}

bool Stress::Check(Querier& querier, const Progress& done,
                   const Progress& begun) {
  MemoryBudget budget;
  const CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  auto set = querier.Select({}, ctx);
  if (!set.ok()) return Fail(StrCat("Select: ", set.status().ToString()));
  SampleColumns columns(budget);
  std::array<std::array<int, kKinds>, kAppenders> series = {};
  std::array<int64_t, kAppenders> last = {};
  for (size_t i = 0; i < (*set)->size(); ++i) {
    const Labels labels = ToLabels(querier.symbols(), (*set)->labels(i));
    const int appender = std::atoi(std::string(labels.Get("appender")).c_str());
    const int kind = std::atoi(std::string(labels.Get("kind")).c_str());
    const int64_t life = std::atoll(std::string(labels.Get("life")).c_str());
    if (labels != LabelsOf(appender, kind, life) || appender >= kAppenders) {
      return Fail(StrCat("no such series: ", labels.ToString()));
    }
    const absl::Status status = (*set)->Read(i, TimeRange(), ctx, columns);
    if (!status.ok()) return Fail(StrCat("Read: ", status.ToString()));
    ++series[static_cast<size_t>(appender)][static_cast<size_t>(kind)];
    if (!CheckSeries(appender, kind, life, columns, done, begun,
                     last[static_cast<size_t>(appender)])) {
      return false;
    }
  }
  for (size_t a = 0; a < kAppenders; ++a) {
    for (int kind = 0; kind < kKinds && done.step[a] > 0; ++kind) {
      if (series[a][static_cast<size_t>(kind)] == 0 && kind != kVictim) {
        return Fail(StrCat("series lost: ", a, " ", kind));
      }
    }
  }
  return true;
}

bool Stress::CheckExemplars(Querier& querier, const Progress& done,
                            const Progress& begun) {
  MemoryBudget budget;
  const CancelToken cancel;
  const std::vector<Matchers> selectors = {
      {*Matcher::Make(Matcher::Type::kEqual, "__name__", "m")}};
  auto got = querier.Exemplars(selectors, TimeRange(), {budget, cancel});
  if (!got.ok()) return Fail(got.status().ToString());
  std::array<int64_t, kAppenders> newest = {};
  for (const ExemplarSeries& one : *got) {
    const int a = std::atoi(std::string(one.labels.Get("appender")).c_str());
    for (const Exemplar& exemplar : one.exemplars) {
      const int64_t t = exemplar.t.ms;
      if (one.labels != LabelsOf(a, kPlain) ||
          exemplar.value != ValueAt(a, kPlain, t) ||
          exemplar.labels.Get("trace") != std::to_string(t / kStep)) {
        return Fail(StrCat("wrong exemplar at ", t));
      }
      newest[static_cast<size_t>(a)] =
          std::max(newest[static_cast<size_t>(a)], t / kStep);
    }
  }
  // They are shown when they come, not with the view.
  static_cast<void>(begun);
  for (size_t a = 0; a < kAppenders; ++a) {
    if (newest[a] < done.step[a]) return Fail("an exemplar is lost");
  }
  return true;
}

// As an instant query reads.
bool Stress::CheckLatest(Querier& querier, const Progress& done,
                         const Progress& begun) {
  MemoryBudget budget;
  const CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  const MatcherPtr kind = *Matcher::Make(Matcher::Type::kEqual, "kind", "0");
  const Matcher* const matchers[] = {kind.get()};
  SelectRequest request;
  request.matchers = matchers;
  auto set = querier.Select(request, ctx);
  if (!set.ok()) return Fail(set.status().ToString());
  for (size_t i = 0; i < (*set)->size(); ++i) {
    const Labels labels = ToLabels(querier.symbols(), (*set)->labels(i));
    const int a = std::atoi(std::string(labels.Get("appender")).c_str());
    LatestSample latest;
    const auto any = (*set)->ReadLatest(i, TimeRange(), ctx, latest);
    if (!any.ok()) return Fail(any.status().ToString());
    const auto slot = static_cast<size_t>(a);
    if (!*any && done.step[slot] == 0) continue;  // made, nothing committed
    if (!*any || latest.histogram || latest.t.ms < done.step[slot] * kStep ||
        latest.t.ms > begun.step[slot] * kStep ||
        Bits(latest.v) != Bits(ValueAt(a, kPlain, latest.t.ms))) {
      return Fail(StrCat("wrong latest sample of ", labels.ToString(), ": ",
                         latest.t.ms, ", of steps ", done.step[slot], " to ",
                         begun.step[slot]));
    }
  }
  return true;
}

// By turns: one look, or a view that is held while things change and must stay
// the same bit for bit.
void Stress::ReadLoop(int number) {
  for (int round = number; !stopped(); ++round) {
    Progress done, begun;
    const std::unique_ptr<Querier> querier = View(*db_, done, begun);
    if (querier == nullptr) return;
    if (round % 4 != 0) {
      if (!(round % 4 == 1 ? Check(*querier, done, begun)
                           : CheckLatest(*querier, done, begun) &&
                                 CheckExemplars(*querier, done, begun))) {
        return;
      }
      ++reads_;
      continue;
    }
    test::Content first, again;
    const absl::Status read = test::ReadContent(*querier, first);
    if (!read.ok()) {
      Fail(read.ToString());
      return;
    }
    const int compactions = compactions_.load();
    for (int i = 0; i < 200 && !stopped() && compactions_ < compactions + 3;
         ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (!test::ReadContent(*querier, again).ok() || again != first) {
      Fail(StrCat("a held view has changed: ", Difference(first, again)));
      return;
    }
    if (!Check(*querier, done, begun)) return;
    ++held_;
  }
}

// --- Care.

void Stress::CompactLoop() {
  while (!stopped()) {
    const absl::Status status = db_->Compact();
    if (!status.ok()) Fail(StrCat("Compact: ", status.ToString()));
    ++compactions_;
    const Stats stats = db_->stats(compactions_ % 8 == 0 ? 10 : 0);
    if (stats.series > 10'000) Fail("series are not forgotten");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void Stress::DeleteLoop() {
  const MatcherPtr victim =
      *Matcher::Make(Matcher::Type::kEqual, "kind", std::to_string(kVictim));
  const Matcher* const matchers[] = {victim.get()};
  int64_t from = 10;
  for (int round = 0; !stopped(); ++round) {
    const Progress done = Done();
    const int64_t to =
        *std::min_element(done.step.begin(), done.step.end()) - 2;
    if (to < from + 20) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    const TimeRange range{(to - 9) * kStep, to * kStep};
    {
      const std::lock_guard<std::mutex> lock(mu_);
      deletes_begun_.push_back(range);
    }
    absl::Status status = db_->Delete(range, matchers);
    if (!status.ok()) Fail(StrCat("Delete: ", status.ToString()));
    {
      const std::lock_guard<std::mutex> lock(mu_);
      deletes_done_.push_back(range);
    }
    ++deletes_;
    from = to;
    if (round % 3 != 2) continue;
    status = db_->CleanTombstones();
    if (!status.ok()) Fail(StrCat("CleanTombstones: ", status.ToString()));
    ++cleanings_;
  }
}

// A snapshot is a whole database, of what there was when it was begun.
void Stress::SnapshotLoop() {
  for (int n = 0; !stopped(); ++n) {
    const std::string dir = StrCat("snapshots/", n);
    const Progress done = Done();
    absl::Status status = db_->Snapshot(dir);
    const Progress begun = Begun();
    if (!status.ok()) {
      Fail(StrCat("Snapshot: ", status.ToString()));
      return;
    }
    Options options;
    options.env = env_.get();
    options.read_only = true;
    options.retention = Duration(0);
    auto db = Db::Open(dir, options);
    if (!db.ok()) {
      Fail(StrCat("snapshot: ", db.status().ToString()));
      return;
    }
    {
      auto querier = (*db)->NewQuerier(TimeRange());
      if (!querier.ok() || !Check(**querier, done, begun)) {
        Fail("snapshot");
        return;
      }
    }
    if (!(*db)->Close().ok() || !env_->RemoveAll(dir).ok()) Fail("snapshot");
    ++snapshots_;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void Stress::Run(double seconds) {
  std::vector<std::thread> threads;
  for (int a = 0; a < kAppenders; ++a) {
    threads.emplace_back([this, a] { AppendLoop(a); });
    threads.emplace_back([this, a] { ReadLoop(a); });
  }
  threads.emplace_back([this] { CompactLoop(); });
  threads.emplace_back([this] { DeleteLoop(); });
  threads.emplace_back([this] { SnapshotLoop(); });
  // On a slow machine until each has happened.
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&begin] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         begin)
        .count();
  };
  const auto enough = [this] {
    return db_->Blocks().size() > 2 && deletes_ > 2 && cleanings_ > 0 &&
           snapshots_ > 1 && held_ > 3 && reads_ > 8;
  };
  bool all_of_it = false;
  while (!failed_ && passed() < 30 * seconds &&
         (passed() < seconds || !all_of_it)) {
    all_of_it = enough();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  stop_ = true;
  for (std::thread& thread : threads) thread.join();
  std::printf(
      "stress: %lld steps, %d reads, %d held views, %d compactions, %d "
      "deletions, %d cleanings, %d snapshots in %.1f s\n",
      static_cast<long long>(Done().newest() / kStep), reads_.load(),
      held_.load(), compactions_.load(), deletes_.load(), cleanings_.load(),
      snapshots_.load(), passed());
  INFO(failure_);
  REQUIRE_FALSE(failed_);
  REQUIRE(all_of_it);

  // And the directory says the same.
  const Progress all = Done();
  REQUIRE(db_->Close().ok());
  db_ = nullptr;
  auto again = Db::Open("data", options_);
  INFO(again.status());
  REQUIRE(again.ok());
  auto querier = (*again)->NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  const bool same =
      Check(**querier, all, all) && CheckExemplars(**querier, all, all);
  INFO(failure_);
  REQUIRE(same);
  querier->reset();
  REQUIRE((*again)->Close().ok());
}

}  // namespace

TEST_CASE("appends, reads, deletes, compactions and snapshots at once",
          "[tsdb][db][stress]") {
  const char* text = std::getenv("NARTHEX_STRESS_SECONDS");
  Stress().Run(text == nullptr ? 3 : std::atof(text));
}

}  // namespace narthex::tsdb
