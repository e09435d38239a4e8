#include <catch2/catch.hpp>

#include "libtsdb/head/isolation.h"

namespace narthex::tsdb {

TEST_CASE("the watermark waits for the slowest commit", "[tsdb][head]") {
  Isolation isolation;
  const uint64_t a = isolation.Begin();
  const uint64_t b = isolation.Begin();
  const uint64_t c = isolation.Begin();
  isolation.Publish(b);
  REQUIRE(isolation.watermark() == 0);
  isolation.Publish(a);
  REQUIRE(isolation.watermark() == b);
  isolation.Publish(c);
  REQUIRE(isolation.watermark() == c);
}

TEST_CASE("the floor is the oldest reader's watermark", "[tsdb][head]") {
  Isolation isolation;
  isolation.Publish(isolation.Begin());
  const Isolation::Reader old = isolation.OpenReader();
  isolation.Publish(isolation.Begin());
  const Isolation::Reader young = isolation.OpenReader();
  REQUIRE(old.watermark == 1);
  REQUIRE(young.watermark == 2);
  REQUIRE(isolation.Floor() == 1);
  REQUIRE(isolation.HasReaderBefore(young.number));
  REQUIRE_FALSE(isolation.WithoutReaders([] {}));
  isolation.CloseReader(old);
  REQUIRE(isolation.Floor() == 2);
  REQUIRE_FALSE(isolation.HasReaderBefore(young.number));
  REQUIRE(isolation.OldestReader() == young.number);
  isolation.CloseReader(young);
  REQUIRE(isolation.OldestReader() == isolation.NextReader());
  bool ran = false;
  REQUIRE(isolation.WithoutReaders([&] { ran = true; }));
  REQUIRE(ran);
}

TEST_CASE("epochs compare across the end of their 32 bits", "[tsdb][head]") {
  REQUIRE(EpochAfter(2, 1));
  REQUIRE_FALSE(EpochAfter(1, 1));
  REQUIRE(EpochAfter(5, 0xfffffff0));
  REQUIRE_FALSE(EpochAfter(0xfffffff0, 5));
}

}  // namespace narthex::tsdb
