// Writes the body of a remote write request (protocol 1.0, snappy) to a file:
// floats, native histograms of all kinds and exemplars, the same bytes for the
// same arguments.
// Usage: remote_body OUT BEGIN_MS SAMPLES STEP_MS SHIFT [custom|floats]
// SHIFT sets the values apart from those of other bodies; one that is no
// multiple of 1000 has no exemplars.

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <protozero/pbf_writer.hpp>
#include "narthex/base/compress.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/model/sample.h"

namespace {

using narthex::FloatHistogram;
using narthex::Histogram;
using protozero::pbf_writer;

struct Plan {
  int64_t begin = 0;
  int64_t samples = 0;
  int64_t step = 0;
  int64_t shift = 0;

  int64_t t(int64_t i) const { return begin + i * step; }
};

void PutLabel(pbf_writer& to, uint32_t tag, std::string_view name,
              std::string_view value) {
  pbf_writer label(to, tag);
  label.add_string(1, name.data(), name.size());
  label.add_string(2, value.data(), value.size());
}

// A counter with buckets that appear, and a reset in the middle.
Histogram Counter(const Plan& plan, int64_t i) {
  const int64_t n = (i > plan.samples / 2 ? i - plan.samples / 2 : i) +
                    plan.shift + 1;  // 2.x takes a count of 0 for an integer
  Histogram h;
  h.schema = 2;
  h.zero_threshold = 0.001;
  h.zero_count = static_cast<uint64_t>(n);
  h.sum = 0.25 * static_cast<double>(n);
  const uint32_t wide = 3 + static_cast<uint32_t>(i / 20);
  h.positive_spans = {{-3, 2}, {4, wide}};
  h.negative_spans = {{2, 1}};
  int64_t last = 0;
  uint64_t count = h.zero_count;
  for (uint32_t b = 0; b < wide + 2; ++b) {
    const int64_t bucket = n * (b % 3 + 1);
    h.positive_deltas.push_back(bucket - last);
    count += static_cast<uint64_t>(bucket);
    last = bucket;
  }
  h.negative_deltas = {n};
  h.count = count + static_cast<uint64_t>(n);
  return h;
}

Histogram Custom(const Plan& plan, int64_t i) {
  const int64_t n = i + plan.shift;
  Histogram h;
  h.schema = narthex::kCustomBucketsSchema;
  h.custom_values = {0.1, 1, 2.5};
  h.positive_spans = {{0, 4}};
  h.positive_deltas = {n, 1, -1, 2};
  h.count = static_cast<uint64_t>(4 * n + 3);
  h.sum = static_cast<double>(n);
  return h;
}

void PutSpans(pbf_writer& to, uint32_t tag,
              const std::vector<narthex::Span>& spans) {
  for (const narthex::Span& span : spans) {
    pbf_writer out(to, tag);
    out.add_sint32(1, span.offset);
    out.add_uint32(2, span.length);
  }
}

void PutHistogram(pbf_writer& series, const Histogram& h, bool as_float,
                  int64_t t) {
  pbf_writer out(series, 4);
  const FloatHistogram f = h.ToFloat();
  if (as_float) {
    out.add_double(2, f.count);
  } else {
    out.add_uint64(1, h.count);
  }
  out.add_double(3, h.sum);
  out.add_sint32(4, h.schema);
  out.add_double(5, h.zero_threshold);
  if (as_float) {
    out.add_double(7, f.zero_count);
  } else {
    out.add_uint64(6, h.zero_count);
  }
  PutSpans(out, 8, h.negative_spans);
  PutSpans(out, 11, h.positive_spans);
  if (as_float) {
    out.add_packed_double(10, f.negative_buckets.begin(),
                          f.negative_buckets.end());
    out.add_packed_double(13, f.positive_buckets.begin(),
                          f.positive_buckets.end());
  } else {
    out.add_packed_sint64(9, h.negative_deltas.begin(),
                          h.negative_deltas.end());
    out.add_packed_sint64(12, h.positive_deltas.begin(),
                          h.positive_deltas.end());
  }
  out.add_int64(15, t);
  if (!h.custom_values.empty()) {
    out.add_packed_double(16, h.custom_values.begin(), h.custom_values.end());
  }
}

void PutFloats(pbf_writer& request, const Plan& plan, int which) {
  pbf_writer series(request, 1);
  PutLabel(series, 1, "__name__", "rw_float");
  PutLabel(series, 1, "i", std::to_string(which));
  for (int64_t i = 0; i < plan.samples; ++i) {
    pbf_writer sample(series, 2);
    sample.add_double(1,
                      which == 3 && i == plan.samples - 1
                          ? narthex::StaleNaN()
                          : static_cast<double>(plan.shift + i) / (which + 1));
    sample.add_int64(2, plan.t(i));
  }
  // Late bodies have none: who takes late exemplars is a matter of versions.
  if (which != 0 || plan.shift % 1000 != 0) return;
  for (int64_t i = 0; i < plan.samples; i += 10) {
    pbf_writer exemplar(series, 3);
    PutLabel(exemplar, 1, "trace_id", std::to_string(plan.shift + i));
    exemplar.add_double(2, static_cast<double>(i) / 3);
    exemplar.add_int64(3, plan.t(i));
  }
}

enum class Kind { kInteger, kFloat, kCustom };

void PutHistograms(pbf_writer& request, const Plan& plan, Kind kind) {
  pbf_writer series(request, 1);
  PutLabel(series, 1, "__name__",
           kind == Kind::kInteger ? "rw_integer"
           : kind == Kind::kFloat ? "rw_floating"
                                  : "rw_custom");
  for (int64_t i = 0; i < plan.samples; ++i) {
    PutHistogram(series,
                 kind == Kind::kCustom ? Custom(plan, i) : Counter(plan, i),
                 kind == Kind::kFloat, plan.t(i));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::cerr
        << "remote_body OUT BEGIN_MS SAMPLES STEP_MS SHIFT [custom|floats]\n";
    return 2;
  }
  const Plan plan{std::atoll(argv[2]), std::atoll(argv[3]), std::atoll(argv[4]),
                  std::atoll(argv[5])};
  std::string body;
  {
    pbf_writer request(body);
    for (int which = 0; which < 4; ++which) PutFloats(request, plan, which);
    const std::string_view kinds = argc > 6 ? argv[6] : "";
    if (kinds != "floats") {
      PutHistograms(request, plan, Kind::kInteger);
      PutHistograms(request, plan, Kind::kFloat);
    }
    if (kinds == "custom") PutHistograms(request, plan, Kind::kCustom);
  }
  std::string packed;
  narthex::Compress(narthex::Compression::kSnappy, body, packed);
  std::ofstream(argv[1], std::ios::binary) << packed;
  return 0;
}
