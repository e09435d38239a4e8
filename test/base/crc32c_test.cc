#include "narthex/base/crc32c.h"

#include <catch2/catch.hpp>
#include <string>

namespace narthex {
namespace {

// Bit by bit: slow and obviously right.
uint32_t Naive(std::string_view bytes) {
  uint32_t r = 0xffffffff;
  for (const char c : bytes) {
    r ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) r = (r >> 1) ^ ((r & 1) ? 0x82f63b78 : 0);
  }
  return ~r;
}

TEST_CASE("crc32c gives the published check values") {
  CHECK(Crc32c("") == 0);
  CHECK(Crc32c("123456789") == 0xe3069283);
  CHECK(Crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(Crc32c(std::string(32, '\xff')) == 0x62a8ab43);
}

TEST_CASE("crc32c agrees with the definition at every length and in parts") {
  std::string bytes;
  for (uint32_t i = 0; i < 20000; ++i) {
    bytes += static_cast<char>(i * 2654435761u >> 24);
  }
  for (const size_t n :
       {1, 7, 8, 9, 255, 1024, 3071, 3072, 3073, 6144, 9999, 20000}) {
    INFO(n);
    const std::string_view part = std::string_view(bytes).substr(0, n);
    CHECK(Crc32c(part) == Naive(part));
    CHECK(ExtendCrc32c(Crc32c(part.substr(0, n / 3)), part.substr(n / 3)) ==
          Naive(part));
  }
}

}  // namespace
}  // namespace narthex
