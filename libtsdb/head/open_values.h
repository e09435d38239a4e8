// Values of an open chunk without their times: 64 bits of the first, then a
// code for each of the others.  A value like the one before is a zero bit in
// every codec, so a constant series becomes one of any codec without looking
// back.
//
//   kXorValues  the XOR chunk's own code for values
//   kInteger    the difference, as "varbit" (bit_stream.h)
//   kDecimal2   the same of hundreds: prices, percentages
//
// Functions without state; one writer per chunk.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/model/appender.h"

namespace narthex::tsdb {

// How the samples of an open chunk lie in memory; HotSeries::codec.
enum class OpenCodec : uint8_t {
  kXorFull = 0,         // the XOR chunk, times and all
  kHistogram = 1,       // in the cold part
  kFloatHistogram = 2,  // in the cold part
  // The times are those of a group.
  kConstant = 3,  // no bytes: the line's last value is all of them
  kInteger = 4,
  kDecimal2 = 5,
  kXorValues = 6,
  // Times of its own again.
  kXor2 = 7,  // the XOR2 chunk, start times and all
};
constexpr bool IsHistogram(uint8_t codec) {
  return codec == static_cast<uint8_t>(OpenCodec::kHistogram) ||
         codec == static_cast<uint8_t>(OpenCodec::kFloatHistogram);
}

// What XorPutValue keeps between values.
struct XorValueState {
  uint64_t v = 0;
  uint8_t lead = kXorNoWindow;
  uint8_t trail = 0;
};
// Moves the state on as XorPutValue does; the number of bits it would write.
// Without branches: which of the three codes a value gets can't be foreseen.
inline uint32_t XorValueBits(XorValueState& s, uint64_t v) {
  const uint64_t x = v ^ s.v;
  s.v = v;
  // Of 0 they say something, too; it is not used.
  const uint32_t all_lead = static_cast<uint32_t>(std::countl_zero(x | 1));
  const uint32_t lead = all_lead > 31 ? 31 : all_lead;
  const uint32_t trail =
      static_cast<uint32_t>(std::countr_zero(x | uint64_t{1} << 63));
  const uint32_t had_lead = s.lead, had_trail = s.trail;
  // No window is 255 ones in front, which none has.
  const bool fits = (lead >= had_lead) & (trail >= had_trail);
  const bool keeps = fits | (x == 0);
  const uint32_t bits = fits ? 66u - had_lead - had_trail : 77u - lead - trail;
  s.lead = static_cast<uint8_t>(keeps ? had_lead : lead);
  s.trail = static_cast<uint8_t>(keeps ? had_trail : trail);
  return x == 0 ? 1 : bits;
}
// Bits of XorPutDod's code.
inline uint32_t XorDodBits(int64_t dod) {
  if (dod == 0) return 1;
  if (FitsDod(dod, 14)) return 16;
  if (FitsDod(dod, 17)) return 20;
  if (FitsDod(dod, 20)) return 24;
  return 68;
}

// The first codec that has room for a step from `before` to `v`, none of which
// is a stale marker; `least` is the one in use.
OpenCodec CodecFor(OpenCodec least, uint64_t before, uint64_t v);

// Puts `v` behind `before` at bit `pos`; false: the codec can't.  `p` has
// kXorPutRoom bytes from the one that `pos` lies in.  `window` is looked at
// and moved on by kXorValues alone.
bool PutValue(OpenCodec codec, char* p, uint32_t& pos, XorValueState& window,
              uint64_t before, uint64_t v);

// The same for kInteger and kDecimal2, where the codec is known and `before`
// was put by it: needs no more than kUnitsRoom bytes at `p`, and puts a value
// like the one before without a branch.  false: the codec can't.
inline constexpr size_t kUnitsRoom = kBitSlack;
bool PutInteger(char* p, uint32_t& pos, uint64_t before, uint64_t v);
bool PutDecimal2(char* p, uint32_t& pos, uint64_t before, uint64_t v);

// All values, as bits; `bytes` are ours, so they are not looked at with
// suspicion.  kConstant: `last` is the value.
void DecodeValues(OpenCodec codec, std::string_view bytes, uint64_t last,
                  std::span<uint64_t> out);

}  // namespace narthex::tsdb
