// When a series' open chunk is full, as Prometheus decides it; the head and the
// block builder ask here, so that chunks end where Prometheus's do.
//
// Pure functions.

#pragma once

#include <cmath>
#include <cstdint>

namespace narthex::tsdb {

inline constexpr uint32_t kSamplesPerChunk = 120;
// A chunk longer than this gets no further sample: 1024 bytes less the longest
// sample.
inline constexpr uint32_t kMaxChunkBytesBeforeAppend = 1024 - 19;

// The end of the range of `width` that `t` lies in.  Counts towards zero, as
// Go does: below zero it is one range too high.
constexpr int64_t ChunkRangeEnd(int64_t t, int64_t width) {
  return (t / width) * width + width;
}

// Where a chunk that began at `start` and is full to one part in `ratio` at
// `last` should end, so that the rest of the range until `end` is cut evenly.
inline int64_t PredictChunkEnd(int64_t start, int64_t last, int64_t end,
                               double ratio = 4.0) {
  const double n = static_cast<double>(end - start) /
                   (static_cast<double>(last - start + 1) * ratio);
  if (n <= 1) return end;
  return static_cast<int64_t>(static_cast<double>(start) +
                              static_cast<double>(end - start) / std::floor(n));
}

struct OpenChunkEnds {
  int64_t start = 0;  // time of the first sample
  int64_t last = 0;   // and of the last one
  int64_t next_at = 0;
};

// Must the sample at `t` (> last) begin a new chunk?  Asked before each sample
// but a chunk's first; moves next_at when the chunk has a quarter of its
// samples.  A new chunk's next_at is ChunkRangeEnd(t, range).
inline bool CutsFloatChunk(OpenChunkEnds& ends, uint32_t samples,
                           uint32_t bytes, int64_t t) {
  if (bytes > kMaxChunkBytesBeforeAppend) return true;
  if (samples == kSamplesPerChunk / 4) {
    ends.next_at = PredictChunkEnd(ends.start, ends.last, ends.next_at);
  }
  return t >= ends.next_at || samples >= 2 * kSamplesPerChunk;
}

// Histograms differ in size, so their chunks are measured in bytes.
inline constexpr uint32_t kHistogramChunkBytes = 1024;
inline constexpr uint32_t kMinHistogramsPerChunk = 10;

struct OpenHistogramChunkEnds {
  OpenChunkEnds at;
  // next_at is a prediction.  Cleared when a chunk is cut for its size or the
  // time; stays when one ends because the next sample can't follow.
  bool predicted = false;
};

// As above, for native histograms; `bytes` is the chunk's length so far.
inline bool CutsHistogramChunk(OpenHistogramChunkEnds& ends, uint32_t samples,
                               uint32_t bytes, int64_t t, int64_t range) {
  OpenChunkEnds& at = ends.at;
  // However big the samples, a chunk has a few of them, or its range ends.
  const int64_t range_end =
      ends.predicted ? ChunkRangeEnd(at.start, range) : at.next_at;
  if (!ends.predicted && bytes >= kHistogramChunkBytes / 4) {
    at.next_at = PredictChunkEnd(at.start, at.last, at.next_at,
                                 double{kHistogramChunkBytes} / double(bytes));
    ends.predicted = true;
  }
  return (t >= at.next_at || bytes >= 2 * kHistogramChunkBytes) &&
         (samples >= kMinHistogramsPerChunk || t >= range_end);
}

}  // namespace narthex::tsdb
