#include <algorithm>
#include <cstdint>
#include <string>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {

void XorAppender::Append(Timestamp t, double v) {
  const size_t need = bits_ / 8 + kXorPutRoom;
  if (buffer_.size() < need) buffer_.resize(std::max(need, buffer_.size() * 2));
  bits_ = XorPut(buffer_.data(), bits_, samples_, state_, t.ms, Bits(v));
  ++samples_;
  StoreBE16(buffer_.data(), static_cast<uint16_t>(samples_));
}

void XorAppender::Clear() {
  if (buffer_.size() < 256) buffer_.resize(256);
  StoreBE16(buffer_.data(), 0);
  bits_ = kChunkCountSize * 8;
  samples_ = 0;
  state_ = XorState{};
}

}  // namespace narthex::tsdb
