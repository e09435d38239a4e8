#include "libpromql/exec/shared_scan.h"

#include <algorithm>
#include <utility>

#include "libpromql/exec/scope.h"
#include "libpromql/func/column_scan.h"
#include "narthex/base/status.h"
#include "narthex/model/histogram_view.h"
#include "narthex/model/sample.h"

namespace narthex::promql {
namespace {

// Decoded samples that a shared selection may keep; above it every user decodes
// for itself.
constexpr size_t kMaxSharedSamples = size_t{4} << 20;

bool CoversBuckets(const std::vector<Span>& spans, uint32_t buckets) {
  uint64_t n = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) return false;
    n += spans[i].length;
  }
  return n == buckets;
}

// Stores are the host's business; what is built on spans relies on this.
absl::Status CheckHistograms(const HistogramColumn& column) {
  for (const auto& layout : column.layouts) {
    if (!CoversBuckets(layout->positive_spans, layout->positive_buckets) ||
        !CoversBuckets(layout->negative_spans, layout->negative_buckets)) {
      return DataLoss(
          "expanding series: a histogram's spans and buckets differ");
    }
  }
  for (const HistogramColumn::Point& point : column.points) {
    if (point.layout >= column.layouts.size() ||
        point.buckets + size_t{column.layouts[point.layout]->positive_buckets} +
                column.layouts[point.layout]->negative_buckets >
            column.buckets.size()) {
      return DataLoss("expanding series: a histogram lacks its buckets");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SeriesRows> SharedSelection::Select() {
  if (selected_) return rows_;
  NARTHEX_RETURN_IF_ERROR(scope_.Check());
  std::vector<const Matcher*> matchers;
  for (const MatcherPtr& matcher : *selection_.matchers) {
    matchers.push_back(matcher.get());
  }
  SelectRequest request;
  request.matchers = matchers;
  request.range = selection_.range;
  request.step = selection_.step;
  request.window = selection_.window;
  request.purpose = selection_.purpose;
  request.start_times = selection_.start_times;
  auto set = scope_.querier().Select(request, scope_.read_context());
  if (!set.ok()) {
    NARTHEX_RETURN_IF_ERROR(scope_.Check());
    return Annotate(set.status(), "expanding series");
  }
  set_ = *std::move(set);
  const std::span<SeriesRow> rows = scope_.NewRows(set_->size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i].labels = set_->labels(i);
  rows_ = rows;
  if (selection_.users > 1) {
    size_t samples = 0;
    for (size_t i = 0; i < rows.size() && samples <= kMaxSharedSamples; ++i) {
      samples += set_->samples_hint(i);
    }
    share_ = samples <= kMaxSharedSamples;
    if (share_) decoded_.resize(rows.size());
  }
  selected_ = true;
  return rows_;
}

absl::Status SharedSelection::Load(size_t i, TimeRange range,
                                   WorkerScratch& scratch, SampleView& out) {
  NARTHEX_RETURN_IF_ERROR(scope_.CheckLoad());
  const SampleColumns* columns = &scratch.columns;
  if (share_) {
    std::unique_ptr<SampleColumns>& decoded = decoded_[i];
    if (decoded == nullptr) {
      decoded = std::make_unique<SampleColumns>(scope_.budget());
      NARTHEX_RETURN_IF_ERROR(Read(i, selection_.range, *decoded));
    }
    columns = decoded.get();
  } else {
    NARTHEX_RETURN_IF_ERROR(Read(i, range, scratch.columns));
  }
  const std::span<const Timestamp> t = columns->t();
  const size_t begin = static_cast<size_t>(
      std::lower_bound(t.begin(), t.end(), range.min) - t.begin());
  const size_t end = static_cast<size_t>(
      std::upper_bound(t.begin() + static_cast<std::ptrdiff_t>(begin), t.end(),
                       range.max) -
      t.begin());
  out.t = t.subspan(begin, end - begin);
  out.v = columns->v().subspan(begin, end - begin);
  out.st = {};
  if (selection_.start_times && !columns->st().empty()) {
    out.st = columns->st().subspan(begin, end - begin);
  }
  out.histograms =
      columns->histograms().empty() ? nullptr : &columns->histograms();
  return absl::OkStatus();
}

absl::Status SharedSelection::Read(size_t i, TimeRange range,
                                   SampleColumns& out) {
  // A column that has room for start times is filled with them.
  if (selection_.start_times) NARTHEX_RETURN_IF_ERROR(out.ReserveStartTimes());
  NARTHEX_RETURN_IF_ERROR(set_->Read(i, range, scope_.read_context(), out));
  if (out.histograms().empty()) return absl::OkStatus();
  return CheckHistograms(out.histograms());
}

absl::Status DropStale(WorkerScratch& scratch, SampleView& view) {
  const bool stale = AnyStale(view.v);
  bool stale_histogram = false;
  if (view.histograms != nullptr) {
    for (const auto& point : view.histograms->points) {
      stale_histogram |= IsStale(point.sum);
    }
  }
  if (!stale && !stale_histogram) return absl::OkStatus();
  SampleColumns& clean = scratch.clean;
  clean.Clear();
  if (stale) {
    NARTHEX_RETURN_IF_ERROR(clean.Reserve(view.t.size()));
    if (!view.st.empty()) NARTHEX_RETURN_IF_ERROR(clean.ReserveStartTimes());
    size_t n = 0;
    for (size_t i = 0; i < view.t.size(); ++i) {
      if (IsStale(view.v[i])) continue;
      clean.mutable_t()[n] = view.t[i];
      clean.mutable_v()[n] = view.v[i];
      if (!view.st.empty()) clean.mutable_st()[n] = view.st[i];
      ++n;
    }
    clean.SetSize(n);
    view.t = clean.t();
    view.v = clean.v();
    if (!view.st.empty()) view.st = clean.st();
  }
  if (stale_histogram) {
    HistogramColumn& column = clean.mutable_histograms();
    column = *view.histograms;
    std::erase_if(column.points, [](const HistogramColumn::Point& point) {
      return IsStale(point.sum);
    });
    view.histograms = column.empty() ? nullptr : &column;
  }
  return absl::OkStatus();
}

void KeepStatistics(WorkerScratch& scratch, SampleView& view) {
  if (view.histograms == nullptr) return;
  const HistogramColumn& full = *view.histograms;
  HistogramColumn bare;
  bare.points = full.points;
  for (const auto& layout : full.layouts) {
    if (!bare.layouts.empty() &&
        bare.layouts.back()->schema == layout->schema) {
      bare.layouts.push_back(bare.layouts.back());
      continue;
    }
    auto same = std::make_shared<HistogramLayout>();
    same->schema = layout->schema;
    bare.layouts.push_back(std::move(same));
  }
  size_t last = full.points.size();  // that wasn't stale
  for (size_t i = 0; i < bare.points.size(); ++i) {
    HistogramColumn::Point& point = bare.points[i];
    point.zero_count = 0;
    point.buckets = 0;
    if (IsStale(point.sum)) continue;
    if (point.hint == static_cast<uint8_t>(CounterResetHint::kUnknown) &&
        last < full.points.size()) {
      point.hint =
          static_cast<uint8_t>(DetectReset(ViewOf(full, i), ViewOf(full, last))
                                   ? CounterResetHint::kReset
                                   : CounterResetHint::kNotReset);
    }
    last = i;
  }
  HistogramColumn& column = scratch.clean.mutable_histograms();
  column = std::move(bare);
  view.histograms = &column;
}

}  // namespace narthex::promql
