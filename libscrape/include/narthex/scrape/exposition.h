// Pages of metrics, read one entry at a time: the text format 0.0.4 (and 1.0.0,
// whose names may be quoted) and OpenMetrics 1.0.
//
// A parser never allocates per entry and never copies: its views point into the
// page (or, where a text holds escapes, into a buffer that the next call
// reuses), which must stay.  One thread.  Any bytes are legal input: garbage
// ends in an error with line and column, after the entries before it.

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
#include "narthex/model/labels_builder.h"
#include "narthex/model/metadata.h"

namespace narthex::scrape {

// What a target may be asked for, by the names of the configuration.
enum class ScrapeProtocol : uint8_t {
  kPrometheusText004,   // PrometheusText0.0.4
  kPrometheusText100,   // PrometheusText1.0.0
  kOpenMetricsText001,  // OpenMetricsText0.0.1
  kOpenMetricsText100   // OpenMetricsText1.0.0
};

absl::StatusOr<ScrapeProtocol> ParseScrapeProtocol(std::string_view text);
std::string_view ScrapeProtocolName(ScrapeProtocol protocol);

// OpenMetrics 1.0.0 and 0.0.1, text 1.0.0 and 0.0.4, best first.
std::vector<ScrapeProtocol> DefaultScrapeProtocols();

enum class PageFormat : uint8_t { kText, kOpenMetrics };

// The format that a Content-Type names.  `fallback` is for types that are
// missing, unknown or malformed; without it they are an error, in Prometheus's
// words.
absl::StatusOr<PageFormat> NegotiateFormat(
    std::string_view content_type,
    std::optional<ScrapeProtocol> fallback = std::nullopt);

// The Accept header for these protocols, weights descending; `utf8_names`:
// those that can are asked not to escape names.
std::string AcceptHeader(const std::vector<ScrapeProtocol> &protocols,
                         bool utf8_names);

class ExpositionParser {
 public:
  enum class Entry : uint8_t {
    kEnd,  // of the page, or at an error: ask status()
    kSeries,
    kType,
    kHelp,
    kUnit,
    kComment
  };

  // `page` is borrowed.
  ExpositionParser(std::string_view page, PageFormat format);
  ~ExpositionParser();
  ExpositionParser(ExpositionParser &&) noexcept;
  ExpositionParser &operator=(ExpositionParser &&) noexcept;

  Entry Next();
  // OK, or why the page ended early: `expected value after metric, got "x"
  // ("EOL") while parsing: "up x" (line 3, column 4)`.
  const absl::Status &status() const;

  // --- Of a kSeries.

  // Name and labels as they stand in the page: a key for caches.
  std::string_view series() const;
  double value() const;
  std::optional<Timestamp> timestamp() const;
  // Appends to `out` (after clearing it) the name and the labels, unsorted,
  // `le` and `quantile` written as floats.  Views live until the next Next().
  void GetLabels(LabelsScratch &out);
  // OpenMetrics: the sample's exemplar.
  bool GetExemplar(Exemplar &out);

  // --- Of a kType, kHelp, kUnit.

  std::string_view metric() const;
  MetricType type() const;
  std::string_view text() const;  // of a help (unescaped), unit or comment

  // Where the entry begins: offset in the page, and line (from 1).
  size_t offset() const;
  size_t line() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex::scrape
