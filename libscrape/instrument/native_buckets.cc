#include "libscrape/instrument/native_buckets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace narthex::instrument {
namespace {

// Gaps of so many empty buckets are cheaper as zeros than as a span.
constexpr int kMaxGap = 2;

// Of a schema above 0: the lower bounds of the buckets between 1/2 and 1.
const std::vector<double>& Fractions(int schema) {
  static const auto* const tables = [] {
    auto* made = new std::array<std::vector<double>, kMaxSchema + 1>;
    for (int s = 1; s <= kMaxSchema; ++s) {
      const int n = 1 << s;
      for (int i = 0; i < n; ++i) {
        (*made)[static_cast<size_t>(s)].push_back(
            std::exp2(static_cast<double>(i) / n) / 2);
      }
    }
    return made;
  }();
  return (*tables)[static_cast<size_t>(schema)];
}

// The index of the bucket of half the resolution.
int Halve(int index) { return (index + 1) >> 1; }

template <typename Side>
Side Halved(const Side& side) {
  Side out;
  for (const auto& [index, count] : side) out[Halve(index)] += count;
  return out;
}

template <typename Side>
void FillSide(const Side& side, std::vector<Span>& spans,
              std::vector<int64_t>& deltas) {
  int64_t before = 0;
  int next = 0;  // the index behind the last bucket
  for (const auto& [index, count] : side) {
    const int gap = index - next;
    if (spans.empty() || gap > kMaxGap) {
      spans.push_back({gap, 0});
    } else {
      for (int i = 0; i < gap; ++i) {
        deltas.push_back(-before);
        before = 0;
        ++spans.back().length;
      }
    }
    deltas.push_back(static_cast<int64_t>(count) - before);
    before = static_cast<int64_t>(count);
    ++spans.back().length;
    next = index + 1;
  }
}

}  // namespace

int NativeBuckets::SchemaFor(double factor) {
  const double schema = std::floor(-std::log2(std::log2(factor)));
  // Buckets at most as wide as asked for, so rounded to the finer side.
  const double finer =
      std::exp2(std::exp2(-schema)) <= factor ? schema : schema + 1;
  return static_cast<int>(std::clamp(finer, static_cast<double>(kMinSchema),
                                     static_cast<double>(kMaxSchema)));
}

int NativeBuckets::IndexOf(double v, int schema) {
  v = std::fabs(v);
  const bool infinite = std::isinf(v);
  if (infinite) v = std::numeric_limits<double>::max();
  int exponent = 0;
  const double fraction = std::frexp(v, &exponent);
  int index = 0;
  if (schema > 0) {
    const std::vector<double>& bounds = Fractions(schema);
    const auto found = std::lower_bound(bounds.begin(), bounds.end(), fraction);
    index = static_cast<int>(found - bounds.begin()) +
            (exponent - 1) * static_cast<int>(bounds.size());
  } else {
    // Bounds are powers of two, upper ones belong to their bucket.
    index = fraction == 0.5 ? exponent - 1 : exponent;
    for (int s = schema; s < 0; ++s) index = Halve(index);
  }
  return infinite ? index + 1 : index;
}

void NativeBuckets::Add(double v, size_t max_buckets) {
  ++(v > 0 ? positive_ : negative_)[IndexOf(v, schema_)];
  while (positive_.size() + negative_.size() > max_buckets &&
         schema_ > kMinSchema) {
    Coarsen();
  }
}

void NativeBuckets::Coarsen() {
  positive_ = Halved(positive_);
  negative_ = Halved(negative_);
  --schema_;
}

void NativeBuckets::Merge(const NativeBuckets& other) {
  NativeBuckets copy = other;
  while (copy.schema_ > schema_) copy.Coarsen();
  while (schema_ > copy.schema_) Coarsen();
  for (const auto& [index, count] : copy.positive_) positive_[index] += count;
  for (const auto& [index, count] : copy.negative_) negative_[index] += count;
}

void NativeBuckets::Fill(narthex::Histogram& out) const {
  out.schema = schema_;
  FillSide(positive_, out.positive_spans, out.positive_deltas);
  FillSide(negative_, out.negative_spans, out.negative_deltas);
}

}  // namespace narthex::instrument
