#include "narthex/base/coding.h"

#include <catch2/catch.hpp>
#include <limits>

// gcc 12 at -O1 takes the loop of StoreUvarint, once it knows the number, to
// write past its ten bytes; it can't.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif

namespace narthex {
namespace {

TEST_CASE("integers are written as Prometheus writes them") {
  std::string out;
  ByteWriter w(out);
  w.U8(7);
  w.BE16(0x0102);
  w.BE32(0x03040506);
  w.BE64(0x0708090a0b0c0d0e);
  w.Uvarint(300);
  w.Varint(-1);
  w.Varint(64);
  w.UvarintBytes("ab");
  CHECK(out == std::string("\x07\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
                           "\x0c\x0d\x0e\xac\x02\x01\x80\x01\x02"
                           "ab",
                           23));
  ByteReader r(out);
  CHECK(r.U8() == 7);
  CHECK(r.BE16() == 0x0102);
  CHECK(r.BE32() == 0x03040506);
  CHECK(r.BE64() == 0x0708090a0b0c0d0e);
  CHECK(r.Uvarint() == 300);
  CHECK(r.Varint() == -1);
  CHECK(r.Varint() == 64);
  CHECK(r.UvarintBytes() == "ab");
  CHECK(r.empty());
  CHECK(r.ok());
}

TEST_CASE("varints come back at every edge") {
  for (const int64_t x : {int64_t{0}, int64_t{-1}, int64_t{63}, int64_t{64},
                          int64_t{-65}, std::numeric_limits<int64_t>::max(),
                          std::numeric_limits<int64_t>::min()}) {
    std::string out;
    ByteWriter(out).Varint(x);
    ByteReader r(out);
    CHECK(r.Varint() == x);
    for (size_t n = 0; n < out.size(); ++n) {
      ByteReader cut(std::string_view(out).substr(0, n));
      cut.Varint();
      CHECK(!cut.ok());
    }
  }
}

TEST_CASE("a reader stops at the first bad byte and says where it was") {
  ByteReader too_long("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  CHECK(too_long.Uvarint() == 0);
  CHECK(!too_long.ok());
  ByteReader r(
      "a\x7f"
      "b");
  CHECK(r.U8() == 'a');
  CHECK(r.UvarintBytes().empty());
  CHECK(!r.ok());
  CHECK(r.bad_offset() == 1);
  CHECK(r.U8() == 0);
}

}  // namespace
}  // namespace narthex
