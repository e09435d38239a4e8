// Writes pages of io.prometheus.client.MetricFamily messages, field by field.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "narthex/model/histogram.h"

namespace narthex::scrape {

using Pairs =
    std::initializer_list<std::pair<std::string_view, std::string_view>>;

struct ProtobufMessage {
  std::string bytes;
  protozero::pbf_writer writer{bytes};

  void Text(uint32_t field, std::string_view text) {
    writer.add_bytes(field, text.data(), text.size());
  }
  void Message(uint32_t field, const std::string& message) {
    writer.add_message(field, message);
  }
};

inline std::string TimeMessage(int64_t seconds, int32_t nanos = 0) {
  ProtobufMessage m;
  m.writer.add_int64(1, seconds);
  if (nanos != 0) m.writer.add_int32(2, nanos);
  return m.bytes;
}

inline void AddPairs(ProtobufMessage& m, Pairs labels) {
  for (const auto& [name, value] : labels) {
    ProtobufMessage pair;
    pair.Text(1, name);
    pair.Text(2, value);
    m.Message(1, pair.bytes);
  }
}

inline std::string ExemplarMessage(Pairs labels, double value,
                                   int64_t seconds = 0) {
  ProtobufMessage m;
  AddPairs(m, labels);
  m.writer.add_double(2, value);
  if (seconds != 0) m.Message(3, TimeMessage(seconds));
  return m.bytes;
}

inline std::string MetricMessage(Pairs labels, uint32_t kind,
                                 const std::string& content,
                                 int64_t timestamp = 0) {
  ProtobufMessage m;
  AddPairs(m, labels);
  m.Message(kind, content);
  if (timestamp != 0) m.writer.add_int64(6, timestamp);
  return m.bytes;
}
// Kinds: the fields of Metric.
inline constexpr uint32_t kGaugeField = 2, kCounterField = 3, kSummaryField = 4,
                          kUntypedField = 5, kHistogramField = 7;
// Types of MetricFamily.
inline constexpr int32_t kCounterType = 0, kGaugeType = 1, kSummaryType = 2,
                         kUntypedType = 3, kHistogramType = 4,
                         kGaugeHistogramType = 5;

inline std::string NumberMessage(double value) {
  ProtobufMessage m;
  m.writer.add_double(1, value);
  return m.bytes;
}

inline std::string BucketMessage(uint64_t count, double bound,
                                 const std::string& exemplar = {}) {
  ProtobufMessage m;
  m.writer.add_uint64(1, count);
  m.writer.add_double(2, bound);
  if (!exemplar.empty()) m.Message(3, exemplar);
  return m.bytes;
}

inline std::string SpanMessage(const Span& span) {
  ProtobufMessage m;
  m.writer.add_sint32(1, span.offset);
  m.writer.add_uint32(2, span.length);
  return m.bytes;
}

// A family behind its length.
inline std::string FamilyPage(std::string_view name, int32_t type,
                              const std::vector<std::string>& metrics,
                              std::string_view help = "",
                              std::string_view unit = "") {
  ProtobufMessage m;
  m.Text(1, name);
  if (!help.empty()) m.Text(2, help);
  m.writer.add_enum(3, type);
  for (const std::string& metric : metrics) m.Message(4, metric);
  if (!unit.empty()) m.Text(5, unit);
  std::string page;
  protozero::add_varint_to_buffer(&page, m.bytes.size());
  return page + m.bytes;
}

}  // namespace narthex::scrape
