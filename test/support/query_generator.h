// Random PromQL over a fixed vocabulary: sound in type, rich in corners, the
// same for the same seed.  Two tests ask for it: the naive evaluator's (engine
// and evaluator agree to the bit) and the interop test with the real
// Prometheus.
//
// The vocabulary is what both fill their stores with:
//
//   requests_total{code,instance,job}  counters that are reset now and then
//   errors_total{instance,job}         counters, gaps, some series end early
//   load{instance,job}                 gauges of either sign
//   temp{instance,room}                gauges with many equal values
//   odd{kind}                          NaN, infinities, huge and tiny numbers
//   up{instance,job}                   0 and 1
//   build_info{instance,job,version}   1
//   target_info{instance,job,zone}     1
//   latency_bucket{job,le}             a classic histogram
//   size{instance,job}                 native histograms, exponential
//   custom{job}                        native histograms, custom buckets
//   mixed{instance}                    floats and native histograms in turn
//   strange{kind}                      native histograms of every oddity
//
// One thread.

#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace narthex::test {

struct QueryGeneratorOptions {
  // Of 3.14 or behind its flags: fill, trim operators, anchored and smoothed,
  // duration expressions, step() and its like, histogram_quantiles.
  bool newest = false;
  // What of promql-experimental-functions Prometheus 3.5 has too.
  bool experimental = true;
  bool native_histograms = false;
  bool strange_histograms = false;  // among them
  // Absolute times behind @, seconds.
  int64_t first_second = 0;
  int64_t last_second = 2400;
  int depth = 3;
};

class QueryGenerator {
 public:
  QueryGenerator(uint64_t seed, QueryGeneratorOptions options)
      : random_(seed), options_(options) {}

  std::string Next();

 private:
  using Texts = std::initializer_list<std::string_view>;

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(int percent) {
    return Below(100) < static_cast<uint64_t>(percent);
  }
  std::string Pick(Texts texts);

  std::string Scalar(int depth);
  std::string Vector(int depth);
  std::string Matrix(int depth);
  // In parentheses unless it binds more tightly than any operator.
  std::string Operand(std::string text);

  std::string Number();
  std::string Duration();
  std::string Selector();
  std::string Times();
  std::string LabelList();
  std::string Matching(bool set_operator);
  std::string Aggregation(int depth);
  std::string OverTime(int depth);
  std::string ClassicHistogram(int depth);
  std::string NativeHistogram(int depth);
  std::string VectorBinary(int depth);
  std::string SetOperation(int depth);
  std::string WithScalar(int depth);
  std::string OfLabels(int depth);
  std::string Elementwise(int depth);
  std::string Newest(int depth);
  std::string Other(int depth);

  std::mt19937_64 random_;
  const QueryGeneratorOptions options_;
};

// The shortest query that comes out of `query` by putting parts of it in the
// place of the whole and that still `fails`.
std::string MinimiseQuery(const std::string& query,
                          const std::function<bool(const std::string&)>& fails);

}  // namespace narthex::test
