// The XOR2 chunk of float samples: as XOR, with time and value under one code,
// stale markers apart from the values, and start timestamps; byte for byte that
// of Prometheus, drawn in docs/format/chunks.md.
//
// One thread per appender.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libtsdb/chunk/bit_stream.h"
#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/start_times.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"

namespace narthex::tsdb {

// Behind the count stands what StartTimeEncoder says of the start timestamps.
inline constexpr size_t kXor2HeaderSize = kChunkCountSize + 1;

class Xor2Appender {
 public:
  Xor2Appender() { Clear(); }

  // Later than the last one; at most kMaxSamplesPerChunk of them.  No start: 0.
  void Append(Timestamp t, double v, Timestamp start = 0);
  uint32_t samples() const { return samples_; }
  // The chunk so far; valid until the next call.
  std::string_view bytes() const { return out_.bytes(); }
  void Clear();  // keeps the memory
  size_t memory_bytes() const { return out_.memory_bytes(); }

 private:
  void PutTimeAndValue(int64_t dod, uint64_t v);
  void PutValue(uint64_t v);
  void PutChange(uint64_t x, uint32_t new_window, uint32_t n);

  BitWriter out_;
  StartTimeEncoder starts_;
  uint32_t samples_ = 0;
  int64_t t_ = 0;
  uint64_t t_delta_ = 0;
  uint64_t v_ = 0;  // of the last sample that is no stale marker
  uint8_t lead_ = kXorNoWindow;
  uint8_t trail_ = 0;
};

// As DecodeChunk.
absl::Status DecodeXor2(std::string_view bytes, TimeRange range,
                        SampleColumns& out);

}  // namespace narthex::tsdb
