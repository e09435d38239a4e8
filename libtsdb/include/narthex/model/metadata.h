// What a metric says of itself: type, help, unit.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace narthex {

// The numbers are those of the WAL's metadata record (storage.md A11).
enum class MetricType : uint8_t {
  kUnknown = 0,
  kCounter = 1,
  kGauge = 2,
  kHistogram = 3,
  kGaugeHistogram = 4,
  kSummary = 5,
  kInfo = 6,
  kStateset = 7
};

// "counter", "gauge", ...: as /api/v1/metadata prints them.
std::string_view MetricTypeName(MetricType type);

struct Metadata {
  MetricType type = MetricType::kUnknown;
  std::string help = {};
  std::string unit = {};
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

}  // namespace narthex
