// What the samples of one histogram chunk have in common, its bits at the front
// of the chunk, and how the buckets of two layouts fit together.
//
// Values and functions; any thread.  Drawn in docs/format/chunks.md.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libtsdb/chunk/bit_stream.h"
#include "narthex/model/histogram.h"

namespace narthex::tsdb {

// Two bytes of count and one of flags stand before it.
inline constexpr size_t kHistogramHeaderSize = 3;

struct ChunkLayout {
  int32_t schema = 0;
  double zero_threshold = 0;
  std::vector<Span> positive_spans = {};
  std::vector<Span> negative_spans = {};
  std::vector<double> custom_values = {};
};

void PutLayout(const ChunkLayout& layout, BitWriter& out);
// null, or what is wrong.  A span's length may be anything that buckets of a
// bit each could still follow.
const char* TakeLayout(BitReader& in, ChunkLayout& layout);

// Sum of the lengths.
size_t CountBuckets(std::span<const Span> spans);

// Schemas that a chunk may have; those above kMaxSchema are for the future, and
// are reduced to kMaxSchema when read.
bool IsKnownSchema(int32_t schema);

// Visits the index of each bucket in order; jumps over spans without length.
class BucketCursor {
 public:
  explicit BucketCursor(std::span<const Span> spans) : spans_(spans) {
    Settle();
  }
  bool done() const { return span_ == spans_.size(); }
  int64_t index() const { return index_; }
  void Next() {
    ++index_;
    ++within_;
    if (within_ == spans_[span_].length) {
      ++span_;
      Settle();
    }
  }

 private:
  void Settle() {
    within_ = 0;
    for (; span_ != spans_.size(); ++span_) {
      index_ += spans_[span_].offset;
      if (spans_[span_].length != 0) return;
    }
  }

  std::span<const Span> spans_;
  size_t span_ = 0;
  uint32_t within_ = 0;
  int64_t index_ = 0;
};

// Adds buckets in ascending order to spans as short as can be.
class SpanBuilder {
 public:
  explicit SpanBuilder(std::vector<Span>& spans) : spans_(spans) {}
  void Add(int64_t index) {
    if (!spans_.empty() && index == next_) {
      ++spans_.back().length;
    } else {
      spans_.push_back({static_cast<int32_t>(index - next_), 1});
    }
    next_ = index + 1;
  }

 private:
  std::vector<Span>& spans_;
  int64_t next_ = 0;
};

// The buckets of a chunk and of a sample together.
struct BucketUnion {
  bool sample_has_more = false;
  bool chunk_has_more = false;
  std::vector<Span> spans = {};
  // Where each bucket went.
  std::vector<uint32_t> of_chunk = {};
  std::vector<uint32_t> of_sample = {};
};

}  // namespace narthex::tsdb
