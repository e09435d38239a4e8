#include "libtsdb/block/ulid.h"

#include <array>
#include <cstdint>

namespace narthex::tsdb {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kUlidSize = 26;
constexpr size_t kTimeLetters = 10;

// 32 if `c` is no letter of the alphabet (either case).
uint32_t Digit(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const size_t at = kAlphabet.find(c);
  return at == std::string_view::npos ? 32 : static_cast<uint32_t>(at);
}

}  // namespace

std::string NewUlid(Env& env, Timestamp now) {
  std::string ulid(kUlidSize, '0');
  uint64_t t = static_cast<uint64_t>(now.ms);
  for (size_t i = kTimeLetters; i-- > 0;) {
    ulid[i] = kAlphabet[t & 31];
    t >>= 5;
  }
  // 48 bits fill ten letters but for the first one's upper two bits.
  ulid[0] = kAlphabet[static_cast<uint64_t>(now.ms) >> 45 & 7];
  std::array<char, kUlidSize - kTimeLetters> random;
  env.RandomBytes(random.data(), random.size());
  for (size_t i = 0; i < random.size(); ++i) {
    ulid[kTimeLetters + i] = kAlphabet[static_cast<uint8_t>(random[i]) & 31];
  }
  return ulid;
}

bool IsUlid(std::string_view text) {
  if (text.size() != kUlidSize || text[0] > '7') return false;
  for (char c : text) {
    if (Digit(c) == 32) return false;
  }
  return true;
}

Timestamp UlidTime(std::string_view ulid) {
  uint64_t t = 0;
  for (char c : ulid.substr(0, kTimeLetters)) t = t << 5 | (Digit(c) & 31);
  return static_cast<int64_t>(t);
}

}  // namespace narthex::tsdb
