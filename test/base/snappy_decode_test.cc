#include "libtsdb/base/snappy_decode.h"

#include <snappy.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>

#include "narthex/base/coding.h"
#include "narthex/base/compress.h"

namespace narthex {
namespace {

// Of exactly that size, so that a sanitizer sees a byte too many.
struct Unpacked {
  bool ok = false;
  std::string bytes = {};
};
Unpacked Ours(std::string_view pieces, size_t n) {
  const auto in = std::make_unique<char[]>(pieces.size());
  std::copy(pieces.begin(), pieces.end(), in.get());
  const auto out = std::make_unique<char[]>(n);
  const bool ok = UnpackSnappyPieces({in.get(), pieces.size()}, out.get(), n);
  return {ok, ok ? std::string(out.get(), n) : std::string()};
}

// What the library says to the same block.
Unpacked Theirs(std::string_view pieces, size_t n) {
  std::string block, out(n, '\0');
  ByteWriter(block).Uvarint(n);
  block += pieces;
  const bool ok = snappy::RawUncompress(block.data(), block.size(), out.data());
  return {ok, ok ? out : std::string()};
}

std::string_view Pieces(std::string_view block) {
  ByteReader in(block);
  in.Uvarint();
  return in.rest();
}

// As records of samples are: a number, a zero, eight bytes that change little.
std::string Records(std::mt19937& random, size_t n) {
  std::string out;
  ByteWriter w(out);
  double v = 1;
  for (size_t i = 0; i < n; ++i) {
    w.Varint(static_cast<int64_t>(i));
    w.U8(0);
    if (random() % 3 != 0) v += static_cast<double>(random() % 1000) / 8;
    w.Double(v);
  }
  return out;
}
std::string Runs(std::mt19937& random, size_t n) {
  std::string out;
  while (out.size() < n) {
    const size_t length = random() % 100;
    const size_t period = 1 + random() % 20;
    for (size_t i = 0; i < length; ++i) {
      out.push_back(i < period ? static_cast<char>(random())
                               : out[out.size() - period]);
    }
  }
  return out;
}

TEST_CASE("snappy blocks of all sizes come back") {
  std::mt19937 random(1);
  for (size_t n = 0; n < 400; ++n) {
    for (const std::string& data :
         {Records(random, n), Runs(random, 7 * n), std::string(n, 'a')}) {
      std::string block;
      Compress(Compression::kSnappy, data, block);
      const Unpacked back = Ours(Pieces(block), data.size());
      REQUIRE(back.ok);
      REQUIRE(back.bytes == data);
      REQUIRE_FALSE(Ours(Pieces(block), data.size() + 1).ok);
      if (n != 0 && !data.empty()) {
        REQUIRE_FALSE(Ours(Pieces(block), data.size() - 1).ok);
      }
    }
  }
}

TEST_CASE("spoiled snappy is read or refused as the library does") {
  std::mt19937 random(2);
  size_t refused = 0;
  for (size_t round = 0; round < 20000; ++round) {
    const std::string data = round % 2 == 0 ? Records(random, random() % 40)
                                            : Runs(random, random() % 400);
    std::string block;
    Compress(Compression::kSnappy, data, block);
    std::string pieces(Pieces(block));
    for (size_t times = 1 + random() % 3; times > 0 && !pieces.empty();
         --times) {
      const size_t at = random() % pieces.size();
      switch (random() % 4) {
        case 0:
          pieces[at] = static_cast<char>(random());
          break;
        case 1:
          pieces.erase(at, 1 + random() % 4);
          break;
        case 2:
          pieces.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          pieces.resize(at);
      }
    }
    const size_t n = random() % 2 == 0 ? data.size() : random() % 500;
    const Unpacked ours = Ours(pieces, n);
    const Unpacked theirs = Theirs(pieces, n);
    REQUIRE(ours.ok == theirs.ok);
    REQUIRE(ours.bytes == theirs.bytes);
    refused += ours.ok ? 0 : 1;
  }
  CHECK(refused > 5000);
}

TEST_CASE("each kind of snappy piece, at its limits") {
  const std::string room(200, 'x');
  // A literal of 200 bytes whose length takes one to four bytes.
  for (int bytes = 1; bytes <= 4; ++bytes) {
    std::string pieces(1, static_cast<char>((59 + bytes) << 2));
    for (int i = 0; i < bytes; ++i) {
      pieces.push_back(i == 0 ? static_cast<char>(199) : '\0');
    }
    CHECK_FALSE(Ours(pieces, 200).ok);
    CHECK(Ours(pieces + room, 200).bytes == room);
    CHECK_FALSE(Ours(pieces.substr(0, pieces.size() - 1), 200).ok);
  }
  CHECK_FALSE(Ours("\xfc\xff\xff\xff\xff", 8).ok);  // 4 GiB
  using std::string_literals::operator""s;
  const std::string abc = "\10abc"s;  // a literal of three
  for (const auto& [copy, n] :
       {std::pair("\x01\x03"s, 4), std::pair("\x0e\x03\x00"s, 4),
        std::pair("\x0f\x03\x00\x00\x00"s, 4)}) {
    CHECK(Ours(abc + copy, 3 + static_cast<size_t>(n)).bytes == "abcabca");
    CHECK_FALSE(Ours(copy, static_cast<size_t>(n)).ok);  // of nothing
    for (const char offset : {'\0', '\4'}) {
      std::string bad = copy;
      bad[1] = offset;
      CHECK_FALSE(Ours(abc + bad, 3 + static_cast<size_t>(n)).ok);
    }
    for (size_t cut = 1; cut < copy.size(); ++cut) {
      CHECK_FALSE(Ours(abc + copy.substr(0, cut), 7).ok);
    }
  }
  CHECK(Ours("", 0).ok);
  CHECK_FALSE(Ours("", 1).ok);
}

}  // namespace
}  // namespace narthex
