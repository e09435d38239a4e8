#include "libscrape/exposition/native_histogram.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

// Deltas come from outside: they may wrap.
int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) +
                              static_cast<uint64_t>(b));
}
int64_t WrappingSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) -
                              static_cast<uint64_t>(b));
}

bool Fits(const std::vector<Span>& spans, size_t buckets) {
  uint64_t length = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) return false;
    length += spans[i].length;
  }
  return length == buckets;
}

// Writes a layout anew, bucket by bucket in ascending order.
template <typename Count>
class Rebuilder {
 public:
  explicit Rebuilder(size_t room) { counts_.reserve(room); }

  void Add(int64_t index, Count count) {
    if (counts_.empty()) {
      spans_.push_back({static_cast<int32_t>(index), 1});
    } else if (index == last_ + 1) {
      ++spans_.back().length;
    } else {
      spans_.push_back({static_cast<int32_t>(index - last_ - 1), 1});
    }
    counts_.push_back(count);
    last_ = index;
  }
  bool empty() const { return counts_.empty(); }
  int64_t last() const { return last_; }
  Count& last_count() { return counts_.back(); }
  void MoveTo(std::vector<Span>& spans, std::vector<Count>& counts) {
    spans = std::move(spans_);
    counts = std::move(counts_);
  }

 private:
  std::vector<Span> spans_;
  std::vector<Count> counts_;
  int64_t last_ = 0;
};

template <typename Count, typename Visit>
void ForEachBucket(const std::vector<Span>& spans,
                   const std::vector<Count>& counts, Visit visit) {
  int64_t index = 0;
  size_t i = 0;
  for (const Span& span : spans) {
    index += span.offset;
    for (uint32_t k = 0; k < span.length; ++k) visit(index++, counts[i++]);
  }
}

template <typename Count>
bool IsCompact(const std::vector<Span>& spans, const std::vector<Count>& counts,
               uint32_t max_empty) {
  for (const Count count : counts) {
    if (count == 0) return false;
  }
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].length == 0) return false;
    if (i > 0 && static_cast<uint32_t>(spans[i].offset) <= max_empty) {
      return false;
    }
  }
  return true;
}

template <typename Count>
void CompactSide(std::vector<Span>& spans, std::vector<Count>& counts,
                 uint32_t max_empty) {
  if (!Fits(spans, counts.size()) || IsCompact(spans, counts, max_empty)) {
    return;
  }
  Rebuilder<Count> out(counts.size());
  ForEachBucket(spans, counts, [&](int64_t index, Count count) {
    if (count == 0) return;
    if (!out.empty() && index - out.last() - 1 <= max_empty) {
      while (out.last() + 1 < index) out.Add(out.last() + 1, Count{0});
    }
    out.Add(index, count);
  });
  out.MoveTo(spans, counts);
}

template <typename Count>
void ReduceSide(std::vector<Span>& spans, std::vector<Count>& counts,
                int32_t levels) {
  if (!Fits(spans, counts.size())) return;
  Rebuilder<Count> out(counts.size());
  ForEachBucket(spans, counts, [&](int64_t index, Count count) {
    // Upper bounds are inclusive, so bucket 1 is the first of its group.
    const int64_t merged = ((index - 1) >> levels) + 1;
    if (!out.empty() && merged == out.last()) {
      if constexpr (std::is_integral_v<Count>) {
        out.last_count() = WrappingAdd(out.last_count(), count);
      } else {
        out.last_count() += count;
      }
    } else {
      out.Add(merged, count);
    }
  });
  out.MoveTo(spans, counts);
}

// Runs `change` on both sides with absolute counts.
template <typename Change>
void OnSides(Histogram& h, Change change) {
  const auto side = [&](std::vector<Span>& spans,
                        std::vector<int64_t>& deltas) {
    int64_t count = 0;
    for (int64_t& delta : deltas) {
      count = WrappingAdd(count, delta);
      delta = count;
    }
    change(spans, deltas);
    int64_t before = 0;
    for (int64_t& delta : deltas) {
      const int64_t absolute = delta;
      delta = WrappingSub(absolute, std::exchange(before, absolute));
    }
  };
  side(h.positive_spans, h.positive_deltas);
  side(h.negative_spans, h.negative_deltas);
}

template <typename Change>
void OnSides(FloatHistogram& h, Change change) {
  change(h.positive_spans, h.positive_buckets);
  change(h.negative_spans, h.negative_buckets);
}

template <typename H>
void Compact(H& h, uint32_t max_empty) {
  OnSides(h, [&](auto& spans, auto& counts) {
    CompactSide(spans, counts, max_empty);
  });
}

template <typename H>
absl::Status Reduce(H& h, int32_t schema) {
  if (h.schema == kCustomBucketsSchema) {
    return InvalidArgument(
        "cannot reduce resolution to exponential schema when "
        "there are custom buckets");
  }
  if (schema > h.schema) {
    return InvalidArgument(StrCat("cannot reduce resolution from schema ",
                                  h.schema, " to ", schema));
  }
  // Further than 32 halvings everything is in one bucket.
  const int32_t levels =
      static_cast<int32_t>(std::min<int64_t>(int64_t{h.schema} - schema, 40));
  OnSides(
      h, [&](auto& spans, auto& counts) { ReduceSide(spans, counts, levels); });
  h.schema = schema;
  return absl::OkStatus();
}

template <typename H>
absl::Status Limit(H& h, size_t limit) {
  while (CountBuckets(h) > limit) {
    if (h.schema <= kMinSchema || h.schema > kMaxSchema) {
      return ResourceExhausted("histogram bucket limit exceeded");
    }
    NARTHEX_RETURN_IF_ERROR(Reduce(h, h.schema - 1));
  }
  return absl::OkStatus();
}

}  // namespace

void CompactHistogram(Histogram& h, uint32_t max_empty) {
  Compact(h, max_empty);
}
void CompactHistogram(FloatHistogram& h, uint32_t max_empty) {
  Compact(h, max_empty);
}

absl::Status ReduceResolution(Histogram& h, int32_t schema) {
  return Reduce(h, schema);
}
absl::Status ReduceResolution(FloatHistogram& h, int32_t schema) {
  return Reduce(h, schema);
}

absl::Status LimitBuckets(Histogram& h, size_t limit) {
  return Limit(h, limit);
}
absl::Status LimitBuckets(FloatHistogram& h, size_t limit) {
  return Limit(h, limit);
}

int32_t SchemaForFactor(double factor) {
  if (!(factor > 1)) return kMaxSchema;
  const double floor = std::floor(-std::log2(std::log2(factor)));
  return static_cast<int32_t>(std::clamp(floor, static_cast<double>(kMinSchema),
                                         static_cast<double>(kMaxSchema)));
}

}  // namespace narthex::scrape
