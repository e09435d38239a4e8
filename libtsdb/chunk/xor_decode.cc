// Decoding of XOR chunks, 64 bits at a time.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "libtsdb/chunk/bit_stream.h"
#include "libtsdb/chunk/bit_window.h"
#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

// Bits of the codes 10, 110, 1110; and of 0, which has none.
constexpr uint32_t kDodBits[4] = {0, 14, 17, 20};

// The bits of a delta of deltas, of which only 2^(n-1) itself is on the
// positive side of what two's complement has.
inline int64_t SignedDod(uint64_t raw, uint32_t n) {
  if (raw > uint64_t{1} << (n - 1)) raw -= uint64_t{1} << n;
  return static_cast<int64_t>(raw);
}

// Bits that BitWindow::Load has at least.
constexpr uint32_t kLoaded = 57;

struct Decoded {
  const char* damage = nullptr;
  // Seen by the intervals alone: the times ascend.
  bool ascends = false;
};

// The intervals between samples, of which few differ.
class Spacing {
 public:
  explicit Spacing(uint64_t first) : least_(first), widest_(first) {}
  void Add(uint64_t interval) {
    least_ = std::min(least_, interval);
    widest_ = std::max(widest_, interval);
  }
  // None is zero or negative, and `n` of them lead past no end of time.
  bool Ascend(int64_t from, uint32_t n) const {
    constexpr int64_t kFar = int64_t{1} << 62;
    return least_ > 0 && widest_ <= kFar / (uint64_t{n} + 1) && from < kFar;
  }

 private:
  uint64_t least_, widest_;
};

// Fills t[0..n) and v[0..n).
Decoded DecodeInto(std::string_view bytes, uint32_t n, Timestamp* t,
                   double* v) {
  BitReader head(bytes, kChunkCountSize * 8);
  int64_t time = head.Varint();
  uint64_t value = head.BitsWide(64);
  t[0] = time;
  v[0] = FromBits(value);
  if (!head.ok()) return {"it ends in its first sample"};
  if (n == 1) return {nullptr, true};

  uint64_t delta = head.Uvarint();
  if (!head.ok()) return {"it ends in its second sample"};
  Spacing spacing(delta);

  BitWindow in(bytes, head.position());
  uint32_t lead = 0, trail = 0;
  const auto next_value = [&](uint64_t w) -> bool {
    if (static_cast<int64_t>(w) >= 0) {  // 0: as before
      in.Skip(1);
      return true;
    }
    if ((w & uint64_t{1} << 62) == 0) {  // 10: within the window
      in.Skip(2);
    } else {  // 11: a new window
      lead = static_cast<uint32_t>(w >> 57) & 31;
      uint32_t size = static_cast<uint32_t>(w >> 51) & 63;
      if (size == 0) size = 64;
      if (lead + size > 64) return false;
      trail = 64 - lead - size;
      in.Skip(13);
    }
    value ^= in.Take(64 - lead - trail) << trail;
    return true;
  };

  if (!in.Ready() || !next_value(in.Load())) {
    return {"its second sample has an impossible value"};
  }
  time = static_cast<int64_t>(static_cast<uint64_t>(time) + delta);
  t[1] = time;
  v[1] = FromBits(value);

  uint32_t i = 2;
  while (i < n) {
    if (!in.Ready()) return {"it ends before its last sample"};
    uint64_t w = in.Load();
    if (w >> 62 == 0) {
      // Samples that continue exactly as before take two zero bits each.
      const uint32_t zeros =
          std::min<uint32_t>(static_cast<uint32_t>(std::countl_zero(w)), 56);
      const uint32_t run = std::min(zeros / 2, n - i);
      in.Skip(run * 2);
      const double same = FromBits(value);
      for (uint32_t end = i + run; i < end; ++i) {
        time = static_cast<int64_t>(static_cast<uint64_t>(time) + delta);
        t[i] = time;
        v[i] = same;
      }
      continue;
    }
    const uint32_t stride = 3 + 64 - lead - trail;
    if (w >> 61 == 0b010 && stride <= kLoaded) {
      // The interval as before and the value changed within the window: what
      // nearly all samples of a counter are.  As many as a word has.
      do {
        uint32_t bits = kLoaded;  // left of w
        do {
          value ^= w << 3 >> (67 - stride) << trail;
          time = static_cast<int64_t>(static_cast<uint64_t>(time) + delta);
          t[i] = time;
          v[i] = FromBits(value);
          ++i;
          w <<= stride;
          bits -= stride;
        } while (bits >= stride && i < n && w >> 61 == 0b010);
        in.Skip(kLoaded - bits);
        if (i == n || !in.Far()) break;
        w = in.Load();
      } while (w >> 61 == 0b010);
      continue;
    }
    const uint32_t ones = static_cast<uint32_t>(std::countl_one(w));
    if (ones == 0) {
      in.Skip(1);
      w <<= 1;
    } else if (ones < 4) {
      const uint32_t bits = kDodBits[ones];
      w <<= ones + 1;
      delta += static_cast<uint64_t>(SignedDod(w >> (64 - bits), bits));
      w <<= bits;
      in.Skip(ones + 1 + bits);
      spacing.Add(delta);
    } else {
      in.Skip(4);
      delta += in.Take(64);
      w = in.Load();
      spacing.Add(delta);
    }
    if (!next_value(w)) return {"a sample's value has more than 64 bits"};
    time = static_cast<int64_t>(static_cast<uint64_t>(time) + delta);
    t[i] = time;
    v[i] = FromBits(value);
    ++i;
  }
  if (in.overrun()) return {"it ends before its last sample"};
  return {nullptr, spacing.Ascend(t[0].ms, n)};
}

bool Ascends(const Timestamp* t, size_t n) {
  bool ascends = true;
  for (size_t i = 1; i < n; ++i) ascends &= t[i - 1].ms < t[i].ms;
  return ascends;
}

}  // namespace

absl::Status DecodeXor(std::string_view bytes, uint32_t samples,
                       TimeRange range, SampleColumns& out) {
  if (samples == 0) return absl::OkStatus();
  NARTHEX_RETURN_IF_ERROR(out.Reserve(samples));
  const size_t old = out.size();
  Timestamp* t = out.mutable_t() + old;
  double* v = out.mutable_v() + old;
  const Decoded decoded = DecodeInto(bytes, samples, t, v);
  if (decoded.damage != nullptr) {
    return DataLoss(StrCat("damaged XOR chunk: ", decoded.damage));
  }
  if (!decoded.ascends && !Ascends(t, samples)) {
    return DataLoss("damaged XOR chunk: its times do not ascend");
  }
  Timestamp* first = t;
  Timestamp* last = t + samples;
  if (t[samples - 1] > range.max) {
    last = std::upper_bound(t, last, range.max);
  }
  if (t[0] < range.min) {
    first = std::lower_bound(t, last, range.min);
    const size_t skipped = static_cast<size_t>(first - t);
    const size_t kept = static_cast<size_t>(last - first);
    std::memmove(static_cast<void*>(t), first, kept * sizeof(*t));
    std::memmove(static_cast<void*>(v), v + skipped, kept * sizeof(*v));
  }
  out.SetSize(old + static_cast<size_t>(last - first));
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
