// Native histograms to bits: chunks of histograms with integer counts and with
// float counts, with or without start timestamps, byte for byte those of
// Prometheus; drawn in docs/format/chunks.md.
//
// One thread per appender.  Invariant: all samples of a chunk have its layout
// (schema, zero threshold, buckets); one with further buckets makes the chunk
// be encoded anew, one that can't follow begins the next chunk.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "libtsdb/chunk/bit_stream.h"
#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/histogram_layout.h"
#include "libtsdb/chunk/start_times.h"
#include "narthex/base/time.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

// A number as the XOR code sees it.
struct XorField {
  uint64_t v = 0;
  uint8_t lead = kXorNoWindow;
  uint8_t trail = 0;
};

enum class HistogramStep : uint8_t {
  kContinued,  // the sample is in the open chunk
  kRecoded,    // so it is, and all bytes before it changed
  kBegun       // the sample is the first of a new chunk
};

// `H` is Histogram or FloatHistogram.
template <typename H>
class HistogramAppender {
 public:
  explicit HistogramAppender(bool start_times = false)
      : start_times_(start_times) {}

  // Adds a sample later than the last one; its buckets are as many as its spans
  // say (H::Validate).  On kBegun `full` gets the chunk that ends here, empty
  // if there was none; otherwise it is left alone.
  HistogramStep Append(Timestamp t, const H &h, std::string &full,
                       Timestamp start = 0);
  // Ends the chunk for another reason (its size, the time); the next one is
  // marked as one that follows it.  `full` gets the chunk.
  void Cut(std::string &full);
  // Forgets chunk and history.
  void Clear();

  uint32_t samples() const { return samples_; }
  // The chunk so far; valid until the next call.
  std::string_view bytes() const {
    return samples_ == 0 ? std::string_view() : out_.bytes();
  }
  ChunkEncoding encoding() const;
  // Of memory held, beside the object itself.
  size_t memory_bytes() const;

 private:
  static constexpr bool kFloat = std::is_same_v<H, FloatHistogram>;
  using Count = std::conditional_t<kFloat, double, int64_t>;
  // Integers: the delta to the bucket before, and how that changed last.
  struct IntField {
    int64_t v = 0;
    int64_t delta = 0;
  };
  using Field = std::conditional_t<kFloat, XorField, IntField>;
  using Counts = std::vector<Count>;

  // How a sample goes with the open chunk.
  struct Fit {
    bool continues = false;
    // Of the chunk that begins with the sample if it does not.
    CounterResetHint header = CounterResetHint::kUnknown;
    bool same = false;  // layouts are equal, nothing below is filled
    std::array<BucketUnion, 2> sides = {};  // positive, negative
  };

  Fit Check(const H &h) const;
  void CheckCounter(const H &h, Fit &fit) const;
  CounterResetHint HeaderAfterCut(const H &h) const;
  void Begin(Timestamp t, const H &h, CounterResetHint header, int64_t start);
  void SetHeader(CounterResetHint header);
  void Recode(const Fit &fit, const std::array<std::vector<Span>, 2> &spans);
  void Put(int64_t t, const H &h, const Counts &positive,
           const Counts &negative, int64_t start);
  void PutFirst(int64_t t, const H &h, const Counts &positive,
                const Counts &negative);
  void PutNext(int64_t t, const H &h, const Counts &positive,
               const Counts &negative);
  void PutXor(XorField &field, double v);
  bool LastIsStale() const;

  const bool start_times_;
  bool follows_ = false;  // the state below is that of a chunk that was cut
  CounterResetHint header_ = CounterResetHint::kUnknown;
  uint32_t samples_ = 0;
  BitWriter out_;
  StartTimeEncoder starts_;

  ChunkLayout layout_;
  int64_t t_ = 0;
  int64_t t_delta_ = 0;
  Field count_;
  Field zero_count_;
  XorField sum_;
  std::array<std::vector<Field>, 2> buckets_;
};

extern template class HistogramAppender<Histogram>;
extern template class HistogramAppender<FloatHistogram>;

}  // namespace narthex::tsdb
