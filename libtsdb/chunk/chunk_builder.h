// One series' samples, of any type and in the order of time, to chunks that
// end where Prometheus's would: those of a compaction that has to encode anew,
// or those of a head.
//
// One thread; reused from series to series.

#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/cut_rule.h"
#include "narthex/base/time.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

// Chunks whose bytes are kept beside them.
struct BuiltChunks {
  std::vector<EncodedChunk> chunks = {};  // `bytes` in made
  std::deque<std::string> made = {};
};

class ChunkBuilder {
 public:
  // Every chunk ends after so many samples.
  static ChunkBuilder CutAfter(uint32_t samples) {
    return ChunkBuilder(samples, 0);
  }
  // Chunks are cut as in a head whose chunks end with ranges of `range` ms.
  static ChunkBuilder LikeHead(int64_t range) { return ChunkBuilder(0, range); }
  ~ChunkBuilder();
  ChunkBuilder(ChunkBuilder&&) noexcept;

  // Each later than the one before.  No start: 0.
  void Add(Timestamp t, double v, Timestamp start, BuiltChunks& out);
  void Add(Timestamp t, const Histogram& h, Timestamp start, BuiltChunks& out);
  void Add(Timestamp t, const FloatHistogram& h, Timestamp start,
           BuiltChunks& out);
  // Floats without a start get an XOR2 chunk too, from the next chunk on.
  void PreferXor2(bool prefer) { prefer_xor2_ = prefer; }
  // Ends the open chunk and forgets it.
  void Finish(BuiltChunks& out);

  // Of the open chunk.
  uint32_t samples() const { return samples_; }
  Timestamp last() const { return ends_.at.last; }

 private:
  struct Rare;  // what only some series need

  ChunkBuilder(uint32_t limit, int64_t range);
  template <typename H>
  void AddHistogram(Timestamp t, const H& h, Timestamp start, BuiltChunks& out);
  // Makes room for a sample at `t` in a chunk of `encoding`.
  void Prepare(ChunkEncoding encoding, int64_t t, BuiltChunks& out);
  void Seal(BuiltChunks& out);
  void Note(int64_t t);

  uint32_t limit_;  // 0: as a head
  int64_t range_;
  bool prefer_xor2_ = false;
  ChunkEncoding open_ = ChunkEncoding::kNone;
  uint32_t samples_ = 0;
  OpenHistogramChunkEnds ends_;
  XorAppender xor_;
  std::unique_ptr<Rare> rare_;
};

}  // namespace narthex::tsdb
