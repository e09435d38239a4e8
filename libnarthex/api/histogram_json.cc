#include "libnarthex/api/histogram_json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "narthex/model/labels.h"

namespace narthex::api {
namespace {

using Json = nlohmann::json;

constexpr int kBothInclusive = 3;  // a zero bucket, or the first custom one

struct Bucket {
  int rule = 0;
  double lower = 0, upper = 0, count = 0;
};

bool ReadNumber(const Json& json, double& out) {
  const auto* text = json.get_ptr<const std::string*>();
  return text != nullptr && ParseGoFloat(*text, out);
}

bool ReadNumber(const Json& object, const char* key, double& out) {
  const auto it = object.find(key);
  return it != object.end() && ReadNumber(*it, out);
}

// Ascending, and no two of them overlap.
bool ReadBuckets(const Json& json, std::vector<Bucket>& out) {
  if (!json.is_array()) return false;
  for (const Json& item : json) {
    if (!item.is_array() || item.size() != 4 || !item[0].is_number_integer()) {
      return false;
    }
    Bucket& b = out.emplace_back();
    b.rule = item[0].get<int>();
    if (!ReadNumber(item[1], b.lower) || !ReadNumber(item[2], b.upper) ||
        !ReadNumber(item[3], b.count)) {
      return false;
    }
    if (!(b.lower <= b.upper)) return false;
    if (out.size() > 1 && out[out.size() - 2].upper > b.lower) return false;
  }
  return true;
}

bool IsZeroBucket(const Bucket& b) {
  return b.rule == kBothInclusive && b.lower == -b.upper &&
         std::isfinite(b.upper);
}

// The bucket of `schema` with these bounds, both of one sign; the one towards
// zero may be the zero bucket's instead.
std::optional<int32_t> IndexOf(double inner, double outer, int32_t schema,
                               double zero_threshold) {
  if (!(inner >= 0 && outer > 0)) return std::nullopt;
  // Logarithms come near, neighbours are looked at.
  const double guess = std::isinf(outer)
                           ? std::ldexp(1024, schema)
                           : std::ceil(std::ldexp(std::log2(outer), schema));
  for (int step = -1; step <= 1; ++step) {
    const auto index = static_cast<int32_t>(guess) + step;
    if (BucketBound(index, schema, {}) != outer) continue;
    const double own = BucketBound(index - 1, schema, {});
    const bool cut = inner == zero_threshold && own < inner;
    if (own == inner || cut) return index;
  }
  return std::nullopt;
}

void Append(int32_t index, double count, int64_t& next,
            std::vector<Span>& spans, std::vector<double>& counts) {
  if (spans.empty() || index != next) {
    const int64_t from = spans.empty() ? 0 : next;
    spans.push_back({static_cast<int32_t>(index - from), 0});
  }
  ++spans.back().length;
  next = int64_t{index} + 1;
  counts.push_back(count);
}

bool FillExponential(const std::vector<Bucket>& buckets, int32_t schema,
                     FloatHistogram& out) {
  std::vector<std::pair<int32_t, double>> negative, positive;
  for (const Bucket& b : buckets) {
    if (IsZeroBucket(b)) continue;
    const bool below = b.upper <= 0;
    const auto index =
        below ? IndexOf(-b.upper, -b.lower, schema, out.zero_threshold)
              : IndexOf(b.lower, b.upper, schema, out.zero_threshold);
    if (!index.has_value()) return false;
    (below ? negative : positive).emplace_back(*index, b.count);
  }
  std::reverse(negative.begin(), negative.end());
  out.schema = schema;
  int64_t next = 0;
  for (const auto& [index, count] : positive) {
    Append(index, count, next, out.positive_spans, out.positive_buckets);
  }
  next = 0;
  for (const auto& [index, count] : negative) {
    Append(index, count, next, out.negative_spans, out.negative_buckets);
  }
  return true;
}

// Each bucket's bounds, and an empty bucket where there is a gap.
void FillCustom(const std::vector<Bucket>& buckets, FloatHistogram& out) {
  out.schema = kCustomBucketsSchema;
  int64_t next = 0;
  std::vector<double>& bounds = out.custom_values;
  for (const Bucket& b : buckets) {
    if (std::isfinite(b.lower) && (bounds.empty() || bounds.back() < b.lower)) {
      bounds.push_back(b.lower);
    }
    Append(static_cast<int32_t>(bounds.size()), b.count, next,
           out.positive_spans, out.positive_buckets);
    if (std::isfinite(b.upper)) bounds.push_back(b.upper);
  }
}

}  // namespace

bool ReadHistogram(const Json& json, FloatHistogram& out) {
  out = FloatHistogram();
  if (!json.is_object() || !ReadNumber(json, "count", out.count) ||
      !ReadNumber(json, "sum", out.sum)) {
    return false;
  }
  std::vector<Bucket> buckets;
  const auto listed = json.find("buckets");
  if (listed != json.end() && !ReadBuckets(*listed, buckets)) return false;
  for (const Bucket& b : buckets) {
    if (!IsZeroBucket(b)) continue;
    out.zero_threshold = b.upper;
    out.zero_count = b.count;
  }
  // Without a bucket that tells, it is 0.
  if (FillExponential(buckets, 0, out)) return true;
  for (int32_t schema = kMinSchema; schema <= kMaxSchema; ++schema) {
    if (FillExponential(buckets, schema, out)) return true;
  }
  if (out.zero_count != 0) return false;
  FillCustom(buckets, out);
  return true;
}

}  // namespace narthex::api
