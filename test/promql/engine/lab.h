// A store in memory, filled in the notation of the .test files, and an engine
// over it that answers in text.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"
#include "narthex/promql/parser.h"

namespace narthex::promql::test {

class Lab {
 public:
  explicit Lab(EngineOptions options = {}) : engine_(options) {}

  // Sample i of every line is at i * step.
  void Load(Duration step, std::vector<std::string> lines) {
    for (const std::string& line : lines) {
      auto described = ParseSeriesDescription(line);
      if (!described.ok()) {
        failure_ = std::string(Message(described.status()));
        return;
      }
      SeriesData series;
      series.labels = described->labels;
      for (size_t i = 0; i < described->values.size(); ++i) {
        const SeriesValue& value = described->values[i];
        const Timestamp t = static_cast<int64_t>(i) * step.ms;
        if (value.omitted) continue;
        if (value.histogram != nullptr) {
          series.histograms.emplace_back(t, *value.histogram);
        } else {
          series.floats.push_back({t, value.value});
        }
      }
      rows_.push_back(std::move(series));
    }
    store_ = NewMemoryQueryable(rows_);
  }

  absl::StatusOr<QueryResult> TryAt(std::string_view query, Duration at) {
    if (!failure_.empty()) return InvalidArgument(failure_);
    return engine_.Instant(*store_, query, Timestamp(at.ms));
  }
  absl::StatusOr<QueryResult> TryRange(std::string_view query, Duration from,
                                       Duration to, Duration step) {
    if (!failure_.empty()) return InvalidArgument(failure_);
    return engine_.Range(*store_, query, {from.ms, to.ms}, step);
  }

  // The answer as text, or the error's.
  std::string At(std::string_view query, Duration at) {
    return Tell(TryAt(query, at));
  }
  std::string Range(std::string_view query, Duration from, Duration to,
                    Duration step) {
    return Tell(TryRange(query, from, to, step));
  }

  Queryable& store() { return *store_; }
  const Engine& engine() const { return engine_; }

 private:
  static std::string Tell(const absl::StatusOr<QueryResult>& result) {
    if (!result.ok()) return std::string(Message(result.status()));
    std::string out = ToString(result->value);
    for (Annotation::Kind kind :
         {Annotation::Kind::kWarning, Annotation::Kind::kInfo}) {
      for (const std::string& text :
           result->annotations.Render(kind, result->query)) {
        out += "\n" + text;
      }
    }
    return out;
  }

  Engine engine_;
  std::vector<SeriesData> rows_;
  std::unique_ptr<Queryable> store_ = NewMemoryQueryable({});
  std::string failure_;
};

}  // namespace narthex::promql::test
