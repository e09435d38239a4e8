#include "libscrape/exposition/protobuf_parser.h"

#include <catch2/catch.hpp>
#include <limits>

#include "test/scrape/exposition/entries.h"
#include "test/scrape/exposition/protobuf_page.h"

namespace narthex::scrape {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Parsed Parse(const std::string& page, const ParserOptions& options = {}) {
  return ParsePage(page, PageFormat::kProtobuf, options);
}

// 3 observations in (1,2], 1 in (4,8], 2 around zero.
std::string NativeHistogram(bool with_buckets) {
  ProtobufMessage h;
  h.writer.add_uint64(1, 6);
  h.writer.add_double(2, 12.5);
  if (with_buckets) {
    h.Message(3, BucketMessage(5, 2, ExemplarMessage({{"id", "b"}}, 1.5, 7)));
    h.Message(3, BucketMessage(6, kInfinity));
  }
  h.writer.add_sint32(5, 0);
  h.writer.add_double(6, 0.001);
  h.writer.add_uint64(7, 2);
  h.Message(12, SpanMessage({1, 1}));
  h.Message(12, SpanMessage({1, 1}));
  h.writer.add_sint64(13, 3);
  h.writer.add_sint64(13, -2);
  h.Message(15, TimeMessage(1000, 500'000'000));
  return h.bytes;
}

// Reads all there is.
size_t CountEntries(const std::string& page, const ParserOptions& options) {
  ExpositionParser parser(page, PageFormat::kProtobuf, options);
  LabelsScratch labels;
  Exemplar exemplar;
  size_t n = 0;
  while (parser.Next() != ExpositionParser::Entry::kEnd) {
    parser.GetLabels(labels);
    while (parser.GetExemplar(exemplar)) ++n;
    ++n;
  }
  return n;
}

TEST_CASE("protobuf: numbers with labels, times, exemplars, start times",
          "[scrape][exposition]") {
  ProtobufMessage counter;
  counter.writer.add_double(1, 42);
  counter.Message(2, ExemplarMessage({{"trace_id", "x"}}, 0.5, 3));
  counter.Message(3, TimeMessage(1600000000, 250'000'000));
  const std::string page =
      FamilyPage("c_total", kCounterType,
                 {MetricMessage({{"b", "2"}, {"a", "1"}}, kCounterField,
                                counter.bytes)},
                 "Counts.", "things") +
      FamilyPage("empty", kGaugeType, {}) +
      FamilyPage("g", kGaugeType,
                 {MetricMessage({}, kGaugeField, NumberMessage(-1.5), 12345),
                  MetricMessage({{"x", ""}}, kGaugeField, NumberMessage(2))}) +
      FamilyPage("my.name", kUntypedType,
                 {MetricMessage({{"l.b", "\xc3\xa9"}}, kUntypedField,
                                NumberMessage(1e300))});
  const Parsed parsed = Parse(page);
  REQUIRE(parsed.error == "");
  REQUIRE(parsed.entries ==
          std::vector<std::string>{
              "HELP c_total Counts.", "UNIT c_total things",
              "TYPE c_total counter",
              R"({__name__="c_total", a="1", b="2"} 42 # {trace_id="x"} 0.5 )"
              "@3000 since 1600000000250",
              "HELP g ", "TYPE g gauge", R"({__name__="g"} -1.5 @12345)",
              R"({__name__="g"} 2)", "HELP my.name ", "TYPE my.name unknown",
              R"({__name__="my.name", "l.b"="é"} 1e+300)"});
}

TEST_CASE("protobuf: summaries and classic histograms come as their series",
          "[scrape][exposition]") {
  ProtobufMessage quantile;
  quantile.writer.add_double(1, 0.5);
  quantile.writer.add_double(2, 7);
  ProtobufMessage summary;
  summary.writer.add_uint64(1, 3);
  summary.writer.add_double(2, 21);
  summary.Message(3, quantile.bytes);
  ProtobufMessage bare;
  bare.writer.add_uint64(1, 1);
  ProtobufMessage h;
  h.writer.add_uint64(1, 4);
  h.writer.add_double(2, 9);
  h.Message(3, BucketMessage(1, 1, ExemplarMessage({}, 0.5)));
  h.Message(3, BucketMessage(3, 2.5));
  const std::string page =
      FamilyPage("s", kSummaryType,
                 {MetricMessage({{"q", "1"}}, kSummaryField, summary.bytes),
                  MetricMessage({{"q", "2"}}, kSummaryField, bare.bytes)}) +
      FamilyPage("h", kHistogramType,
                 {MetricMessage({}, kHistogramField, h.bytes)});
  const Parsed parsed = Parse(page);
  REQUIRE(parsed.error == "");
  REQUIRE(parsed.entries ==
          std::vector<std::string>{
              "HELP s ", "TYPE s summary", R"({__name__="s_count", q="1"} 3)",
              R"({__name__="s_sum", q="1"} 21)",
              R"({__name__="s", q="1", quantile="0.5"} 7)",
              R"({__name__="s_count", q="2"} 1)",
              R"({__name__="s_sum", q="2"} 0)", "HELP h ", "TYPE h histogram",
              R"({__name__="h_count"} 4)", R"({__name__="h_sum"} 9)",
              R"({__name__="h_bucket", le="1.0"} 1 # {} 0.5)",
              R"({__name__="h_bucket", le="2.5"} 3)",
              R"({__name__="h_bucket", le="+Inf"} 4)"});

  // Converted: buckets (-inf,1], (1,2.5], (2.5,inf).
  ParserOptions convert;
  convert.convert_classic_histograms_to_nhcb = true;
  const std::string native =
      R"({__name__="h"} {{schema:-53 count:4 sum:9 custom_values:[1 2.5])"
      " buckets:[1 2 1]}}";
  REQUIRE(Parse(page, convert).entries.back() == native);
  REQUIRE(Parse(page, convert).entries.size() == 10);
  convert.keep_classic_histograms = true;
  REQUIRE(Parse(page, convert).entries.back() == native);
  REQUIRE(Parse(page, convert).entries.size() == 15);
}

TEST_CASE("protobuf: native histograms, alone or beside classic ones",
          "[scrape][exposition]") {
  const std::string page = FamilyPage(
      "h", kHistogramType,
      {MetricMessage({}, kHistogramField, NativeHistogram(true)),
       MetricMessage({{"l", "2"}}, kHistogramField, NativeHistogram(false))});
  const std::string first =
      R"({__name__="h"} {{count:6 sum:12.5 z_bucket:2 z_bucket_w:0.001 )"
      R"(offset:1 buckets:[3 0 1]}} # {id="b"} 1.5 @7000 since 1000500)";
  const std::string second =
      R"({__name__="h", l="2"} {{count:6 sum:12.5 z_bucket:2 )"
      "z_bucket_w:0.001 offset:1 buckets:[3 0 1]}} since 1000500";
  Parsed parsed = Parse(page);
  REQUIRE(parsed.error == "");
  REQUIRE(parsed.entries == std::vector<std::string>{
                                "HELP h ", "TYPE h histogram", first, second});

  ParserOptions keep;
  keep.keep_classic_histograms = true;
  parsed = Parse(page, keep);
  REQUIRE(parsed.entries.size() == 8);
  REQUIRE(parsed.entries[3] == R"({__name__="h_count"} 6 since 1000500)");
  REQUIRE(parsed.entries[5] ==
          R"({__name__="h_bucket", le="2.0"} 5 # {id="b"} 1.5 @7000)"
          " since 1000500");
  REQUIRE(parsed.entries[7] == second);

  // Read as classic ones, however little there is of that.
  ParserOptions ignore;
  ignore.ignore_native_histograms = true;
  parsed = Parse(page, ignore);
  REQUIRE(parsed.entries.back() ==
          R"({__name__="h_bucket", l="2", le="+Inf"} 6 since 1000500)");
  REQUIRE(parsed.entries.size() == 9);
}

TEST_CASE("protobuf: float and gauge histograms, packed counts",
          "[scrape][exposition]") {
  ProtobufMessage h;
  h.writer.add_double(4, 7.5);
  h.writer.add_sint32(5, 3);
  h.Message(9, SpanMessage({-2, 2}));
  const std::vector<double> counts = {2.5, 5};
  h.writer.add_packed_double(11, counts.begin(), counts.end());
  ProtobufMessage gauge;
  gauge.writer.add_uint64(1, 3);
  gauge.writer.add_sint32(5, 3);
  gauge.Message(12, SpanMessage({0, 3}));
  const std::vector<int64_t> deltas = {2, -2, 1};
  gauge.writer.add_packed_sint64(13, deltas.begin(), deltas.end());
  ProtobufMessage none;
  none.Message(12, SpanMessage({0, 0}));
  const Parsed parsed =
      Parse(FamilyPage("f", kHistogramType,
                       {MetricMessage({}, kHistogramField, h.bytes)}) +
            FamilyPage("g", kGaugeHistogramType,
                       {MetricMessage({}, kHistogramField, gauge.bytes)}) +
            FamilyPage("none", kHistogramType,
                       {MetricMessage({}, kHistogramField, none.bytes)}));
  REQUIRE(parsed.error == "");
  REQUIRE(parsed.entries[2] ==
          R"({__name__="f"} float {{schema:3 count:7.5 n_offset:-2 )"
          "n_buckets:[2.5 5]}}");
  // The empty bucket is gone.
  REQUIRE(parsed.entries[5] ==
          R"({__name__="g"} {{schema:3 count:3 counter_reset_hint:gauge )"
          "buckets:[2 0 1]}}");
  REQUIRE(parsed.entries[8] == R"({__name__="none"} {{}})");
}

TEST_CASE("protobuf: exemplars of native histograms need a time",
          "[scrape][exposition]") {
  ProtobufMessage h;
  h.writer.add_uint64(1, 1);
  h.Message(12, SpanMessage({0, 1}));
  h.writer.add_sint64(13, 1);
  h.Message(16, ExemplarMessage({{"n", "1"}}, 1));
  h.Message(16, ExemplarMessage({{"n", "2"}}, 2, 20));
  h.Message(16, ExemplarMessage({{"n", "3"}}, 3, 10));
  const Parsed parsed = Parse(FamilyPage(
      "h", kHistogramType, {MetricMessage({}, kHistogramField, h.bytes)}));
  REQUIRE(parsed.entries[2] ==
          R"({__name__="h"} {{count:1 buckets:[1]}} # {n="2"} 2 @20000)"
          R"( # {n="3"} 3 @10000)");
}

TEST_CASE("protobuf: damage is an error that says where",
          "[scrape][exposition]") {
  const std::string good = FamilyPage(
      "g", kGaugeType, {MetricMessage({}, kGaugeField, NumberMessage(1))});
  const auto error = [&](const std::string& behind) {
    const Parsed parsed = Parse(good + behind);
    REQUIRE(parsed.entries.size() >= 3);
    return parsed.error;
  };
  REQUIRE(error(std::string(1, '\x05')) ==
          "byte 19: clientpb: insufficient length of buffer, expected at least "
          "6 bytes, got 1 bytes");
  REQUIRE(error("\xff\xff\xff\xff\xff\xff\x01") ==
          "byte 19: clientpb: invalid varint encountered");
  REQUIRE(error("\xff").starts_with("byte 19: "));
  REQUIRE(
      error(FamilyPage("", kGaugeType,
                       {MetricMessage({}, kGaugeField, NumberMessage(1))})) ==
      "byte 19: invalid metric name: ");
  REQUIRE(error(FamilyPage(
              "x", 17, {MetricMessage({}, kGaugeField, NumberMessage(1))})) ==
          "byte 19: unknown metric type for metric \"x\": 17");
  REQUIRE(error(FamilyPage(
              "x", kGaugeType,
              {MetricMessage({{"", "v"}}, kGaugeField, NumberMessage(1))})) ==
          "byte 19: invalid label name: ");
  REQUIRE(error(FamilyPage("x", kGaugeType,
                           {MetricMessage({{"l", "\xff"}}, kGaugeField,
                                          NumberMessage(1))})) ==
          "byte 19: invalid label value: \xff");
  ProtobufMessage h;
  h.Message(12, SpanMessage({0, 4'000'000'000}));
  h.writer.add_sint64(13, 1);
  REQUIRE(error(FamilyPage("x", kHistogramType,
                           {MetricMessage({}, kHistogramField, h.bytes)})) ==
          "byte 19: histogram \"x\": positive side: spans require 4000000000 "
          "buckets, have 1");
  // A known field of another kind; a length beyond its message.
  ProtobufMessage wrong;
  wrong.writer.add_uint64(1, 5);
  REQUIRE(error(FamilyPage("x", kGaugeType,
                           {MetricMessage({}, kGaugeField, wrong.bytes)})) ==
          "byte 19: proto: wrong wireType = 0 for field 1 of Gauge");
  REQUIRE(error("\x03\x0a\x7fx").starts_with("byte 19: "));
}

TEST_CASE("protobuf: every prefix and every changed byte ends", "[scrape]") {
  const std::string page = FamilyPage(
      "h", kHistogramType,
      {MetricMessage({{"l", "v"}}, kHistogramField, NativeHistogram(true))},
      "Help.", "unit");
  for (const bool convert : {false, true}) {
    ParserOptions options;
    options.convert_classic_histograms_to_nhcb = convert;
    options.keep_classic_histograms = true;
    options.ignore_native_histograms = convert;
    for (size_t n = 0; n < page.size(); ++n) {
      REQUIRE(CountEntries(page.substr(0, n), options) < 100);
      for (int bit = 0; bit < 8; ++bit) {
        std::string damaged = page;
        damaged[n] = static_cast<char>(damaged[n] ^ (1 << bit));
        REQUIRE(CountEntries(damaged, options) < 100);
      }
    }
  }
}

}  // namespace
}  // namespace narthex::scrape
