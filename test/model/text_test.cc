#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "narthex/model/labels.h"
#include "narthex/model/sample.h"

namespace narthex {
namespace {

TEST_CASE("floats are printed as Go prints them") {
  struct {
    double v;
    const char* g;
    const char* f;
    const char* e;
  } cases[] = {
      {0, "0", "0", "0e+00"},
      {-0.0, "-0", "-0", "-0e+00"},
      {1, "1", "1", "1e+00"},
      {-1.5, "-1.5", "-1.5", "-1.5e+00"},
      {100000, "100000", "100000", "1e+05"},
      {123456, "123456", "123456", "1.23456e+05"},
      {1e6, "1e+06", "1000000", "1e+06"},
      {1234567.5, "1.2345675e+06", "1234567.5", "1.2345675e+06"},
      {0.0001, "0.0001", "0.0001", "1e-04"},
      {0.00001, "1e-05", "0.00001", "1e-05"},
      {1e21, "1e+21", "1000000000000000000000", "1e+21"},
      {1e100, "1e+100",
       "1000000000000000000000000000000000000000000000000000000000000000000000"
       "0000000000000000000000000000000",
       "1e+100"},
      {5e-324, "5e-324", nullptr, "5e-324"},
      {0.1 + 0.2, "0.30000000000000004", "0.30000000000000004",
       "3.0000000000000004e-01"},
  };
  for (const auto& c : cases) {
    CHECK(FormatFloat(c.v) == c.g);
    if (c.f != nullptr) CHECK(FormatValue(c.v) == c.f);
    CHECK(FormatFloat(c.v, 'e') == c.e);
  }
  CHECK(FormatValue(StaleNaN()) == "NaN");
  CHECK(FormatValue(INFINITY) == "+Inf");
  CHECK(FormatFloat(-INFINITY) == "-Inf");
}

TEST_CASE("floats are read as Go reads them") {
  const auto read = [](const char* text) {
    double v = 42;
    REQUIRE(ParseGoFloat(text, v));
    return v;
  };
  CHECK(read("1") == 1);
  CHECK(read("+1.5e3") == 1500);
  CHECK(read("-.5") == -0.5);
  CHECK(read("1.") == 1);
  CHECK(read("0x1.8p1") == 3);
  CHECK(read("-0X.8P-1") == -0.25);
  CHECK(read("inf") == INFINITY);
  CHECK(read("-Infinity") == -INFINITY);
  CHECK(Bits(read("NaN")) == kNormalNaNBits);
  CHECK(read("1e400") == INFINITY);
  CHECK(read("-1e400") == -INFINITY);
  CHECK(read("1e-400") == 0);
  CHECK(read("0.0000000000000000000001e420") == INFINITY);
  CHECK(read("5e-324") == std::numeric_limits<double>::denorm_min());
  CHECK(read("1_23.50_0_0e+1_2") == 123.5e12);
  CHECK(std::signbit(read("-0")));
  for (const char* bad :
       {"",       "+",    "-",      ".",  "1e",    "1e+", "1_",   "0x1",
        "0xp1",   "0x1p", "1 ",     " 1", "--1",   "+-1", "infi", "+nan",
        "nan(1)", "1f",   "0x-1p1", "e5", "1.2.3", "_1",  "1__0"}) {
    double v = 0;
    INFO(bad);
    CHECK(!ParseGoFloat(bad, v));
  }
}

TEST_CASE("what was printed is read back bit for bit") {
  uint64_t x = 88172645463325252;
  for (int i = 0; i < 20000; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    const double v = FromBits(x);
    if (std::isnan(v)) continue;
    for (const char format : {'g', 'f', 'e'}) {
      double back = 0;
      REQUIRE(ParseGoFloat(FormatFloat(v, format), back));
      REQUIRE(Bits(back) == Bits(v));
    }
  }
}

}  // namespace
}  // namespace narthex
