// Spans and buckets, for both kinds of histogram: where a bucket lies, what it
// is bounded by, what may be left out.
//
// Functions; any thread.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "narthex/base/status.h"
#include "narthex/model/histogram.h"

namespace narthex {

// Calls visit(index, i) for the i-th bucket of the spans, in order.  Stops
// after `buckets` of them, whatever the spans claim.
template <typename Visit>
void VisitBuckets(std::span<const Span> spans, size_t buckets, Visit visit) {
  int64_t index = 0;
  size_t i = 0;
  for (const Span& span : spans) {
    index += span.offset;
    for (uint32_t k = 0; k < span.length && i < buckets; ++k) {
      visit(index++, i++);
    }
  }
}

// Equal but for spans of length 0.
bool SameSpans(std::span<const Span> a, std::span<const Span> b);

// Removes empty buckets; of a run of up to `max_empty` between full ones the
// buckets stay, or come into being.
void CompactBuckets(int max_empty, std::vector<Span>& spans,
                    std::vector<double>& buckets);

bool IsExponentialSchema(int32_t schema);

// Prometheus's checks and texts.
absl::Status CheckSpans(std::span<const Span> spans, size_t buckets);
absl::Status CheckCustomBounds(std::span<const double> bounds,
                               std::span<const Span> spans, size_t buckets);
// What a histogram of custom buckets, of either type, must not have.
template <typename H, typename Bucket>
absl::Status CheckCustomBuckets(const H& h, std::span<const Bucket> positive,
                                std::span<const Bucket> negative) {
  if (absl::Status status =
          CheckCustomBounds(h.custom_values, h.positive_spans, positive.size());
      !status.ok()) {
    return Annotate(status, "custom buckets");
  }
  const auto must = [](std::string_view what) {
    return InvalidArgument(StrCat("custom buckets: must ", what));
  };
  if (h.zero_count != 0) return must("have zero count of 0");
  if (h.zero_threshold != 0) return must("have zero threshold of 0");
  if (!h.negative_spans.empty()) return must("not have negative spans");
  if (!negative.empty()) return must("not have negative buckets");
  return absl::OkStatus();
}
absl::Status InvalidSchema(int32_t schema);
absl::Status NegativeBucket(size_t i, std::string_view count);

}  // namespace narthex
