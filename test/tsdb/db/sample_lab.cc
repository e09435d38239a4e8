#include "test/tsdb/db/sample_lab.h"

#include <array>

#include "narthex/model/sample.h"
#include "test/tsdb/chunk/histogram_lab.h"
#include "test/tsdb/db/content.h"

namespace narthex::test {
namespace {

using tsdb::BucketModel;

constexpr std::array<const char*, 6> kNames = {
    "float", "integer", "float_histogram", "custom", "custom_float", "mixed"};

uint64_t Mix(uint64_t n) {
  n = (n ^ n >> 31) * 0x9e3779b97f4a7c15u;
  return n ^ n >> 29;
}
// Same for all times within a few minutes: layouts change now and then.
uint64_t Age(int series, int64_t t) {
  return Mix(static_cast<uint64_t>(t / 1'000'000) * 64 +
             static_cast<uint64_t>(series));
}
bool StaleAt(int series, int64_t t) {
  return Mix(static_cast<uint64_t>(t) * 64 + static_cast<uint64_t>(series)) %
             29 ==
         0;
}

double FloatAt(SampleType type, int series, int64_t t) {
  // Behind a histogram it would become a histogram's marker.
  if (type == SampleType::kFloat && StaleAt(series, t)) return StaleNaN();
  const uint64_t n =
      Mix(static_cast<uint64_t>(t) + static_cast<uint64_t>(series));
  switch (series % 3) {
    case 0:
      return static_cast<double>(t / 1000 + series);  // ascending integers
    case 1:
      return static_cast<double>(n % 10'000) / 100;
    default:
      return FromBits((n & 0x800fffffffffffff) | 0x3ff0000000000000);
  }
}

BucketModel ModelAt(int series, int64_t t, bool custom) {
  const auto n = static_cast<uint64_t>(t / 1000);
  const uint64_t age = Age(series, t);
  BucketModel model;
  if (custom) {
    model.schema = kCustomBucketsSchema;
  } else {
    model.schema = static_cast<int32_t>(age % 3);
    model.zero_threshold = age % 5 == 0 ? 0 : 0.001;
    model.zero_count = age % 5 == 0 ? 0 : n;
    model.negative = {{2, n / 2}};
  }
  model.positive = {{0, n + static_cast<uint64_t>(series)}, {2, 2 * n}};
  if (n % 700 > 300) model.positive[3] += n;
  model.sum = static_cast<double>(n) / 3;
  if (StaleAt(series, t)) {
    model = BucketModel();
    model.sum = StaleNaN();
  }
  return model;
}
Histogram IntegerAt(int series, int64_t t, bool custom) {
  Histogram h = ModelAt(series, t, custom).Integer();
  if (h.schema == kCustomBucketsSchema) h.custom_values = {0.25, 1, 7.5};
  return h;
}
FloatHistogram FloatHistogramAt(int series, int64_t t, bool custom) {
  FloatHistogram h = ModelAt(series, t, custom).Float();
  if (h.schema == kCustomBucketsSchema) h.custom_values = {0.25, 1, 7.5};
  return h;
}

// Which kind a mixed series has at a time.
SampleType TypeAt(SampleType type, int64_t t) {
  if (type != SampleType::kMixed) return type;
  switch (Mix(static_cast<uint64_t>(t / 7'000'000)) % 3) {
    case 0:
      return SampleType::kFloat;
    case 1:
      return SampleType::kInteger;
    default:
      return SampleType::kFloatHistogram;
  }
}

}  // namespace

Labels SampleLabels(SampleType type, int series) {
  return {{"__name__", kNames[static_cast<size_t>(type)]},
          {"series", std::to_string(series)}};
}

Appended AppendSample(Appender& appender, SeriesRef ref, SampleType type,
                      int series, int64_t t) {
  const SampleType now = TypeAt(type, t);
  switch (now) {
    case SampleType::kFloat:
    case SampleType::kMixed:
      return AppendFloat(appender, ref, t, FloatAt(type, series, t));
    case SampleType::kInteger:
    case SampleType::kCustom:
      return appender.AppendHistogram(
          ref, t, 0, IntegerAt(series, t, now == SampleType::kCustom));
    case SampleType::kFloatHistogram:
    case SampleType::kCustomFloat:
      break;
  }
  return appender.AppendHistogram(
      ref, t, 0, FloatHistogramAt(series, t, now == SampleType::kCustomFloat));
}

std::string SampleTextAt(SampleType type, int series, int64_t t) {
  const SampleType now = TypeAt(type, t);
  switch (now) {
    case SampleType::kFloat:
    case SampleType::kMixed:
      return SampleText(FloatAt(type, series, t));
    case SampleType::kInteger:
    case SampleType::kCustom:
      return SampleText(
          IntegerAt(series, t, now == SampleType::kCustom).ToFloat());
    case SampleType::kFloatHistogram:
    case SampleType::kCustomFloat:
      break;
  }
  return SampleText(
      FloatHistogramAt(series, t, now == SampleType::kCustomFloat));
}

}  // namespace narthex::test
