// io.prometheus.client.MetricFamily, each behind its length: the numbers of the
// fields are those of that message.

#include <cmath>
#include <protozero/pbf_writer.hpp>

#include "narthex/base/coding.h"
#include "narthex/base/status.h"
#include "narthex/instrument/metric_family.h"

namespace narthex::instrument {
namespace {

using Writer = protozero::pbf_writer;

// The message's MetricType.
int WireType(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return 0;
    case MetricType::kGauge:
    case MetricType::kInfo:
    case MetricType::kStateset:
      return 1;
    case MetricType::kSummary:
      return 2;
    case MetricType::kUnknown:
      return 3;
    case MetricType::kHistogram:
      return 4;
    case MetricType::kGaugeHistogram:
      return 5;
  }
  return 3;
}

void AddText(Writer& out, protozero::pbf_tag_type tag, std::string_view text) {
  out.add_string(tag, text.data(), text.size());
}

// google.protobuf.Timestamp
void AddTime(Writer& out, protozero::pbf_tag_type tag, Timestamp t) {
  int64_t seconds = t.ms / 1000;
  int64_t rest = t.ms % 1000;
  if (rest < 0) {
    rest += 1000;
    --seconds;
  }
  Writer time(out, tag);
  if (seconds != 0) time.add_int64(1, seconds);
  if (rest != 0) time.add_int32(2, static_cast<int32_t>(rest * 1'000'000));
}

void AddLabels(Writer& out, const Labels& labels) {
  for (const Label& label : labels) {
    Writer pair(out, 1);
    AddText(pair, 1, label.name);
    AddText(pair, 2, label.value);
  }
}

void AddExemplar(Writer& out, protozero::pbf_tag_type tag,
                 const Exemplar& exemplar) {
  Writer one(out, tag);
  AddLabels(one, exemplar.labels);
  one.add_double(2, exemplar.value);
  if (exemplar.has_timestamp) AddTime(one, 3, exemplar.t);
}

void AddSpans(Writer& out, protozero::pbf_tag_type tag,
              const std::vector<Span>& spans) {
  for (const Span& span : spans) {
    Writer one(out, tag);
    one.add_sint32(1, span.offset);
    one.add_uint32(2, span.length);
  }
}

void AddNative(Writer& out, const Metric& metric) {
  const narthex::Histogram& native = *metric.native;
  out.add_sint32(5, native.schema);
  out.add_double(6, native.zero_threshold);
  out.add_uint64(7, native.zero_count);
  AddSpans(out, 9, native.negative_spans);
  out.add_packed_sint64(10, native.negative_deltas.begin(),
                        native.negative_deltas.end());
  if (native.positive_spans.empty() && native.negative_spans.empty() &&
      native.zero_threshold == 0 && native.zero_count == 0) {
    // Without a span it would pass for a classic one.
    AddSpans(out, 12, {Span{0, 0}});
  } else {
    AddSpans(out, 12, native.positive_spans);
  }
  out.add_packed_sint64(13, native.positive_deltas.begin(),
                        native.positive_deltas.end());
  for (const Exemplar& exemplar : metric.native_exemplars) {
    AddExemplar(out, 16, exemplar);
  }
}

void AddHistogram(Writer& metric_out, const Metric& metric) {
  Writer out(metric_out, 7);
  out.add_uint64(1, metric.count);
  out.add_double(2, metric.sum);
  for (const BucketValue& bucket : metric.buckets) {
    // +Inf goes without saying, but its exemplar does not.
    if (std::isinf(bucket.upper_bound) && !bucket.exemplar) continue;
    Writer one(out, 3);
    one.add_uint64(1, bucket.cumulative_count);
    one.add_double(2, bucket.upper_bound);
    if (bucket.exemplar) AddExemplar(one, 3, *bucket.exemplar);
  }
  if (metric.native) AddNative(out, metric);
  if (metric.created) AddTime(out, 15, *metric.created);
}

void AddSummary(Writer& metric_out, const Metric& metric) {
  Writer out(metric_out, 4);
  out.add_uint64(1, metric.count);
  out.add_double(2, metric.sum);
  for (const QuantileValue& quantile : metric.quantiles) {
    Writer one(out, 3);
    one.add_double(1, quantile.quantile);
    one.add_double(2, quantile.value);
  }
  if (metric.created) AddTime(out, 4, *metric.created);
}

void AddMetric(Writer& family_out, MetricType type, const Metric& metric) {
  Writer out(family_out, 4);
  AddLabels(out, metric.labels);
  switch (type) {
    case MetricType::kCounter: {
      Writer counter(out, 3);
      counter.add_double(1, metric.value);
      if (metric.exemplar) AddExemplar(counter, 2, *metric.exemplar);
      if (metric.created) AddTime(counter, 3, *metric.created);
      break;
    }
    case MetricType::kHistogram:
    case MetricType::kGaugeHistogram:
      AddHistogram(out, metric);
      break;
    case MetricType::kSummary:
      AddSummary(out, metric);
      break;
    case MetricType::kUnknown:
      Writer(out, 5).add_double(1, metric.value);
      break;
    case MetricType::kGauge:
    case MetricType::kInfo:
    case MetricType::kStateset:
      Writer(out, 2).add_double(1, metric.value);
      break;
  }
  if (metric.timestamp) out.add_int64(6, metric.timestamp->ms);
}

}  // namespace

std::string WriteProtobuf(const std::vector<MetricFamily>& families) {
  std::string page;
  std::string bytes;
  for (const MetricFamily& family : families) {
    bytes.clear();
    Writer out(bytes);
    AddText(out, 1, family.name);
    if (!family.help.empty()) AddText(out, 2, family.help);
    out.add_enum(3, WireType(family.type));
    for (const Metric& metric : family.metrics) {
      AddMetric(out, family.type, metric);
    }
    if (!family.unit.empty()) AddText(out, 5, family.unit);
    char length[kMaxVarintLen64];
    page.append(length, StoreUvarint(length, bytes.size()));
    page += bytes;
  }
  return page;
}

}  // namespace narthex::instrument
