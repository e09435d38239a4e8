// Every kind of warning and info that Prometheus 3.14 has, with its text and
// its place.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "test/promql/engine/lab.h"

namespace narthex::promql::test {
namespace {

struct Case {
  const char* query;
  const char* note;
};

std::vector<std::string> Lines() {
  return {
      "m 1 2 3",
      "m_total 1 2 3",
      "b_bucket{le=\"1\"} 5 5 5",
      "b_bucket{le=\"2\"} 3 3 3",
      "b_bucket{le=\"+Inf\"} 9 9 9",
      "c_bucket{le=\"one\"} 1 1 1",
      "turns 1 {{count:1 buckets:[1]}} 2",
      "both{k=\"float\"} 1 1 1",
      "both{k=\"histogram\"} {{count:1 buckets:[1]}}x2",
      "alike{le=\"+Inf\"} 1 1 1",
      "alike {{count:1 buckets:[1]}}x2",
      "gauge {{count:1 counter_reset_hint:gauge buckets:[1]}}x2",
      "counter {{count:1 buckets:[1]}}x2",
      "kinds{k=\"exponential\"} {{count:1 buckets:[1]}}x2",
      "kinds{k=\"custom\"} "
      "{{schema:-53 count:1 custom_values:[1] buckets:[1]}}x2",
      "bounds{k=\"one\"} "
      "{{schema:-53 count:1 custom_values:[1 2] buckets:[1]}}x2",
      "bounds{k=\"two\"} "
      "{{schema:-53 count:1 custom_values:[1 3] buckets:[1]}}x2",
      "hints{k=\"reset\"} {{count:1 counter_reset_hint:reset buckets:[1]}}x2",
      "hints{k=\"not\"} "
      "{{count:1 counter_reset_hint:not_reset buckets:[1]}}x2",
      "nans {{count:3 sum:NaN buckets:[1]}}x2",
  };
}

EngineOptions Everything() {
  EngineOptions options;
  options.experimental_functions = true;
  return options;
}

const Case kInstant[] = {
    {"limit_ratio(1.5, m)",
     "PromQL warning: ratio value should be between -1 and 1, got 1.5, capping "
     "to 1 (1:13)"},
    {"limit_ratio(-1.5, m)",
     "PromQL warning: ratio value should be between -1 and 1, got -1.5, "
     "capping to -1 (1:13)"},
    {"quantile(1.5, m)",
     "PromQL warning: quantile value should be between 0 and 1, got 1.5 "
     "(1:10)"},
    {"histogram_quantile(NaN, b_bucket)",
     "PromQL warning: quantile value should be between 0 and 1, got NaN "
     "(1:20)"},
    {"histogram_quantile(0.5, c_bucket)",
     "PromQL warning: bucket label \"le\" is missing or has a malformed value "
     "of \"one\" (1:25)"},
    {"rate(turns[5m])",
     "PromQL warning: encountered a mix of histograms and floats for metric "
     "name \"turns\" (1:6)"},
    {"sum(both)",
     "PromQL warning: encountered a mix of histograms and floats for "
     "aggregation (1:5)"},
    {"histogram_quantile(0.5, alike)",
     "PromQL warning: vector contains a mix of classic and native histograms "
     "(1:25)"},
    {"rate(gauge[5m])",
     "PromQL warning: this native histogram metric is not a counter: "
     "\"gauge\" (1:6)"},
    {"delta(counter[5m])",
     "PromQL warning: this native histogram metric is not a gauge: "
     "\"counter\" (1:7)"},
    {"sum(kinds)",
     "PromQL warning: vector contains a mix of histograms with exponential and "
     "custom buckets schemas for metric name \"kinds\" (1:5)"},
    {"kinds{k=\"custom\"} + ignoring(k) kinds{k=\"exponential\"}",
     "PromQL warning: incompatible bucket layout encountered for binary "
     "operator + (1:1)"},
    {"hints{k=\"reset\"} + ignoring(k) hints{k=\"not\"}",
     "PromQL warning: conflicting counter resets during histogram addition "
     "(1:1)"},
    {"1 * (hints{k=\"reset\"} - ignoring(k) hints{k=\"not\"})",
     "PromQL warning: conflicting counter resets during histogram subtraction "
     "(1:6)"},
    {"sum(hints)",
     "PromQL warning: conflicting counter resets during histogram aggregation "
     "(1:5)"},
    {"rate(m[5m])",
     "PromQL info: metric might not be a counter, name does not end in "
     "_total/_sum/_count/_bucket: \"m\" (1:6)"},
    {"histogram_quantile(0.5, b_bucket)",
     "PromQL info: input to histogram_quantile needed to be fixed for "
     "monotonicity (see "
     "https://prometheus.io/docs/prometheus/latest/querying/functions/"
     "#histogram_quantile), from buckets 2 to 2, with a max diff of 2, over 1 "
     "samples from 1970-01-01T00:02:00Z to 1970-01-01T00:02:00Z (1:25)"},
    {"m +\n  ignoring(k) both{k=\"histogram\"}",
     "PromQL info: incompatible sample types encountered for binary operator "
     "\"+\": float + histogram (1:1)"},
    {"counter > 1",
     "PromQL info: incompatible sample types encountered for binary operator "
     "\">\": histogram > float (1:1)"},
    {"max(counter)", "PromQL info: ignored histogram in max aggregation (1:5)"},
    {"-topk(1, counter)",
     "PromQL info: ignored histogram in topk aggregation (1:2)"},
    {"\nmax_over_time(turns[5m])",
     "PromQL info: ignored histograms in a range containing both floats and "
     "histograms for metric name \"turns\" (2:15)"},
    {"histogram_quantile(0.9, nans)",
     "PromQL info: input to histogram_quantile has NaN observations, result is "
     "NaN (1:25)"},
    {"histogram_quantile(0.1, nans)",
     "PromQL info: input to histogram_quantile has NaN observations, result is "
     "skewed higher (1:25)"},
    {"histogram_fraction(0, 1, nans)",
     "PromQL info: input to histogram_fraction has NaN observations, which are "
     "excluded from all fractions (1:26)"},
    {"bounds{k=\"one\"} + ignoring(k) bounds{k=\"two\"}",
     "PromQL info: mismatched custom buckets were reconciled during addition "
     "(1:1)"},
    {"bounds{k=\"one\"} - ignoring(k) bounds{k=\"two\"}",
     "PromQL info: mismatched custom buckets were reconciled during "
     "subtraction (1:1)"},
    {"avg(bounds)",
     "PromQL info: mismatched custom buckets were reconciled during "
     "aggregation (1:5)"},
};

// All that a query has to say.
std::vector<std::string> Notes(const absl::StatusOr<QueryResult>& result) {
  std::vector<std::string> out;
  if (!result.ok()) return {std::string(Message(result.status()))};
  for (Annotation::Kind kind :
       {Annotation::Kind::kWarning, Annotation::Kind::kInfo}) {
    for (std::string& text : result->annotations.Render(kind, result->query)) {
      out.push_back(std::move(text));
    }
  }
  return out;
}

using Texts = std::vector<std::string>;

TEST_CASE("every annotation has Prometheus's text and place",
          "[promql][engine]") {
  Lab lab(Everything());
  lab.Load(Minutes(1), Lines());
  for (const Case& one : kInstant) {
    INFO(one.query);
    CHECK(Notes(lab.TryAt(one.query, Minutes(2))) == Texts{one.note});
  }
  CHECK(Notes(lab.TryRange("sort(m)", Minutes(0), Minutes(2), Minutes(1))) ==
        Texts{"PromQL warning: sort is ineffective for range queries since "
              "results are always ordered by labels (1:1)"});
}

TEST_CASE("quantiles name the metric only if names are removed late",
          "[promql][engine]") {
  EngineOptions options = Everything();
  options.delayed_name_removal = true;
  Lab lab(options);
  lab.Load(Minutes(1), Lines());
  for (const auto& [query, ending] :
       {std::pair("histogram_quantile(0.5, c_bucket)",
                  " of \"one\" for metric name \"c_bucket\" (1:25)"),
        std::pair("histogram_quantile(0.5, alike)",
                  " for metric name \"alike\" (1:25)"),
        std::pair("histogram_quantile(0.9, nans)",
                  " for metric name \"nans\" (1:25)"),
        std::pair("histogram_fraction(0, 1, nans)",
                  " for metric name \"nans\" (1:26)")}) {
    INFO(query);
    const Texts notes = Notes(lab.TryAt(query, Minutes(2)));
    REQUIRE(notes.size() == 1);
    CHECK_THAT(notes[0], Catch::EndsWith(ending));
  }
}

TEST_CASE("a counter is known by its type if the engine is told to look there",
          "[promql][engine]") {
  EngineOptions options = Everything();
  options.type_and_unit_labels = true;
  Lab lab(options);
  lab.Load(Minutes(1), {"m{__type__=\"counter\"} 1 2 3",
                        "x_total{__type__=\"gauge\"} 1 2 3"});
  CHECK(Notes(lab.TryAt("rate(m[5m])", Minutes(2))).empty());
  CHECK(Notes(lab.TryAt("rate(x_total[5m])", Minutes(2))) ==
        Texts{"PromQL info: metric might not be a counter, __type__ label is "
              "not set to \"counter\" or \"histogram\", got \"gauge\": "
              "\"x_total\" (1:6)"});
}

TEST_CASE("overlapping start times are told once, with their number",
          "[promql][engine]") {
  EngineOptions options = Everything();
  options.start_timestamps = true;
  const Engine engine(options);
  std::vector<SeriesData> rows(2);
  for (int i = 0; i < 2; ++i) {
    rows[i].labels = {{"__name__", "m_total"}, {"i", i == 0 ? "0" : "1"}};
    rows[i].floats = {{60'000, 1}, {120'000, 2}};
    rows[i].start_times = {10'000, 30'000};
  }
  const auto store = NewMemoryQueryable(rows);
  const std::string text =
      "PromQL warning: sample has start time that overlaps with previous "
      "sample timestamp for metric \"m_total\"";
  CHECK(Notes(engine.Instant(*store, "rate(m_total{i=\"0\"}[5m])",
                             Timestamp(120'000))) == Texts{text + " (1:6)"});
  CHECK(
      Notes(engine.Instant(*store, "rate(m_total[5m])", Timestamp(120'000))) ==
      Texts{text + " (2 occurrences) (1:6)"});
}

}  // namespace
}  // namespace narthex::promql::test
