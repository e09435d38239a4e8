// Start timestamps beside the samples of a chunk, as XOR2 and the ST variants
// of the histogram chunks keep them: nothing while there are none, one for all
// while they don't change, one per sample from the first change on.
//
// Values; one thread.  Drawn in docs/format/chunks.md.

#pragma once

#include <cstdint>

#include "libtsdb/chunk/bit_stream.h"

namespace narthex::tsdb {

// The header's low seven bits say at which sample the first change comes; so
// the last sample that can be named counts as a change, whether it is or not.
inline constexpr uint32_t kLastStartChange = 127;
inline constexpr uint8_t kFirstStartKnown = 0x80;

class StartTimeEncoder {
 public:
  StartTimeEncoder() = default;
  // Goes on behind a sample with this start, the one before which was at
  // `previous_t`; `header` as Put has left it.
  StartTimeEncoder(uint8_t header, int64_t previous_t, int64_t start)
      : start_(start),
        diff_(Minus(previous_t, start)),
        changed_((header & kLastStartChange) != 0) {}

  // Writes what sample number `index` needs behind it; changes `header` where
  // it must.  `t` is the sample's time, `previous_t` that of the one before.
  void Put(BitWriter &out, char &header, uint32_t index, int64_t t,
           int64_t previous_t, int64_t start) {
    if (index == 0) {
      *this = StartTimeEncoder{};
      if (start != 0) {
        out.Varint(Minus(t, start));
        header = static_cast<char>(kFirstStartKnown);
      }
    } else if (changed_) {
      const int64_t diff = Minus(previous_t, start);
      out.Varbit(Minus(diff, diff_));
      diff_ = diff;
    } else if (start != start_ || index == kLastStartChange) {
      changed_ = true;
      header = static_cast<char>(static_cast<uint8_t>(header) | index);
      diff_ = Minus(previous_t, start);
      out.Varbit(diff_);
    }
    start_ = start;
  }

 private:
  static int64_t Minus(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) -
                                static_cast<uint64_t>(b));
  }

  int64_t start_ = 0;
  int64_t diff_ = 0;  // previous sample's time less the start
  bool changed_ = false;
};

class StartTimeDecoder {
 public:
  StartTimeDecoder() = default;
  explicit StartTimeDecoder(uint8_t header)
      : first_known_((header & kFirstStartKnown) != 0),
        change_(header & kLastStartChange) {}

  // The start of sample number `index`, whose other bits have been read.
  int64_t Take(BitReader &in, uint32_t index, int64_t t, int64_t previous_t) {
    if (index == 0) {
      if (first_known_) start_ = Minus(t, in.Varint());
    } else if (change_ != 0 && index >= change_) {
      const int64_t x = in.Varbit();
      diff_ = index == change_ ? x : Minus(diff_, Minus(0, x));
      start_ = Minus(previous_t, diff_);
    }
    return start_;
  }

 private:
  static int64_t Minus(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) -
                                static_cast<uint64_t>(b));
  }

  bool first_known_ = false;
  uint32_t change_ = 0;  // 0: never
  int64_t start_ = 0;
  int64_t diff_ = 0;
};

}  // namespace narthex::tsdb
