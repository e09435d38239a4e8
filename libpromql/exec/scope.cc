#include "libpromql/exec/scope.h"

#include <algorithm>
#include <utility>

#include "libpromql/exec/shared_scan.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

constexpr size_t kPairsPerPage = 4096;
constexpr size_t kBlockValues = 128 * 1024;

absl::Status TooManySamples() {
  return ResourceExhausted(
      "query processing would load too many samples into memory in query "
      "execution");
}

}  // namespace

QueryScope::QueryScope(const Plan& plan, const EngineOptions& options,
                       Duration lookback, Querier& querier,
                       MemoryBudget& budget, Executor& executor, Limits limits)
    : plan_(plan),
      options_(options),
      lookback_(lookback),
      querier_(querier),
      budget_(budget),
      executor_(executor),
      limits_(limits),
      step_samples_(limits.count_steps ? plan.grid.steps : 0),
      work_(limits.analyze ? plan.nodes : 0),
      label_bytes_(budget),
      name_id_(querier.symbols().Intern(kMetricName)),
      type_id_(querier.symbols().Intern("__type__")),
      unit_id_(querier.symbols().Intern("__unit__")),
      bucket_id_(querier.symbols().Intern(kBucketLabel)) {
  for (const Selection& selection : plan.selections) {
    selections_.push_back(std::make_unique<SharedSelection>(*this, selection));
  }
}

QueryScope::~QueryScope() = default;

absl::Status QueryScope::Check() const {
  if (over_budget_) {
    return ResourceExhausted(
        "the labels of the query's series need more memory than it may have");
  }
  CancelToken::State state = limits_.deadline->state();
  if (state == CancelToken::State::kRunning && limits_.caller != nullptr) {
    state = limits_.caller->state();
  }
  switch (state) {
    case CancelToken::State::kRunning:
      break;
    case CancelToken::State::kCancelled:
      return Cancelled("query was canceled in expression evaluation");
    case CancelToken::State::kTimedOut:
      return DeadlineExceeded("query timed out in expression evaluation");
  }
  return absl::OkStatus();
}

absl::Status QueryScope::Hold(int64_t n) {
  held_ += n;
  peak_ = std::max(peak_, held_);
  return held_ > limits_.max_samples ? TooManySamples() : absl::OkStatus();
}

absl::Status QueryScope::CheckRoom(int64_t n) {
  peak_ = std::max(peak_, held_ + n);
  return held_ + n > limits_.max_samples ? TooManySamples() : absl::OkStatus();
}

void QueryScope::CountQueryable(const PlanNode& node, int64_t n) {
  if (node.counting == Counting::kNowhere) return;
  const bool every = node.counting == Counting::kEveryStep;
  queryable_ += every ? n * static_cast<int64_t>(tile_steps_) : n;
}

void QueryScope::CountAtStep(const PlanNode& node, size_t k, int64_t n) {
  const auto add = [&](size_t step) {
    step_samples_[tile_begin_ + step].fetch_add(n, std::memory_order_relaxed);
  };
  switch (node.counting) {
    case Counting::kSteps:
      add(k);
      break;
    case Counting::kEveryStep:
      for (size_t step = 0; step < tile_steps_; ++step) add(step);
      break;
    case Counting::kNowhere:
      break;
  }
}

std::vector<int64_t> QueryScope::samples_per_step() const {
  return {step_samples_.begin(), step_samples_.end()};
}

void QueryScope::BeginTile(const Plan& tile, bool only) {
  tiled_ = !only;
  tile_begin_ = tile.first_step;
  tile_steps_ = tile.grid.steps;
  next_seen_ = 0;
}

QueryScope::SeriesSeen& QueryScope::NextSeen() {
  if (next_seen_ == seen_.size()) {
    seen_.push_back(std::make_unique<SeriesSeen>());
  }
  return *seen_[next_seen_++];
}

int64_t QueryScope::series() const {
  int64_t n = 0;
  for (const auto& selection : selections_) {
    n += static_cast<int64_t>(selection->size());
  }
  return n;
}

std::string_view QueryScope::MetricName(LabelRow row) {
  return symbols().Text(ValueOf(row, name_id_));
}

LabelRow QueryScope::Keep(LabelRow row) {
  if (row.empty()) return {};
  if (row.size() > page_left_) {
    page_left_ = std::max(kPairsPerPage, row.size());
    labels_kept_ += page_left_ * sizeof(LabelPair);
    over_budget_ |= !label_bytes_.GrowTo(labels_kept_);
    pages_.push_back(std::make_unique<LabelPair[]>(page_left_));
    page_ = pages_.back().get();
  }
  LabelPair* begin = page_;
  std::copy(row.begin(), row.end(), begin);
  page_ += row.size();
  page_left_ -= row.size();
  return {begin, row.size()};
}

std::span<SeriesRow> QueryScope::NewRows(size_t n) {
  labels_kept_ += n * sizeof(SeriesRow);
  over_budget_ |= !label_bytes_.GrowTo(labels_kept_);
  row_arrays_.push_back(std::make_unique<SeriesRow[]>(n));
  return {row_arrays_.back().get(), n};
}

LabelRow QueryScope::DropMetadata(LabelRow row) {
  size_t dropped = 0;
  for (LabelPair pair : row) dropped += IsMetadata(pair.name) ? 1 : 0;
  if (dropped == 0) return row;
  // "__name__" sorts before all that is usual: then the rest is a tail.
  if (dropped == 1 && IsMetadata(row[0].name)) return row.subspan(1);
  std::vector<LabelPair> kept;
  kept.reserve(row.size());
  for (LabelPair pair : row) {
    if (!IsMetadata(pair.name)) kept.push_back(pair);
  }
  return Keep(kept);
}

bool QueryScope::SameMetadata(SeriesRows rows) const {
  for (SymbolId id : {name_id_, type_id_, unit_id_}) {
    for (const SeriesRow& row : rows) {
      if (ValueOf(row.labels, id) != ValueOf(rows[0].labels, id)) return false;
    }
  }
  return true;
}

LabelRow QueryScope::WithLabel(LabelRow row, SymbolId name, SymbolId value) {
  std::vector<LabelPair> out;
  out.reserve(row.size() + 1);
  const std::string_view text = symbols().Text(name);
  bool placed = value == 0;
  for (LabelPair pair : row) {
    if (pair.name == name) continue;
    if (!placed && symbols().Text(pair.name) > text) {
      out.push_back({name, value});
      placed = true;
    }
    out.push_back(pair);
  }
  if (!placed) out.push_back({name, value});
  return Keep(out);
}

SeriesRow QueryScope::DropName(const SeriesRow& row) {
  if (delayed_names()) return {row.labels, true};
  return {DropMetadata(row.labels), true};
}

size_t QueryScope::RowsPerBlock(size_t steps) const {
  const size_t rows = kBlockValues / std::max<size_t>(steps, 1);
  // Of very many steps a row is large enough by itself.
  return std::clamp<size_t>(rows, steps <= 16384 ? 8 : 1, 8192);
}

std::unique_ptr<WorkerScratch> QueryScope::TakeScratch() {
  {
    absl::MutexLock lock(&scratch_mu_);
    if (!scratch_.empty()) {
      std::unique_ptr<WorkerScratch> scratch = std::move(scratch_.back());
      scratch_.pop_back();
      return scratch;
    }
  }
  return std::make_unique<WorkerScratch>(budget_);
}

void QueryScope::GiveScratch(std::unique_ptr<WorkerScratch> scratch) {
  absl::MutexLock lock(&scratch_mu_);
  scratch_.push_back(std::move(scratch));
}

absl::Status QueryScope::ForParts(
    size_t n, size_t least_part,
    absl::FunctionRef<absl::Status(size_t, size_t, WorkerScratch&)> body) {
  const size_t width = static_cast<size_t>(std::max(1, executor_.width()));
  size_t parts = std::min(width * 4, n / std::max<size_t>(least_part, 1));
  if (width == 1 || parts <= 1) {
    std::unique_ptr<WorkerScratch> scratch = TakeScratch();
    absl::Status status = body(0, n, *scratch);
    GiveScratch(std::move(scratch));
    return status;
  }
  return ParallelFor(executor_, parts, [&](size_t part) {
    std::unique_ptr<WorkerScratch> scratch = TakeScratch();
    absl::Status status =
        body(n * part / parts, n * (part + 1) / parts, *scratch);
    GiveScratch(std::move(scratch));
    return status;
  });
}

}  // namespace narthex::promql
