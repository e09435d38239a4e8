#include "libtsdb/head/open_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

#include "libtsdb/chunk/bit_window.h"

namespace narthex::tsdb {
namespace {

// Larger ones are not told from their neighbours.
constexpr double kMaxInteger = 9007199254740992.0;  // 2^53
// Steps that take more than this many ones in front (25 bits and the prefix)
// are no shorter than XOR's.
constexpr uint32_t kMaxOnes = 6;
// Bits that BitWindow::Load has at least.
constexpr uint32_t kLoaded = 57;

// The value as a whole number of units; decoding it gives the same bits.
bool AsUnits(OpenCodec codec, uint64_t bits, int64_t& out) {
  const double v = std::bit_cast<double>(bits);
  if (codec == OpenCodec::kInteger) {
    if (!(std::fabs(v) <= kMaxInteger)) return false;
    out = static_cast<int64_t>(v);
    return std::bit_cast<uint64_t>(static_cast<double>(out)) == bits;
  }
  if (!(std::fabs(v) <= kMaxInteger / 1024)) return false;
  // To the nearest; a half that goes astray is found out in the next line.
  out = static_cast<int64_t>(v * 100 + std::copysign(0.5, v));
  return std::bit_cast<uint64_t>(static_cast<double>(out) / 100) == bits;
}

uint64_t OfUnits(OpenCodec codec, int64_t units) {
  const double v = static_cast<double>(units);
  return std::bit_cast<uint64_t>(codec == OpenCodec::kInteger ? v : v / 100);
}

// Ones in front of the varbit code of a number, by the width of its magnitude:
// that of x - 1 above zero, as the codes reach one further there.
constexpr auto kOnes = [] {
  std::array<uint8_t, 65> ones = {};
  for (uint32_t width = 0; width <= 64; ++width) {
    uint32_t n = 1;
    while (n < 8 && kVarbitBits[n] - 1u < width) ++n;
    ones[width] = static_cast<uint8_t>(n);
  }
  return ones;
}();
uint32_t OnesFor(int64_t x) {
  const auto u = static_cast<uint64_t>(x);
  const uint64_t magnitude = x > 0 ? u - 1 : 0 - u;
  const uint32_t ones = kOnes[static_cast<size_t>(std::bit_width(magnitude))];
  return x == 0 ? 0 : ones;
}

// At most 32 bits.
bool PutStep(char* p, uint32_t& pos, int64_t step) {
  const uint32_t ones = OnesFor(step);
  if (ones > kMaxOnes) return false;
  const uint32_t n = kVarbitBits[ones];
  const uint64_t prefix = (uint64_t{1} << (ones + 1)) - 2;
  const uint64_t low = static_cast<uint64_t>(step) & ((uint64_t{1} << n) - 1);
  pos = PutBits(p, pos, prefix << n | low, ones + 1 + n);
  return true;
}

// A bit of zero each: values that are as the one before.  Fills out[i..] and
// returns where they end; none if the next one differs.
size_t FillSame(BitWindow& in, uint64_t w, uint64_t v, size_t i,
                std::span<uint64_t> out) {
  const size_t zeros =
      std::min<size_t>(static_cast<size_t>(std::countl_zero(w)), 57);
  const size_t end = std::min(i + zeros, out.size());
  in.Skip(end - i);
  std::fill(out.begin() + static_cast<ptrdiff_t>(i),
            out.begin() + static_cast<ptrdiff_t>(end), v);
  return end;
}

// What the head has put there itself, in all its length.
void DecodeXorValues(BitWindow& in, std::span<uint64_t> out) {
  in.Ready();
  uint64_t v = in.Take(64);
  out[0] = v;
  uint32_t trail = 0, n = 0;
  for (size_t i = 1; i < out.size() && in.Ready();) {
    const uint64_t w = in.Load();
    if (w >> 63 == 0) {
      i = FillSame(in, w, v, i, out);
      continue;
    }
    if (w >> 62 == 0b11) {
      const auto lead = static_cast<uint32_t>(w >> 57) & 31;
      n = static_cast<uint32_t>(w >> 51) & 63;
      if (n == 0) n = 64;
      trail = 64 - lead - n;
      in.Skip(13);
    } else if (2 + n <= kLoaded) {
      // Values within the window, as many as a word has.
      uint32_t bits = kLoaded;  // left of w
      uint64_t rest = w;
      do {
        v ^= rest << 2 >> (64 - n) << trail;
        out[i++] = v;
        rest <<= 2 + n;
        bits -= 2 + n;
      } while (bits >= 2 + n && i < out.size() && rest >> 62 == 0b10);
      in.Skip(kLoaded - bits);
      continue;
    } else {
      in.Skip(2);
    }
    v ^= in.Take(n) << trail;
    out[i++] = v;
  }
}

// Steps as varbits (BitWriter::Varbit) of kMaxOnes ones at most.
void DecodeSteps(OpenCodec codec, BitWindow& in, std::span<uint64_t> out) {
  in.Ready();
  uint64_t v = in.Take(64);
  out[0] = v;
  int64_t units = 0;
  AsUnits(codec, v, units);
  for (size_t i = 1; i < out.size() && in.Ready();) {
    const uint64_t w = in.Load();
    if (w >> 63 == 0) {
      i = FillSame(in, w, v, i, out);
      continue;
    }
    const auto ones = static_cast<uint32_t>(std::countl_one(w >> 57 << 57));
    const uint32_t size = kVarbitBits[ones];
    auto step = static_cast<int64_t>(w << (ones + 1) >> (64 - size));
    if (step > int64_t{1} << (size - 1)) step -= int64_t{1} << size;
    in.Skip(ones + 1 + size);
    units += step;
    v = OfUnits(codec, units);
    out[i++] = v;
  }
}

}  // namespace

OpenCodec CodecFor(OpenCodec least, uint64_t before, uint64_t v) {
  for (const OpenCodec codec : {OpenCodec::kInteger, OpenCodec::kDecimal2}) {
    int64_t from, to;
    if (codec >= least && AsUnits(codec, before, from) &&
        AsUnits(codec, v, to) && OnesFor(to - from) <= kMaxOnes) {
      return codec;
    }
  }
  return OpenCodec::kXorValues;
}

bool PutValue(OpenCodec codec, char* p, uint32_t& pos, XorValueState& window,
              uint64_t before, uint64_t v) {
  if (codec == OpenCodec::kXorValues) {
    pos = XorPutValue(p, pos, window, v);
    return true;
  }
  int64_t from, to;
  if (!AsUnits(codec, before, from) || !AsUnits(codec, v, to)) return false;
  return PutStep(p, pos, to - from);
}

bool PutInteger(char* p, uint32_t& pos, uint64_t before, uint64_t v) {
  int64_t to;
  if (!AsUnits(OpenCodec::kInteger, v, to)) return false;
  const auto from = static_cast<int64_t>(std::bit_cast<double>(before));
  return PutStep(p, pos, to - from);
}

bool PutDecimal2(char* p, uint32_t& pos, uint64_t before, uint64_t v) {
  int64_t from, to;
  return AsUnits(OpenCodec::kDecimal2, before, from) &&
         AsUnits(OpenCodec::kDecimal2, v, to) && PutStep(p, pos, to - from);
}

void DecodeValues(OpenCodec codec, std::string_view bytes, uint64_t last,
                  std::span<uint64_t> out) {
  if (codec == OpenCodec::kConstant) {
    std::fill(out.begin(), out.end(), last);
    return;
  }
  BitWindow in(bytes, 0);
  if (codec == OpenCodec::kXorValues) {
    DecodeXorValues(in, out);
  } else {
    DecodeSteps(codec, in, out);
  }
}

}  // namespace narthex::tsdb
