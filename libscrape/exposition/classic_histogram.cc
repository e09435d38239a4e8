#include "libscrape/exposition/classic_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "libscrape/exposition/native_histogram.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool IsWhole(double v) {
  constexpr double kTooMuch = 9223372036854775808.0;  // 2^63
  return v == std::round(v) && std::fabs(v) < kTooMuch;
}

}  // namespace

void ClassicHistogram::Clear() {
  buckets_.clear();
  count_ = 0;
  sum_ = 0;
  has_count_ = false;
  is_sorted_ = true;
  error_.clear();
}

void ClassicHistogram::Refuse(std::string_view what) {
  if (error_.empty()) error_ = std::string(what);
}

void ClassicHistogram::SetCount(double count) {
  if (count < 0) {
    return Refuse(
        StrCat("count must be non-negative: count=", FormatFloat(count)));
  }
  count_ = count;
  has_count_ = true;
}

void ClassicHistogram::SetBucket(double bound, double count) {
  if (!error_.empty()) return;
  if (std::isnan(bound)) return Refuse("bucket boundary must not be NaN");
  if (count < 0) {
    return Refuse(StrCat("bucket count must be non-negative: le=",
                         FormatFloat(bound), ", count=", FormatFloat(count)));
  }
  if (!buckets_.empty() && buckets_.back().bound >= bound) {
    if (buckets_.back().bound == bound) return;
    is_sorted_ = false;
  }
  buckets_.push_back({bound, count});
}

// Sorted only once: pages may have ever so many buckets in any order.
absl::Status ClassicHistogram::SortBuckets() {
  if (!is_sorted_) {
    std::stable_sort(
        buckets_.begin(), buckets_.end(),
        [](const Bucket& a, const Bucket& b) { return a.bound < b.bound; });
    const auto last = std::unique(
        buckets_.begin(), buckets_.end(),
        [](const Bucket& a, const Bucket& b) { return a.bound == b.bound; });
    buckets_.erase(last, buckets_.end());
    is_sorted_ = true;
  }
  for (size_t i = 1; i < buckets_.size(); ++i) {
    if (buckets_[i].count < buckets_[i - 1].count) {
      return InvalidArgument(
          StrCat("count is not cumulative: ", FormatFloat(buckets_[i].count),
                 " < ", FormatFloat(buckets_[i - 1].count)));
    }
  }
  return absl::OkStatus();
}

absl::Status ClassicHistogram::Convert(Histogram& h, FloatHistogram& fh,
                                       bool& is_float) {
  if (!error_.empty()) return InvalidArgument(error_);
  NARTHEX_RETURN_IF_ERROR(SortBuckets());
  // Without a count, that of the highest bucket is meant.
  if (!has_count_ && !buckets_.empty()) count_ = buckets_.back().count;
  if (buckets_.empty() || buckets_.back().bound != kInfinity) {
    buckets_.push_back({kInfinity, count_});
  }
  is_float = !IsWhole(count_) || !std::all_of(buckets_.begin(), buckets_.end(),
                                              [](const Bucket& bucket) {
                                                return IsWhole(bucket.count);
                                              });
  return is_float ? ToFloats(fh) : ToIntegers(h);
}

absl::Status ClassicHistogram::ToIntegers(Histogram& h) const {
  const auto count = static_cast<uint64_t>(count_);
  if (count != static_cast<uint64_t>(buckets_.back().count)) {
    return InvalidArgument(
        StrCat("count mismatch: count=", count,
               " != le=", FormatFloat(buckets_.back().bound),
               " count=", FormatFloat(buckets_.back().count)));
  }
  h = Histogram();
  h.schema = kCustomBucketsSchema;
  h.count = count;
  h.sum = sum_;
  h.positive_spans = {{0, static_cast<uint32_t>(buckets_.size())}};
  int64_t below = 0;
  int64_t before = 0;
  for (const Bucket& bucket : buckets_) {
    const auto cumulative = static_cast<int64_t>(bucket.count);
    const int64_t own = cumulative - below;
    h.positive_deltas.push_back(own - before);
    below = cumulative;
    before = own;
    if (bucket.bound != kInfinity) h.custom_values.push_back(bucket.bound);
  }
  CompactHistogram(h, 2);
  return absl::OkStatus();
}

absl::Status ClassicHistogram::ToFloats(FloatHistogram& fh) const {
  if (count_ != buckets_.back().count) {
    return InvalidArgument(
        StrCat("count mismatch: count=", FormatFloat(count_),
               " != le=", FormatFloat(buckets_.back().bound),
               " count=", FormatFloat(buckets_.back().count)));
  }
  fh = FloatHistogram();
  fh.schema = kCustomBucketsSchema;
  fh.count = count_;
  fh.sum = sum_;
  fh.positive_spans = {{0, static_cast<uint32_t>(buckets_.size())}};
  double below = 0;
  for (const Bucket& bucket : buckets_) {
    fh.positive_buckets.push_back(bucket.count - below);
    below = bucket.count;
    if (bucket.bound != kInfinity) fh.custom_values.push_back(bucket.bound);
  }
  CompactHistogram(fh, 0);
  return absl::OkStatus();
}

}  // namespace narthex::scrape
