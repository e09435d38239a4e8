#include "libtsdb/chunk/xor2_chunk.h"

#include <algorithm>
#include <bit>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

// Deltas of deltas in two's complement, the shorter kinds.
constexpr uint32_t kShortDod = 13;
constexpr uint32_t kLongDod = 20;

constexpr bool FitsTwos(int64_t x, uint32_t n) {
  return -(int64_t{1} << (n - 1)) <= x && x < int64_t{1} << (n - 1);
}
constexpr int64_t FromTwos(uint64_t raw, uint32_t n) {
  return static_cast<int64_t>(raw << (64 - n)) >> (64 - n);
}
constexpr uint64_t Low(int64_t x, uint32_t n) {
  return static_cast<uint64_t>(x) & ((uint64_t{1} << n) - 1);
}

class Decoder {
 public:
  explicit Decoder(std::string_view bytes)
      : in_(bytes, kXor2HeaderSize * 8),
        samples_(LoadBE16(bytes.data())),
        starts_(static_cast<uint8_t>(bytes[kChunkCountSize])) {}

  uint32_t samples() const { return samples_; }

  // null, or what is wrong.  `st` may be null.
  const char* Decode(Timestamp* t, double* v, Timestamp* st) {
    for (uint32_t i = 0; i < samples_; ++i) {
      const int64_t previous_t = t_;
      if (!Take(i)) return "a sample's value has more than 64 bits";
      const int64_t start = starts_.Take(in_, i, t_, previous_t);
      if (!in_.ok()) return "it ends before its last sample";
      t[i] = t_;
      v[i] = FromBits(stale_ ? kStaleNaNBits : v_);
      if (st != nullptr) st[i] = start;
    }
    return nullptr;
  }

 private:
  bool Take(uint32_t i) {
    stale_ = false;
    if (i == 0) {
      t_ = in_.Varint();
      const uint64_t v = in_.BitsWide(64);
      if (v == kStaleNaNBits) {
        stale_ = true;
      } else {
        v_ = v;
      }
      return true;
    }
    if (i == 1) {
      t_delta_ = in_.Uvarint();
      Advance(0);
      return TakeValue();
    }
    const uint64_t w = in_.Peek();
    switch (std::countl_one(w >> 59 << 59)) {
      case 0:
        in_.Skip(1);
        Advance(0);
        return true;
      case 1:
        in_.Skip(2);
        Advance(0);
        return in_.Bit() ? TakeWindow() : TakeChange();
      case 2:
        in_.Skip(3);
        Advance(FromTwos(in_.Bits(kShortDod), kShortDod));
        return TakeValue();
      case 3:
        in_.Skip(4);
        Advance(FromTwos(in_.Bits(kLongDod), kLongDod));
        return TakeValue();
      case 4:
        in_.Skip(5);
        Advance(static_cast<int64_t>(in_.BitsWide(64)));
        return TakeValue();
      default:
        in_.Skip(5);
        Advance(0);
        stale_ = true;
        return true;
    }
  }

  void Advance(int64_t dod) {
    t_delta_ += static_cast<uint64_t>(dod);
    t_ = static_cast<int64_t>(static_cast<uint64_t>(t_) + t_delta_);
  }

  bool TakeValue() {
    if (!in_.Bit()) return true;
    if (!in_.Bit()) return TakeChange();
    if (!in_.Bit()) return TakeWindow();
    stale_ = true;
    return true;
  }

  bool TakeWindow() {
    const auto lead = static_cast<uint32_t>(in_.Bits(5));
    auto size = static_cast<uint32_t>(in_.Bits(6));
    if (size == 0) size = 64;
    if (lead + size > 64) return false;
    lead_ = lead;
    trail_ = 64 - lead - size;
    return TakeChange();
  }

  bool TakeChange() {
    v_ ^= in_.BitsWide(64 - lead_ - trail_) << trail_;
    return true;
  }

  BitReader in_;
  const uint32_t samples_;
  StartTimeDecoder starts_;
  int64_t t_ = 0;
  uint64_t t_delta_ = 0;
  uint64_t v_ = 0;
  bool stale_ = false;
  uint32_t lead_ = 0;
  uint32_t trail_ = 0;
};

}  // namespace

void Xor2Appender::Clear() {
  out_.Clear(kXor2HeaderSize);
  samples_ = 0;
  t_ = 0;
  t_delta_ = 0;
  start_ = 0;
  v_ = 0;
  lead_ = kXorNoWindow;
  trail_ = 0;
}

void Xor2Appender::Resume(const Xor2State& state, uint8_t last_byte,
                          uint32_t bits) {
  out_.Clear(kXor2HeaderSize);
  out_.at(kChunkCountSize) = static_cast<char>(state.header);
  if (bits != 0) out_.Put(last_byte >> (8 - bits), bits);
  samples_ = state.samples;
  t_ = state.t;
  t_delta_ = state.t_delta;
  start_ = state.start;
  v_ = state.v;
  lead_ = state.lead;
  trail_ = state.trail;
  starts_ = StartTimeEncoder(
      state.header, static_cast<int64_t>(static_cast<uint64_t>(t_) - t_delta_),
      start_);
}

Xor2State Xor2Appender::state() const {
  return {samples_, t_,
          t_delta_, start_,
          v_,       lead_,
          trail_,   static_cast<uint8_t>(out_.bytes()[kChunkCountSize])};
}

void Xor2Appender::Append(Timestamp t, double v, Timestamp start) {
  const uint64_t bits = Bits(v);
  const int64_t previous_t = t_;
  const uint64_t delta =
      static_cast<uint64_t>(t.ms) - static_cast<uint64_t>(t_);
  if (samples_ == 0) {
    out_.Varint(t.ms);
    out_.Put(bits, 64);
  } else if (samples_ == 1) {
    out_.Uvarint(delta);
    t_delta_ = delta;
    PutValue(bits);
  } else {
    PutTimeAndValue(static_cast<int64_t>(delta - t_delta_), bits);
    t_delta_ = delta;
  }
  t_ = t.ms;
  start_ = start.ms;
  if (bits != kStaleNaNBits) v_ = bits;
  char header = out_.at(kChunkCountSize);
  starts_.Put(out_, header, samples_, t.ms, previous_t, start.ms);
  out_.at(kChunkCountSize) = header;
  ++samples_;
  StoreBE16(&out_.at(0), static_cast<uint16_t>(samples_));
}

void Xor2Appender::PutTimeAndValue(int64_t dod, uint64_t v) {
  if (dod == 0) {
    if (v == kStaleNaNBits) return out_.Put(31, 5);
    if (v == v_) return out_.Put(0, 1);
    out_.Put(2, 2);
    return PutChange(v ^ v_, /*new_window=*/1, 1);
  }
  if (FitsTwos(dod, kShortDod)) {
    out_.Put(uint64_t{6} << kShortDod | Low(dod, kShortDod), 3 + kShortDod);
  } else if (FitsTwos(dod, kLongDod)) {
    out_.Put(uint64_t{14} << kLongDod | Low(dod, kLongDod), 4 + kLongDod);
  } else {
    out_.Put(30, 5);
    out_.Put(static_cast<uint64_t>(dod), 64);
  }
  PutValue(v);
}

// Beside a time that took a code of its own.
void Xor2Appender::PutValue(uint64_t v) {
  if (v == kStaleNaNBits) return out_.Put(7, 3);
  if (v == v_) return out_.Put(0, 1);
  out_.Put(1, 1);
  PutChange(v ^ v_, /*new_window=*/2, 2);
}

// The window is that of before (0), or a new one: `new_window`, so many bits.
void Xor2Appender::PutChange(uint64_t x, uint32_t new_window, uint32_t n) {
  const auto lead =
      std::min<uint32_t>(static_cast<uint32_t>(std::countl_zero(x)), 31);
  const auto trail = static_cast<uint32_t>(std::countr_zero(x));
  if (lead_ != kXorNoWindow && lead >= lead_ && trail >= trail_) {
    out_.Put(0, 1);
    return out_.Put(x >> trail_, 64u - lead_ - trail_);
  }
  lead_ = static_cast<uint8_t>(lead);
  trail_ = static_cast<uint8_t>(trail);
  const uint32_t size = 64 - lead - trail;
  out_.Put(new_window << 11 | lead << 6 | (size & 63), n + 11);
  out_.Put(x >> trail, size);
}

absl::Status DecodeXor2(std::string_view bytes, TimeRange range,
                        SampleColumns& out) {
  if (bytes.size() < kXor2HeaderSize) {
    return DataLoss("damaged XOR2 chunk: it is too short for its header");
  }
  Decoder decoder(bytes);
  const uint32_t n = decoder.samples();
  if (n == 0) return absl::OkStatus();
  NARTHEX_RETURN_IF_ERROR(out.Reserve(n));
  const size_t old = out.size();
  Timestamp* const t = out.mutable_t() + old;
  double* const v = out.mutable_v() + old;
  Timestamp* const st =
      out.mutable_st() == nullptr ? nullptr : out.mutable_st() + old;
  if (const char* damage = decoder.Decode(t, v, st); damage != nullptr) {
    return DataLoss(StrCat("damaged XOR2 chunk: ", damage));
  }
  for (uint32_t i = 1; i < n; ++i) {
    if (t[i] <= t[i - 1]) {
      return DataLoss("damaged XOR2 chunk: its times do not ascend");
    }
  }
  size_t kept = 0;
  for (uint32_t i = 0; i < n; ++i) {
    if (!range.Contains(t[i])) continue;
    t[kept] = t[i];
    v[kept] = FromBits(Bits(v[i]));
    if (st != nullptr) st[kept] = st[i];
    ++kept;
  }
  out.SetSize(old + kept);
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
