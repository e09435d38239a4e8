#include "narthex/base/time.h"

#include <catch2/catch.hpp>

#include "narthex/base/status.h"

namespace narthex {
namespace {

std::string Error(std::string_view text) {
  return std::string(Message(ParseDuration(text).status()));
}

TEST_CASE("durations are read as Prometheus reads them") {
  CHECK(*ParseDuration("0") == Duration());
  CHECK(*ParseDuration("90s") == Seconds(90));
  CHECK(*ParseDuration("1h30m") == Minutes(90));
  CHECK(*ParseDuration("1y2w3d4h5m6s7ms") == Days(365 + 14 + 3) + Hours(4) +
                                                 Minutes(5) + Seconds(6) +
                                                 Milliseconds(7));
  CHECK(*ParseDuration("292y") == Days(292 * 365));
}

TEST_CASE("durations that make no sense are refused in Prometheus's words") {
  CHECK(Error("") == "empty duration string");
  CHECK(Error("1") == "not a valid duration string: \"1\"");
  CHECK(Error("m") == "not a valid duration string: \"m\"");
  CHECK(Error("-5m") == "not a valid duration string: \"-5m\"");
  CHECK(Error("1m1h") == "not a valid duration string: \"1m1h\"");
  CHECK(Error("1m1m") == "not a valid duration string: \"1m1m\"");
  CHECK(Error("1.5h") == "unknown unit \".\" in duration \"1.5h\"");
  CHECK(Error("5m ") == "unknown unit \"m \" in duration \"5m \"");
  CHECK(Error("293y") == "duration out of range");
  CHECK(Error("99999999999999999999ms") == "duration out of range");
}

TEST_CASE("durations are printed in the shortest way that people read") {
  CHECK(FormatDuration(Duration()) == "0s");
  CHECK(FormatDuration(Minutes(90)) == "1h30m");
  CHECK(FormatDuration(Days(90)) == "90d");
  CHECK(FormatDuration(Days(14)) == "2w");
  CHECK(FormatDuration(Days(365)) == "1y");
  CHECK(FormatDuration(Days(366)) == "366d");
  CHECK(FormatDuration(Milliseconds(1001)) == "1s1ms");
  CHECK(FormatDuration(-Minutes(5)) == "-5m");
  CHECK(FormatDuration(Duration(kMinMillis)).starts_with("-"));
}

TEST_CASE("times are float seconds or RFC 3339") {
  CHECK(ParseTime("1795177652.194")->ms == 1795177652194);
  CHECK(ParseTime("-0.001")->ms == -1);
  CHECK(ParseTime("1e3")->ms == 1000000);
  CHECK(ParseTime("2026-11-20T12:23:53Z")->ms == 1795177433000);
  CHECK(ParseTime("2026-11-20T12:23:53.194999999Z")->ms == 1795177433194);
  CHECK(ParseTime("2026-11-20T14:23:53+02:00")->ms == 1795177433000);
  CHECK(ParseTime("2000-02-29T00:00:00Z")->ms == 951782400000);
  CHECK(ParseTime("1969-12-31T23:59:59.5Z")->ms == -500);
  CHECK(*ParseTime("-292273086-05-16T16:47:06Z") == kMinTime);
  for (const char* bad :
       {"", "now", "2026-02-29T00:00:00Z", "2026-11-20T24:00:00Z",
        "2026-11-20 12:00:00Z", "2026-11-20T12:00:00", "NaN", "Inf", "1e300",
        "12:30", "2026-11-20T12:23:53.Z"}) {
    INFO(bad);
    CHECK(!ParseTime(bad).ok());
  }
}

TEST_CASE("a time that was printed is read back") {
  for (const int64_t ms :
       {int64_t{0}, int64_t{-1}, int64_t{1795177433194}, int64_t{951782399999},
        int64_t{253402300799999}, int64_t{-62135596800000}}) {
    INFO(ms);
    CHECK(ParseTime(FormatRfc3339(ms))->ms == ms);
  }
  CHECK(FormatRfc3339(1795177433194) == "2026-11-20T12:23:53.194Z");
  CHECK(FormatRfc3339(1795177433000) == "2026-11-20T12:23:53Z");
}

TEST_CASE("seconds have as many decimals as they need") {
  CHECK(FormatSeconds(1795177652194) == "1795177652.194");
  CHECK(FormatSeconds(12000) == "12");
  CHECK(FormatSeconds(-1) == "-0.001");
  CHECK(FormatSeconds(1500) == "1.5");
}

TEST_CASE("the API's durations are seconds too") {
  CHECK(*ParseDurationOrSeconds("15") == Seconds(15));
  CHECK(*ParseDurationOrSeconds("0.5") == Milliseconds(500));
  CHECK(*ParseDurationOrSeconds("-10") == Seconds(-10));
  CHECK(*ParseDurationOrSeconds("5m") == Minutes(5));
  CHECK(!ParseDurationOrSeconds("").ok());
  CHECK(Message(ParseDurationOrSeconds("1e30").status()) ==
        "cannot parse \"1e30\" to a valid duration. It overflows int64");
}

TEST_CASE("time arithmetic stops at the ends") {
  CHECK(kMaxTime + Hours(1) == kMaxTime);
  CHECK(kMinTime - Hours(1) == kMinTime);
  CHECK((kMaxTime - kMinTime).ms == kMaxMillis);
  CHECK(Days(kMaxMillis).ms == kMaxMillis);
}

}  // namespace
}  // namespace narthex
