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

// A sample takes at most this many bytes: 5 + 64 bits of time, 3 + 11 + 64 of
// value, 8 + 64 of start; of the first one each may take 10 bytes.
inline constexpr size_t kXor2MaxSampleSize = 30;

// What the encoder remembers of the samples so far, for who holds the bytes of
// the chunk himself.
struct Xor2State {
  uint32_t samples = 0;
  int64_t t = 0;         // of the last sample
  uint64_t t_delta = 0;  // between the last two
  int64_t start = 0;     // of the last sample
  uint64_t v = 0;        // of the last sample that is no stale marker
  uint8_t lead = kXorNoWindow;
  uint8_t trail = 0;
  uint8_t header = 0;  // the byte behind the count
};

class Xor2Appender {
 public:
  Xor2Appender() { Clear(); }

  // As if it had appended what led to `state`.  Of the bytes it only knows the
  // last one, of which `bits` (0..7) are in use: it stands behind the header,
  // and what is appended follows there.
  void Resume(const Xor2State& state, uint8_t last_byte, uint32_t bits);
  Xor2State state() const;

  // Later than the last one; at most kMaxSamplesPerChunk of them.  No start: 0.
  void Append(Timestamp t, double v, Timestamp start = 0);
  uint32_t samples() const { return samples_; }
  // The chunk so far; valid until the next call.
  std::string_view bytes() const { return out_.bytes(); }
  void Clear();  // keeps the memory
  // Of bytes(), where it does not end with a whole one.
  uint32_t bits() const { return out_.bits(); }
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
  int64_t start_ = 0;
  uint64_t v_ = 0;  // of the last sample that is no stale marker
  uint8_t lead_ = kXorNoWindow;
  uint8_t trail_ = 0;
};

// As DecodeChunk.
absl::Status DecodeXor2(std::string_view bytes, TimeRange range,
                        SampleColumns& out);

}  // namespace narthex::tsdb
