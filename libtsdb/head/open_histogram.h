// The chunk of native histograms that a series is writing, with what the rules
// of acceptance and of cutting ask about its last sample.
//
// Protected by the lock of the shard that owns the series.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "libtsdb/chunk/histogram_chunk.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"

namespace narthex::tsdb {

// Of one of the two kinds, as HotSeries::codec says.
struct OpenHistogram {
  template <typename H>
  struct Of {
    explicit Of(bool start_times) : chunk(start_times) {}
    HistogramAppender<H> chunk;
    H last = {};
  };
  std::unique_ptr<Of<Histogram>> ints = nullptr;
  std::unique_ptr<Of<FloatHistogram>> floats = nullptr;
  // The chunk's end has been planned by its bytes (A5).
  bool planned = false;

  template <typename H>
  std::unique_ptr<Of<H>>& For() {
    if constexpr (std::is_same_v<H, Histogram>) {
      return ints;
    } else {
      return floats;
    }
  }
  std::string_view bytes() const {
    return ints != nullptr ? ints->chunk.bytes() : floats->chunk.bytes();
  }
  ChunkEncoding encoding() const {
    return ints != nullptr ? ints->chunk.encoding() : floats->chunk.encoding();
  }
  size_t memory_bytes() const {
    return sizeof(*this) +
           (ints != nullptr ? sizeof(*ints) + ints->chunk.memory_bytes() : 0) +
           (floats != nullptr ? sizeof(*floats) + floats->chunk.memory_bytes()
                              : 0);
  }
};

}  // namespace narthex::tsdb
