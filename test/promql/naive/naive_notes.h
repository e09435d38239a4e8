// The warnings and infos of the naive evaluator: texts written from
// promql.md 1.13, with every position at which each was met.
//
// Values; one thread.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "narthex/base/status.h"
#include "narthex/model/annotations.h"

namespace narthex::promql::naive {

struct Note {
  bool warning = false;
  std::string text = {};
  TextRange at = {};
};

class Notes {
 public:
  // Whether a warning, and its text.
  using Key = std::pair<bool, std::string>;

  void Add(const Note& note) {
    all_[{note.warning, note.text}].insert(note.at.begin);
  }
  void Warn(std::string text, TextRange at) {
    Add({true, std::move(text), at});
  }
  void Info(std::string text, TextRange at) {
    Add({false, std::move(text), at});
  }

  // The two kinds that are one with their like.
  struct Repairs {
    double from = 0, to = 0, difference = 0;
    int64_t samples = 0, first = 0, last = 0;
    std::set<uint32_t> at = {};
  };
  void Repaired(const std::string& metric, const Repairs& one) {
    const auto [known, fresh] = repairs_.try_emplace(metric, one);
    if (fresh) return;
    Repairs& all = known->second;
    all.from = std::min(all.from, one.from);
    all.to = std::max(all.to, one.to);
    all.difference = std::max(all.difference, one.difference);
    all.samples += one.samples;
    all.first = std::min(all.first, one.first);
    all.last = std::max(all.last, one.last);
    all.at.insert(one.at.begin(), one.at.end());
  }
  void Overlap(const std::string& metric, TextRange at) {
    auto& [n, positions] = overlaps_[metric];
    ++n;
    positions.insert(at.begin);
  }

  const std::map<Key, std::set<uint32_t>>& all() const { return all_; }
  const std::map<std::string, Repairs>& repairs() const { return repairs_; }
  const std::map<std::string, std::pair<int64_t, std::set<uint32_t>>>&
  overlaps() const {
    return overlaps_;
  }

 private:
  std::map<Key, std::set<uint32_t>> all_ = {};
  std::map<std::string, Repairs> repairs_ = {};
  std::map<std::string, std::pair<int64_t, std::set<uint32_t>>> overlaps_ = {};
};

inline std::string MixedFloats(const std::string& metric) {
  return StrCat("encountered a mix of histograms and floats for metric name ",
                GoQuote(metric));
}
inline std::string MixedSchemas(const std::string& metric) {
  return StrCat(
      "vector contains a mix of histograms with exponential and custom buckets "
      "schemas for metric name ",
      GoQuote(metric));
}
inline std::string IgnoredInRange(const std::string& metric) {
  return StrCat(
      "ignored histograms in a range containing both floats and histograms for "
      "metric name ",
      GoQuote(metric));
}
inline std::string NoCounter(const std::string& metric) {
  return StrCat("this native histogram metric is not a counter: ",
                GoQuote(metric));
}
inline std::string NoGauge(const std::string& metric) {
  return StrCat("this native histogram metric is not a gauge: ",
                GoQuote(metric));
}
inline std::string BadQuantile(double q) {
  return StrCat("quantile value should be between 0 and 1, got ",
                FormatFloat(q));
}
inline std::string Conflicting(std::string_view what) {
  return StrCat("conflicting counter resets during histogram ", what);
}
inline std::string Reconciled(std::string_view what) {
  return StrCat("mismatched custom buckets were reconciled during ", what);
}
inline std::string IfNamed(const std::string& metric) {
  return metric.empty() ? std::string()
                        : StrCat(" for metric name ", GoQuote(metric));
}

}  // namespace narthex::promql::naive
