// BitWindow: where the next bit of a chunk is, for decoders that take samples
// by the million.  In the middle of the bytes words are loaded straight from
// them; close to the end from a copy with zeros behind, so that nothing past
// the end is ever touched.
//
// One thread.  Whoever reads asks Ready() before each sample.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "narthex/base/coding.h"

namespace narthex::tsdb {

class BitWindow {
 public:
  BitWindow(std::string_view bytes, size_t pos)
      : data_(bytes.data()), end_(bytes.size() * 8), pos_(pos) {
    if (bytes.size() > kReach) stop_ = (bytes.size() - kReach) * 8;
  }

  // More was read than there was.
  bool overrun() const { return pos_ > end_; }

  // Before each sample.  false: the samples go on past the end.
  bool Ready() {
    if (pos_ <= stop_) [[likely]]
      return true;
    if (pos_ > end_) return false;
    if (stop_ == end_) return true;
    const size_t from = pos_ / 8;
    std::memcpy(tail_, data_ + from, end_ / 8 - from);
    data_ = tail_;
    pos_ -= from * 8;
    end_ -= from * 8;
    stop_ = end_;
    return true;
  }

  // May a sample be read without asking again?
  bool Far() const { return pos_ <= stop_; }
  // 57 bits at least, at the top; `ahead` bits further on.
  uint64_t Load(size_t ahead = 0) const {
    const size_t pos = pos_ + ahead;
    return LoadBE64(data_ + pos / 8) << (pos % 8);
  }
  void Skip(size_t n) { pos_ += n; }

  // 0 < n <= 64.
  uint64_t Take(uint32_t n) {
    uint64_t w = Load();
    if (n <= 57) [[likely]] {
      pos_ += n;
      return w >> (64 - n);
    }
    const uint32_t low = n - 32;
    pos_ += 32;
    w >>= 32;
    const uint64_t rest = Load() >> (64 - low);
    pos_ += low;
    return w << low | rest;
  }

 private:
  // A sample begins at most this many bytes before the end of what a decoder
  // may load: 19 bytes of it and two loads of eight.
  static constexpr size_t kReach = 32;

  const char* data_;
  size_t end_;
  size_t pos_;
  size_t stop_ = 0;
  char tail_[2 * kReach + 16] = {};
};

}  // namespace narthex::tsdb
