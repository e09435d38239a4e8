#include "libscrape/relabel/md5.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>

namespace narthex::scrape {
namespace {

constexpr int kShifts[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

// floor(2^32 * |sin(i + 1)|), as RFC 1321 defines them.
const std::array<uint32_t, 64>& SineTable() {
  static const std::array<uint32_t, 64> table = [] {
    std::array<uint32_t, 64> t = {};
    for (size_t i = 0; i < t.size(); ++i) {
      t[i] = static_cast<uint32_t>(
          std::floor(4294967296.0 * std::fabs(std::sin(double(i + 1)))));
    }
    return t;
  }();
  return table;
}

uint32_t LoadLittle(const char* p) {
  uint32_t v = 0;
  for (int i = 3; i >= 0; --i) v = v << 8 | static_cast<unsigned char>(p[i]);
  return v;
}

void AddBlock(const char* block, std::array<uint32_t, 4>& state) {
  auto [a, b, c, d] = state;
  for (size_t i = 0; i < 64; ++i) {
    uint32_t mix = 0;
    size_t word = 0;
    switch (i / 16) {
      case 0:
        mix = (b & c) | (~b & d);
        word = i;
        break;
      case 1:
        mix = (d & b) | (~d & c);
        word = (5 * i + 1) % 16;
        break;
      case 2:
        mix = b ^ c ^ d;
        word = (3 * i + 5) % 16;
        break;
      default:
        mix = c ^ (b | ~d);
        word = (7 * i) % 16;
        break;
    }
    const uint32_t sum =
        a + mix + SineTable()[i] + LoadLittle(block + 4 * word);
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kShifts[i / 16][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

}  // namespace

std::array<uint8_t, 16> Md5(std::string_view text) {
  std::array<uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe,
                                   0x10325476};
  const size_t whole = text.size() / 64 * 64;
  for (size_t i = 0; i < whole; i += 64) AddBlock(text.data() + i, state);

  std::string tail(text.substr(whole));
  tail.push_back('\x80');
  tail.resize(tail.size() <= 56 ? 56 : 120, '\0');
  const uint64_t bits = uint64_t{text.size()} * 8;
  for (int i = 0; i < 8; ++i) {
    tail.push_back(static_cast<char>(bits >> (8 * i)));
  }
  for (size_t i = 0; i < tail.size(); i += 64) {
    AddBlock(tail.data() + i, state);
  }

  std::array<uint8_t, 16> digest = {};
  for (size_t i = 0; i < 16; ++i) {
    digest[i] = static_cast<uint8_t>(state[i / 4] >> (8 * (i % 4)));
  }
  return digest;
}

}  // namespace narthex::scrape
