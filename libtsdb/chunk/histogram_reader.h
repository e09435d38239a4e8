// Reads a chunk of native histograms sample by sample: what decoding into
// columns, encoding anew and merging share.
//
// One thread; borrows the bytes.  Never reads past them, whatever they say, and
// holds no more memory than 64 times their length.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "libtsdb/chunk/bit_stream.h"
#include "libtsdb/chunk/histogram_layout.h"
#include "libtsdb/chunk/start_times.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

// The hint that a chunk's header has for it as a whole: kReset if a counter
// reset made it begin.  kUnknown for a chunk of floats.
CounterResetHint ChunkHint(ChunkEncoding encoding, std::string_view bytes);

// `H` is Histogram for integer counts, FloatHistogram for float ones.
template <typename H>
class HistogramReader {
 public:
  HistogramReader(ChunkEncoding encoding, std::string_view bytes);

  // false at the end, and at damage.
  bool Next();
  // What is wrong with the bytes; null as long as nothing is.
  const char* damage() const { return damage_; }

  int64_t t() const { return t_; }
  int64_t start() const { return start_; }  // 0 if there is none
  // A marker has a sum and nothing else: the rest of histogram() is leftovers.
  bool stale() const;
  // The sample, with the hint that its place in the chunk gives it.  The same
  // object each time; its schema may be above kMaxSchema.
  H& histogram() { return h_; }

 private:
  static constexpr bool kFloat = std::is_same_v<H, FloatHistogram>;
  struct Xor {
    uint64_t v = 0;
    uint8_t lead = 0, trail = 0;
  };
  struct Field {
    int64_t v = 0;
    int64_t delta = 0;
  };

  bool Fail(const char* what);
  bool First();
  bool TakeXor(Xor& field);
  void Take(Field& field);

  BitReader in_;
  uint32_t samples_ = 0;
  uint32_t next_ = 0;
  CounterResetHint chunk_hint_ = CounterResetHint::kUnknown;
  bool has_starts_ = false;
  StartTimeDecoder starts_;
  const char* damage_ = nullptr;

  int64_t t_ = 0;
  int64_t t_delta_ = 0;
  int64_t start_ = 0;
  std::conditional_t<kFloat, Xor, Field> count_, zero_count_;
  Xor sum_;
  std::array<std::vector<std::conditional_t<kFloat, Xor, Field>>, 2> buckets_;
  H h_;
};

extern template class HistogramReader<Histogram>;
extern template class HistogramReader<FloatHistogram>;

// As DecodeChunk, for the four encodings of histograms.
absl::Status DecodeHistograms(ChunkEncoding encoding, std::string_view bytes,
                              TimeRange range, SampleColumns& out);

// One sample of a chunk of histograms, for those who encode it anew: exactly
// one of the two is set, and the schema is one that may be written.  A stale
// marker is an empty histogram with that sum.
struct HistogramSample {
  Timestamp t = 0;
  Timestamp start = 0;
  Histogram* integer = nullptr;
  FloatHistogram* floating = nullptr;
};
// kDataLoss as DecodeChunk, or what `visit` returned.
absl::Status VisitHistograms(
    ChunkEncoding encoding, std::string_view bytes, TimeRange range,
    absl::FunctionRef<absl::Status(const HistogramSample&)> visit);

}  // namespace narthex::tsdb
