#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {
namespace {

using Rows = std::vector<std::pair<int64_t, uint64_t>>;

std::string Encode(const Rows& rows) {
  XorAppender chunk;
  for (const auto& [t, v] : rows) chunk.Append(t, FromBits(v));
  return std::string(chunk.bytes());
}

Rows ToRows(const SampleColumns& columns) {
  Rows rows;
  for (size_t i = 0; i < columns.size(); ++i) {
    rows.emplace_back(columns.t()[i].ms, Bits(columns.v()[i]));
  }
  return rows;
}

Rows Decode(std::string_view bytes, TimeRange range = {}) {
  MemoryBudget budget;
  SampleColumns columns(budget);
  // A copy at the very end of its memory: a read past it is seen.
  std::vector<char> exact(bytes.begin(), bytes.end());
  const absl::Status status = DecodeChunk(
      ChunkEncoding::kXor, {exact.data(), exact.size()}, range, columns);
  INFO(status.ToString());
  REQUIRE(status.ok());
  return ToRows(columns);
}

absl::Status DecodeError(std::string_view bytes) {
  MemoryBudget budget;
  SampleColumns columns(budget);
  const absl::Status status =
      DecodeChunk(ChunkEncoding::kXor, bytes, {}, columns);
  if (!status.ok()) REQUIRE(columns.empty());
  return status;
}

Rows RandomRows(std::mt19937_64& random, size_t n) {
  Rows rows;
  const uint64_t shape = random() % 6;
  int64_t t = static_cast<int64_t>(random() % 4000000000000);
  if (shape == 5) t = std::numeric_limits<int64_t>::min() + 5;
  int64_t step = 15000;
  double counter = static_cast<double>(random() % 1000);
  uint64_t bits = Bits(counter);
  for (size_t i = 0; i < n; ++i) {
    if (random() % 16 == 0) bits = random() % 2 ? kStaleNaNBits : random();
    switch (shape) {
      case 0:
        break;  // constant
      case 1:
        counter += static_cast<double>(random() % 100);
        bits = Bits(counter);
        break;
      case 2:
        bits = random();
        break;
      case 3:
        if (random() % 8 == 0) bits ^= uint64_t{1} << (random() % 64);
        break;
      default:
        bits = Bits(static_cast<double>(random() % 10000) / 100);
        break;
    }
    rows.emplace_back(t, bits);
    if (random() % 8 == 0) {
      constexpr int64_t kJumps[] = {1,     100,    8192 + 15000,
                                    70000, 600000, 40000000000};
      step = kJumps[random() % 6];
    } else if (shape != 0) {
      step = 15000 + static_cast<int64_t>(random() % 21) - 10;
    } else {
      step = 15000;
    }
    t += step;
  }
  return rows;
}

}  // namespace

TEST_CASE("an xor chunk gives back what it was given") {
  SECTION("nothing") { REQUIRE(Decode(Encode({})).empty()); }
  SECTION("a single sample") {
    const Rows rows = {{1000, Bits(1.5)}};
    REQUIRE(Decode(Encode(rows)) == rows);
  }
  SECTION("a stale marker keeps its bits") {
    const Rows rows = {{0, kStaleNaNBits}, {1, Bits(0.0)},
                       {2, kStaleNaNBits}, {3, kNormalNaNBits},
                       {4, Bits(-0.0)},    {5, Bits(INFINITY)}};
    REQUIRE(Decode(Encode(rows)) == rows);
  }
  SECTION("the ends of time") {
    const Rows rows = {{std::numeric_limits<int64_t>::min(), 1},
                       {0, 2},
                       {std::numeric_limits<int64_t>::max(), 3}};
    REQUIRE(Decode(Encode(rows)) == rows);
  }
  SECTION("long runs that do not change") {
    Rows rows;
    for (int i = 0; i < 3000; ++i) rows.emplace_back(i * 15, Bits(7.0));
    REQUIRE(Decode(Encode(rows)) == rows);
  }
  SECTION("every window of leading and trailing zeros") {
    for (int lead = 0; lead < 64; ++lead) {
      for (int trail = 0; lead + trail < 64; ++trail) {
        uint64_t x = ~uint64_t{0} << trail;
        x &= ~uint64_t{0} >> lead;
        const Rows rows = {{0, 0}, {1, x}, {2, 0}, {3, x & (x ^ (x << 1))}};
        INFO("lead " << lead << " trail " << trail);
        REQUIRE(Decode(Encode(rows)) == rows);
      }
    }
  }
  SECTION("random samples of many shapes") {
    std::mt19937_64 random(42);
    for (int i = 0; i < 2000; ++i) {
      INFO("round " << i);
      const Rows rows = RandomRows(random, 1 + random() % 240);
      REQUIRE(Decode(Encode(rows)) == rows);
    }
  }
}

TEST_CASE("deltas of deltas at the edges of every code come back") {
  for (int64_t edge :
       {8191, 8192, 8193, 65535, 65536, 65537, 524287, 524288, 524289}) {
    for (int64_t dod : {edge, -edge}) {
      const int64_t step = 1 << 22;
      const Rows rows = {{0, 0}, {step, 0}, {2 * step + dod, 0}};
      INFO(dod);
      REQUIRE(Decode(Encode(rows)) == rows);
    }
  }
}

TEST_CASE("only what is in the range is added") {
  Rows rows;
  for (int i = 0; i < 100; ++i) rows.emplace_back(i * 10, Bits(i));
  const std::string bytes = Encode(rows);
  const auto cut = [&](int64_t min, int64_t max) {
    Rows kept;
    for (const auto& row : rows) {
      if (min <= row.first && row.first <= max) kept.push_back(row);
    }
    return kept;
  };
  for (const auto& [min, max] :
       Rows{{0, 990}, {1, 989}, {500, 500}, {501, 509}, {991, 2000}, {0, 0}}) {
    const int64_t end = static_cast<int64_t>(max);
    REQUIRE(Decode(bytes, {min, end}) == cut(min, end));
  }
}

TEST_CASE("a window that nobody opened is the whole value") {
  // An appender that Prometheus re-opens over constant values writes 10 and 64
  // bits: decoding starts with no leading and no trailing zeros.
  char buffer[64] = {};
  XorState state;
  uint32_t pos = XorPut(buffer, 16, 0, state, 5, 1);
  pos = PutBits(buffer, pos, 3, 8);  // delta 3
  pos = PutBits(buffer, pos, 2, 2);  // 10
  pos = PutBitsWide(buffer, pos, 0x8000000000000006, 64);
  StoreBE16(buffer, 2);
  REQUIRE(Decode({buffer, (pos + 7) / 8}) ==
          Rows{{5, 1}, {8, 0x8000000000000007}});
}

TEST_CASE("a surplus byte at the end is let be") {
  const Rows rows = {{1, 1}, {2, 2}, {3, 3}};
  REQUIRE(Decode(Encode(rows) + std::string(1, '\0')) == rows);
}

TEST_CASE("columns are added to, not replaced") {
  MemoryBudget budget;
  SampleColumns columns(budget);
  REQUIRE(
      DecodeChunk(ChunkEncoding::kXor, Encode({{1, 1}, {2, 2}}), {}, columns)
          .ok());
  REQUIRE(
      DecodeChunk(ChunkEncoding::kXor, Encode({{3, 3}, {4, 4}}), {}, columns)
          .ok());
  REQUIRE(ToRows(columns) == Rows{{1, 1}, {2, 2}, {3, 3}, {4, 4}});
}

TEST_CASE("damaged xor chunks are errors, whatever the damage") {
  std::mt19937_64 random(1);
  SECTION("cut at every length") {
    const std::string bytes = Encode(RandomRows(random, 50));
    for (size_t n = 0; n < bytes.size(); ++n) {
      INFO("cut to " << n);
      std::vector<char> exact(bytes.begin(),
                              bytes.begin() + static_cast<ptrdiff_t>(n));
      REQUIRE(absl::IsDataLoss(DecodeError({exact.data(), exact.size()})));
    }
  }
  SECTION("bytes changed at random: an error or samples, never worse") {
    for (int round = 0; round < 3000; ++round) {
      std::string bytes = Encode(RandomRows(random, 1 + random() % 120));
      for (int i = 0; i < 3; ++i) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      std::vector<char> exact(bytes.begin(), bytes.end());
      DecodeError({exact.data(), exact.size()}).IgnoreError();
    }
  }
  SECTION("times that do not ascend") {
    REQUIRE(absl::IsDataLoss(DecodeError(Encode({{5, 1}, {5, 1}}))));
    REQUIRE(absl::IsDataLoss(DecodeError(Encode({{5, 1}, {6, 1}, {4, 1}}))));
  }
  SECTION("an unknown encoding") {
    MemoryBudget budget;
    SampleColumns columns(budget);
    REQUIRE(absl::IsDataLoss(DecodeChunk(static_cast<ChunkEncoding>(77),
                                         Encode({{5, 1}}), {}, columns)));
  }
}

TEST_CASE("a budget that refuses leaves the columns as they were") {
  MemoryBudget budget(1);
  SampleColumns columns(budget);
  REQUIRE(absl::IsResourceExhausted(
      DecodeChunk(ChunkEncoding::kXor, Encode({{1, 1}}), {}, columns)));
  REQUIRE(columns.empty());
}

}  // namespace narthex::tsdb
