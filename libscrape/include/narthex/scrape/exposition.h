// Pages of metrics, read one entry at a time: the text format 0.0.4 (and 1.0.0,
// whose names may be quoted), OpenMetrics 1.0, and protobuf.
//
// A parser never allocates per entry and never copies: its views point into the
// page (or, where a text holds escapes, into a buffer that the next call
// reuses), which must stay.  One thread.  Any bytes are legal input: garbage
// ends in an error with line and column (of protobuf: with the offset of the
// family), after the entries before it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/model/labels_builder.h"
#include "narthex/model/metadata.h"

namespace narthex::scrape {

// What a target may be asked for, by the names of the configuration.
enum class ScrapeProtocol : uint8_t {
  kPrometheusProto,     // PrometheusProto
  kPrometheusText004,   // PrometheusText0.0.4
  kPrometheusText100,   // PrometheusText1.0.0
  kOpenMetricsText001,  // OpenMetricsText0.0.1
  kOpenMetricsText100   // OpenMetricsText1.0.0
};

absl::StatusOr<ScrapeProtocol> ParseScrapeProtocol(std::string_view text);
std::string_view ScrapeProtocolName(ScrapeProtocol protocol);

// OpenMetrics 1.0.0 and 0.0.1, text 1.0.0 and 0.0.4, best first.
std::vector<ScrapeProtocol> DefaultScrapeProtocols();
// The same behind protobuf: what jobs that want native histograms ask for.
std::vector<ScrapeProtocol> ProtobufFirstScrapeProtocols();

enum class PageFormat : uint8_t { kText, kOpenMetrics, kProtobuf };

// How a server is asked to write names that are not plain identifiers, by the
// names of metric_name_escaping_scheme.
enum class NameEscaping : uint8_t { kAllowUtf8, kUnderscores, kDots, kValues };
absl::StatusOr<NameEscaping> ParseNameEscaping(std::string_view text);
std::string_view NameEscapingName(NameEscaping escaping);

// The format that a Content-Type names.  `fallback` is for types that are
// missing, unknown or malformed; without it they are an error, in Prometheus's
// words.
absl::StatusOr<PageFormat> NegotiateFormat(
    std::string_view content_type,
    std::optional<ScrapeProtocol> fallback = std::nullopt);

// The Accept header for these protocols, weights descending; those that can are
// asked for this escaping.
std::string AcceptHeader(const std::vector<ScrapeProtocol> &protocols,
                         NameEscaping escaping);

struct ParserOptions {
  // Of protobuf: histograms are shown as classic ones, whatever else they have.
  bool ignore_native_histograms = false;
  // Classic histograms are shown as native ones with custom buckets.
  bool convert_classic_histograms_to_nhcb = false;
  // Classic histograms are shown beside the native ones.
  bool keep_classic_histograms = false;
  // OpenMetrics: `_created` lines are start times and no series.
  bool start_times = false;
};

class ExpositionParser {
 public:
  enum class Entry : uint8_t {
    kEnd,  // of the page, or at an error: ask status()
    kSeries,
    kType,
    kHelp,
    kUnit,
    kComment,
    kHistogram  // a series whose value is a native histogram
  };

  // `page` is borrowed.
  ExpositionParser(std::string_view page, PageFormat format,
                   const ParserOptions &options = {});
  ~ExpositionParser();
  ExpositionParser(ExpositionParser &&) noexcept;
  ExpositionParser &operator=(ExpositionParser &&) noexcept;

  Entry Next();
  // OK, or why the page ended early: `expected value after metric, got "x"
  // ("EOL") while parsing: "up x" (line 3, column 4)`.
  const absl::Status &status() const;

  // --- Of a kSeries or kHistogram.

  // Name and labels as they stand in the page, or (of protobuf and of
  // histograms) bytes that stand for them: a key for caches.
  std::string_view series() const;
  double value() const;  // of a kSeries
  // Of a kHistogram: one of them, the other is null.  Not validated.
  const Histogram *histogram() const;
  const FloatHistogram *float_histogram() const;
  std::optional<Timestamp> timestamp() const;
  // Appends to `out` (after clearing it) the name and the labels, unsorted,
  // `le` and `quantile` written as floats.  Views live until the next Next().
  void GetLabels(LabelsScratch &out);
  // The sample's next exemplar; false: there is none any more.
  bool GetExemplar(Exemplar &out);
  // Since when the sample counts; 0: it does not say so.
  Timestamp start_time();

  // --- Of a kType, kHelp, kUnit.

  std::string_view metric() const;
  MetricType type() const;
  std::string_view text() const;  // of a help (unescaped), unit or comment

  // Where the entry begins: offset in the page, and line (from 1; of protobuf
  // 0).
  size_t offset() const;
  size_t line() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex::scrape
