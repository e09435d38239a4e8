// Samples of every kind that are a function of series and time, so that a test
// knows what each must be without having kept it.
//
// Pure functions; any thread.

#pragma once

#include <cstdint>
#include <string>

#include "narthex/model/appender.h"
#include "narthex/model/labels.h"

namespace narthex::test {

enum class SampleType : uint8_t {
  kFloat,
  kInteger,         // native histogram
  kFloatHistogram,  // with float counts
  kCustom,          // with custom buckets
  kCustomFloat,
  kMixed  // floats and histograms by turns
};
inline constexpr SampleType kSampleTypes[] = {
    SampleType::kFloat,  SampleType::kInteger,     SampleType::kFloatHistogram,
    SampleType::kCustom, SampleType::kCustomFloat, SampleType::kMixed};

// `{__name__="<type>", series="<series>"}`.
Labels SampleLabels(SampleType type, int series);
// The sample at `t`.  Histograms grow as counters do, get and lose buckets, and
// some are stale markers.
Appended AppendSample(Appender& appender, SeriesRef ref, SampleType type,
                      int series, int64_t t);
// What SampleText says of it.
std::string SampleTextAt(SampleType type, int series, int64_t t);

}  // namespace narthex::test
