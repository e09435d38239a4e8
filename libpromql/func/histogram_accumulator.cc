#include "libpromql/func/histogram_accumulator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "narthex/model/histogram_sum.h"

namespace narthex::promql {
namespace {

double GreatestOf(const HistogramView& h) {
  double greatest = 0;
  const auto look = [&greatest](double x) {
    if (std::fabs(x) > greatest) greatest = std::fabs(x);
  };
  look(h.count);
  look(h.sum);
  look(h.zero_count);
  for (size_t i = 0; i < h.size(); ++i) look(h.buckets[i]);
  return greatest;
}

void Increase(double x, double& sum, double& c) {
  KahanSum kahan{sum, c};
  kahan.Add(x);
  sum = kahan.sum;
  c = kahan.c;
}

void ToSpans(const std::vector<int32_t>& index, std::vector<Span>& spans) {
  int64_t end = 0;
  for (const int32_t i : index) {
    const int64_t gap = i - end;
    if (spans.empty() || gap > 0) {
      spans.push_back({static_cast<int32_t>(gap), 0});
    }
    ++spans.back().length;
    end = int64_t{i} + 1;
  }
}

}  // namespace

// --- Sides.

void HistogramAccumulator::Side::Fill(const std::vector<Span>& spans,
                                      const double* values,
                                      const double* compensation) {
  int64_t at = 0;
  for (const Span& span : spans) {
    at += span.offset;
    for (uint32_t i = 0; i < span.length; ++i) {
      index.push_back(static_cast<int32_t>(at++));
    }
  }
  value.assign(values, values + index.size());
  if (compensation == nullptr) {
    c.assign(index.size(), 0.0);
  } else {
    c.assign(compensation, compensation + index.size());
  }
}

void HistogramAccumulator::Side::Coarsen(int32_t from, int32_t to) {
  size_t kept = 0;
  for (size_t i = 0; i < index.size(); ++i) {
    const auto target =
        static_cast<int32_t>(((int64_t{index[i]} - 1) >> (from - to)) + 1);
    if (kept > 0 && index[kept - 1] == target) {
      Increase(value[i], value[kept - 1], c[kept - 1]);
      Increase(c[i], value[kept - 1], c[kept - 1]);
    } else {
      index[kept] = target;
      value[kept] = value[i];
      c[kept++] = c[i];
    }
  }
  index.resize(kept);
  value.resize(kept);
  c.resize(kept);
}

void HistogramAccumulator::Side::DropBelow(double threshold, int32_t schema) {
  std::ptrdiff_t n = 0;
  const auto size = static_cast<std::ptrdiff_t>(index.size());
  while (n < size && BucketBound(index[static_cast<size_t>(n)] - 1, schema,
                                 {}) < threshold) {
    ++n;
  }
  index.erase(index.begin(), index.begin() + n);
  value.erase(value.begin(), value.begin() + n);
  c.erase(c.begin(), c.begin() + n);
}

// Adds the other side's buckets from `first` on.
void HistogramAccumulator::Side::Merge(const Side& other, size_t first) {
  const auto add = [&](size_t i, size_t j) {
    Increase(other.value[j], value[i], c[i]);
    if (other.c[j] != 0) Increase(other.c[j], value[i], c[i]);
  };
  // Mostly all of them are there.
  size_t i = 0, j = first;
  while (j < other.index.size()) {
    while (i < index.size() && index[i] < other.index[j]) ++i;
    if (i == index.size() || index[i] != other.index[j]) break;
    add(i, j++);
  }
  if (j == other.index.size()) return;
  Side all;
  all.index.reserve(index.size() + other.index.size() - j);
  i = 0;
  const auto take = [&all](const Side& side, size_t k) {
    all.index.push_back(side.index[k]);
    all.value.push_back(side.value[k]);
    all.c.push_back(side.c[k]);
  };
  while (i < index.size() || j < other.index.size()) {
    if (j == other.index.size() ||
        (i < index.size() && index[i] < other.index[j])) {
      take(*this, i++);
    } else if (i == index.size() || other.index[j] < index[i]) {
      take(other, j++);
    } else {
      add(i, j++);
      take(*this, i++);
    }
  }
  *this = std::move(all);
}

// Adds the buckets up on bounds of which all are among the side's own.
void HistogramAccumulator::Side::OntoBounds(const std::vector<double>& own,
                                            const std::vector<double>& bounds,
                                            Side& sums) const {
  for (size_t i = 0; i < index.size(); ++i) {
    const auto at = static_cast<size_t>(index[i]);
    const size_t target =
        at < own.size()
            ? static_cast<size_t>(
                  std::lower_bound(bounds.begin(), bounds.end(), own[at]) -
                  bounds.begin())
            : bounds.size();
    Increase(value[i], sums.value[target], sums.c[target]);
    Increase(c[i], sums.value[target], sums.c[target]);
  }
}

// --- The sum.

void HistogramAccumulator::Clear() {
  layout_ = nullptr;
  n_ = magnitude_ = 0;
  incremental_ = false;
}

void HistogramAccumulator::Start(const HistogramView& h) {
  alone_ = true;
  layout_ = *h.shared;
  hint_ = h.hint;
  count_ = {h.count, 0};
  zero_ = {h.zero_count, 0};
  sum_ = {h.sum, 0};
  value_.assign(h.buckets, h.buckets + h.size());
  c_.assign(h.size(), 0.0);
}

HistogramAccumulator::Added HistogramAccumulator::Add(const HistogramView& h) {
  if (empty()) {
    Start(h);
    return Added::kFine;
  }
  const bool same = layout_ == *h.shared || SameLayout(*layout_, h.layout());
  if (!same) {
    const bool custom = layout_->schema == kCustomBucketsSchema;
    if (custom != h.uses_custom_buckets()) return Added::kIncompatible;
    if (!std::isfinite(h.layout().zero_threshold) ||
        !std::isfinite(layout_->zero_threshold)) {
      return Added::kIncompatible;
    }
  }
  alone_ = false;
  CombineHints(hint_, h.hint);
  if (same) {
    zero_.Add(h.zero_count);
    AddNumbers(h);
    const size_t n = h.size();
    for (size_t i = 0; i < n; ++i) {
      const double x = h.buckets[i], s = value_[i];
      const double t = s + x;
      const bool larger = std::fabs(s) >= std::fabs(x);
      const double correction =
          c_[i] + (((larger ? s : x) - t) + (larger ? x : s));
      c_[i] = std::isinf(t) ? 0.0 : correction;
      value_[i] = t;
    }
    return Added::kFine;
  }
  return Merge(h) ? Added::kReconciled : Added::kFine;
}

void HistogramAccumulator::AddNumbers(const HistogramView& h) {
  count_.Add(h.count);
  sum_.Add(h.sum);
}

// True: bounds were reconciled.
bool HistogramAccumulator::Merge(const HistogramView& h) {
  const HistogramLayout& other_layout = h.layout();
  Sides own, other;
  own.positive.Fill(layout_->positive_spans, value_.data(), c_.data());
  own.negative.Fill(layout_->negative_spans,
                    value_.data() + layout_->positive_buckets,
                    c_.data() + layout_->positive_buckets);
  other.positive.Fill(other_layout.positive_spans, h.positive().data(),
                      nullptr);
  other.negative.Fill(other_layout.negative_spans, h.negative().data(),
                      nullptr);
  if (h.uses_custom_buckets()) {
    AddNumbers(h);
    if (layout_->custom_values == other_layout.custom_values) {
      own.positive.Merge(other.positive, 0);
      TakeBack(own, kCustomBucketsSchema, 0, nullptr);
      return false;
    }
    std::vector<double> bounds;
    std::set_intersection(
        layout_->custom_values.begin(), layout_->custom_values.end(),
        other_layout.custom_values.begin(), other_layout.custom_values.end(),
        std::back_inserter(bounds));
    Sides sums;
    Side& side = sums.positive;
    side.value.assign(bounds.size() + 1, 0.0);
    side.c.assign(bounds.size() + 1, 0.0);
    own.positive.OntoBounds(layout_->custom_values, bounds, side);
    other.positive.OntoBounds(other_layout.custom_values, bounds, side);
    // What is empty then isn't there.
    size_t kept = 0;
    for (size_t i = 0; i <= bounds.size(); ++i) {
      if (side.value[i] == 0 && side.c[i] == 0) continue;
      side.index.push_back(static_cast<int32_t>(i));
      side.value[kept] = side.value[i];
      side.c[kept++] = side.c[i];
    }
    side.value.resize(kept);
    side.c.resize(kept);
    TakeBack(sums, kCustomBucketsSchema, 0, &bounds);
    return true;
  }

  // A zero bucket that both can have.
  double threshold = layout_->zero_threshold;
  double other_threshold = other_layout.zero_threshold;
  KahanSum other_zero{h.zero_count, 0};
  while (other_threshold != threshold) {
    if (threshold > other_threshold) {
      other_threshold = threshold;
      other_zero = ZeroBelow(other, other_layout.schema,
                             KahanSum{h.zero_count, 0}, other_threshold);
    }
    if (other_threshold > threshold) {
      threshold = other_threshold;
      zero_ = ZeroBelow(own, layout_->schema, zero_, threshold);
      own.positive.DropBelow(threshold, layout_->schema);
      own.negative.DropBelow(threshold, layout_->schema);
    }
  }
  zero_.Add(other_zero.sum);
  zero_.Add(other_zero.c);
  AddNumbers(h);
  const int32_t schema = std::min(layout_->schema, other_layout.schema);
  for (auto [to, from] : {std::pair{&own.positive, &other.positive},
                          std::pair{&own.negative, &other.negative}}) {
    to->Coarsen(layout_->schema, schema);
    from->Coarsen(other_layout.schema, schema);
    // In the zero bucket already.
    size_t first = 0;
    while (first < from->index.size() &&
           BucketBound(from->index[first], schema, {}) <= threshold) {
      ++first;
    }
    to->Merge(*from, first);
  }
  TakeBack(own, schema, threshold, nullptr);
  return false;
}

// The zero count with a threshold of at least `threshold`, which is raised
// until it cuts no full bucket.
KahanSum HistogramAccumulator::ZeroBelow(const Sides& sides, int32_t schema,
                                         KahanSum zero, double& threshold) {
  KahanSum sum = zero;
  // True: a full bucket has moved the threshold.
  const auto swallow = [&](const Side& side) {
    for (size_t i = 0; i < side.index.size(); ++i) {
      if (BucketBound(side.index[i] - 1, schema, {}) >= threshold) break;
      sum.Add(side.value[i]);
      sum.Add(side.c[i]);
      const double upper = BucketBound(side.index[i], schema, {});
      if (upper <= threshold) continue;
      if (side.value[i] == 0) break;
      threshold = upper;
      return true;
    }
    return false;
  };
  for (;;) {
    swallow(sides.positive);
    // What the positive side has counted may be too little now.
    if (!swallow(sides.negative)) return sum;
    sum.sum = zero.sum;
  }
}

void HistogramAccumulator::TakeBack(const Sides& sides, int32_t schema,
                                    double zero_threshold,
                                    const std::vector<double>* custom_values) {
  auto layout = std::make_shared<HistogramLayout>();
  layout->schema = schema;
  layout->zero_threshold = zero_threshold;
  layout->custom_values =
      custom_values != nullptr ? *custom_values : layout_->custom_values;
  ToSpans(sides.positive.index, layout->positive_spans);
  ToSpans(sides.negative.index, layout->negative_spans);
  layout->positive_buckets = static_cast<uint32_t>(sides.positive.index.size());
  layout->negative_buckets = static_cast<uint32_t>(sides.negative.index.size());
  value_ = sides.positive.value;
  value_.insert(value_.end(), sides.negative.value.begin(),
                sides.negative.value.end());
  c_ = sides.positive.c;
  c_.insert(c_.end(), sides.negative.c.begin(), sides.negative.c.end());
  // The one there is serves the next histograms faster: they may have it too.
  if (!SameLayout(*layout_, *layout)) layout_ = std::move(layout);
}

// --- The mean.

HistogramAccumulator::Added HistogramAccumulator::AddToMean(
    const HistogramView& h) {
  n_ += 1;
  if (empty()) {
    magnitude_ = GreatestOf(h);
    Start(h);
    return Added::kFine;
  }
  if (!incremental_) {
    magnitude_ += GreatestOf(h);
    // Far from the end of numbers; buckets may be merged on the way.
    if (magnitude_ < 1e300) return Add(h);
    HistogramAccumulator next = *this;
    const Added added = next.Add(h);
    if (added == Added::kIncompatible) return added;
    if (!next.HasOverflow()) {
      *this = std::move(next);
      return added;
    }
    incremental_ = true;
    DivideBy(n_ - 1);
  }
  Scale((n_ - 1) / n_);
  std::vector<double> buckets(h.buckets, h.buckets + h.size());
  for (double& bucket : buckets) bucket /= n_;
  HistogramView part = h;
  part.buckets = buckets.data();
  part.count /= n_;
  part.zero_count /= n_;
  part.sum /= n_;
  return Add(part);
}

bool HistogramAccumulator::HasOverflow() const {
  return std::isinf(count_.sum) || std::isinf(zero_.sum) ||
         std::isinf(sum_.sum) ||
         std::any_of(value_.begin(), value_.end(),
                     [](double v) { return std::isinf(v); });
}

void HistogramAccumulator::Scale(double factor) {
  for (KahanSum* k : {&count_, &zero_, &sum_}) {
    k->sum *= factor;
    k->c *= factor;
  }
  for (double& v : value_) v *= factor;
  for (double& v : c_) v *= factor;
}

void HistogramAccumulator::DivideBy(double divisor) {
  for (KahanSum* k : {&count_, &zero_, &sum_}) {
    k->sum /= divisor;
    k->c /= divisor;
  }
  for (double& v : value_) v /= divisor;
  for (double& v : c_) v /= divisor;
}

// --- Results.

void HistogramAccumulator::Result(double divisor, FloatHistogram& out) const {
  out.hint = hint_;
  out.schema = layout_->schema;
  out.zero_threshold = layout_->zero_threshold;
  const auto total = [&](const KahanSum& k) {
    return alone_ ? k.sum / divisor : k.sum / divisor + k.c / divisor;
  };
  out.zero_count = total(zero_);
  out.count = total(count_);
  out.sum = total(sum_);
  out.positive_spans = layout_->positive_spans;
  out.negative_spans = layout_->negative_spans;
  out.custom_values = layout_->custom_values;
  const size_t positive = layout_->positive_buckets;
  out.positive_buckets.resize(positive);
  out.negative_buckets.resize(value_.size() - positive);
  for (size_t i = 0; i < value_.size(); ++i) {
    double& bucket = i < positive ? out.positive_buckets[i]
                                  : out.negative_buckets[i - positive];
    bucket = total({value_[i], c_[i]});
  }
}

void HistogramAccumulator::Sum(FloatHistogram& out) const { Result(1, out); }

void HistogramAccumulator::Mean(FloatHistogram& out) const {
  Result(incremental_ ? 1 : n_, out);
}

}  // namespace narthex::promql
