#include "narthex/model/labels.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "narthex/model/labels_builder.h"

namespace narthex {
namespace {

TEST_CASE("labels are sorted, unique and without empty values") {
  const Labels labels = {
      {"z", "1"}, {"a", "first"}, {"empty", ""}, {"a", "last"}};
  CHECK(labels.ToString() == R"({a="last", z="1"})");
  CHECK(labels.size() == 2);
  CHECK(labels.Get("a") == "last");
  CHECK(labels.Get("nosuch").empty());
  CHECK(labels.Has("z"));
  CHECK(Labels().empty());
  CHECK(Labels().ToString() == "{}");
}

TEST_CASE("the packing is the one whose hash Prometheus shows") {
  const Labels labels = {{"__name__", "up"}, {"job", "x"}};
  CHECK(labels.packed() == std::string("\x08__name__\x02up\x03job\x01x"));
  // xxHash64 of nothing, and of those bytes.
  CHECK(Labels().Hash() == 0xef46db3751d8e999);
  const std::string longer(300, 'v');
  const Labels large = {{"l", longer}};
  CHECK(large.packed().substr(0, 6) == std::string("\x01l\xff\x2c\x01\x00", 6));
  CHECK(large.Get("l") == longer);
}

TEST_CASE("labels are ordered pair by pair, the shorter prefix first") {
  std::vector<Labels> sorted = {
      {},
      {{"a", "b"}},
      {{"a", "b"}, {"b", "c"}},
      {{"a", "b"}, {"c", "a"}},
      {{"a", "bb"}},
      {{"a", std::string(300, 'b')}},
      {{"a", "c"}},
      {{"aa", "a"}},
      {{"b", "a"}},
      {{"\xc3\xa9", "a"}},
  };
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t j = 0; j < sorted.size(); ++j) {
      INFO(i << " " << j);
      CHECK(((sorted[i] <=> sorted[j]) == (i <=> j)));
    }
  }
}

TEST_CASE("a series is written as PromQL writes it") {
  CHECK(Labels({{"__name__", "up"}, {"job", "x"}}).ToMetricString() ==
        R"(up{job="x"})");
  CHECK(Labels({{"__name__", "up"}}).ToMetricString() == "up");
  CHECK(Labels({{"job", "x\n\"\\"}}).ToMetricString() == R"({job="x\n\"\\"})");
  CHECK(Labels().ToMetricString() == "{}");
  CHECK(Labels({{"a.b", "1"}}).ToString() == R"({"a.b"="1"})");
}

TEST_CASE("text is quoted as Go quotes it") {
  CHECK(GoQuote("") == R"("")");
  CHECK(GoQuote("a\tb\a\x01\x7f") == R"("a\tb\a\x01\x7f")");
  CHECK(GoQuote("caf\xc3\xa9 \xf0\x9f\x98\x80") ==
        "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"");
  CHECK(GoQuote("\xff\xc3") == R"("\xff\xc3")");
  CHECK(GoQuote("\xc2\xa0\xe2\x80\xa8\xef\xbb\xbf") ==
        R"("\u00a0\u2028\ufeff")");
}

TEST_CASE("names and UTF-8 are told valid from invalid") {
  CHECK(IsLegacyMetricName("a:b_9"));
  CHECK(!IsLegacyMetricName("9a"));
  CHECK(!IsLegacyMetricName(""));
  CHECK(!IsLegacyLabelName("a:b"));
  CHECK(IsValidUtf8("plain ascii that is long enough, caf\xc3\xa9"));
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "12345678\x80"}) {
    CHECK(!IsValidUtf8(bad));
  }
}

TEST_CASE("a builder edits on top of a base") {
  LabelsBuilder b(Labels{{"a", "1"}, {"b", "2"}, {"c", "3"}});
  b.Set("b", "two");
  b.Del("a");
  b.Set("d", "4");
  b.Set("d", "four");
  CHECK(b.Get("b") == "two");
  CHECK(b.Get("a").empty());
  CHECK(b.Build() == Labels{{"b", "two"}, {"c", "3"}, {"d", "four"}});
  b.Keep({"d", "c"});
  CHECK(b.Build() == Labels{{"c", "3"}, {"d", "four"}});
  b.Reset(Labels{{"x", "y"}});
  CHECK(b.Build() == Labels{{"x", "y"}});
}

TEST_CASE("a scratch sorts what it collected and finds duplicates") {
  LabelsScratch s;
  s.Add("b", "2");
  s.Add("a", "1");
  s.Add("c", "");
  s.Sort();
  std::string_view twice;
  CHECK(!s.HasDuplicate(twice));
  Labels out = {{"old", "gone"}};
  s.BuildInto(out);
  CHECK(out == Labels{{"a", "1"}, {"b", "2"}});
  s.Add("b", "3");
  s.Sort();
  REQUIRE(s.HasDuplicate(twice));
  CHECK(twice == "b");
}

}  // namespace
}  // namespace narthex
