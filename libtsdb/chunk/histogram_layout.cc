#include "libtsdb/chunk/histogram_layout.h"

#include <bit>
#include <cmath>
#include <limits>

#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

// Powers of two that one byte stands for: 2^-243 is 1, 2^10 is 254.
constexpr int kThresholdBias = 243;
constexpr uint8_t kRawThreshold = 255;

void PutZeroThreshold(double threshold, BitWriter& out) {
  if (threshold == 0) return out.Put(0, 8);
  int exponent;
  const double fraction = std::frexp(threshold, &exponent);
  if (fraction == 0.5 && exponent >= -242 && exponent <= 11) {
    return out.Put(static_cast<uint64_t>(exponent + kThresholdBias), 8);
  }
  out.Put(kRawThreshold, 8);
  out.Put(Bits(threshold), 64);
}

double TakeZeroThreshold(BitReader& in) {
  const auto code = static_cast<uint8_t>(in.Bits(8));
  if (code == 0) return 0;
  if (code == kRawThreshold) return FromBits(in.BitsWide(64));
  return std::ldexp(0.5, code - kThresholdBias);
}

// Bounds are most often thousandths: those up to 33554.43 take four bytes at
// most, as their number of thousandths and one.
constexpr double kMostThousandths = 33554430;

void PutBound(double bound, BitWriter& out) {
  const double scaled = bound * 1000;
  if (scaled >= 0 && scaled <= kMostThousandths) {
    const double whole = std::round(scaled);
    if (static_cast<double>(static_cast<uint64_t>(whole)) / 1000 == bound) {
      return out.VarbitUint(static_cast<uint64_t>(whole) + 1);
    }
  }
  out.Put(0, 1);
  out.Put(Bits(bound), 64);
}

double TakeBound(BitReader& in) {
  const uint64_t code = in.VarbitUint();
  if (code == 0) return FromBits(in.BitsWide(64));
  return static_cast<double>(code - 1) / 1000;
}

void PutSpans(std::span<const Span> spans, BitWriter& out) {
  out.VarbitUint(spans.size());
  for (const Span& span : spans) {
    out.VarbitUint(span.length);
    out.Varbit(span.offset);
  }
}

// Each span takes two bits at least, each bucket one.
bool TakeSpans(BitReader& in, std::vector<Span>& spans) {
  const uint64_t n = in.VarbitUint();
  if (n > in.remaining()) return false;
  spans.clear();
  uint64_t buckets = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t length = in.VarbitUint();
    const int64_t offset = in.Varbit();
    if (!in.ok() || length > in.remaining()) return false;
    buckets += length;
    if (buckets > in.remaining()) return false;
    if (offset < std::numeric_limits<int32_t>::min() ||
        offset > std::numeric_limits<int32_t>::max()) {
      return false;
    }
    spans.push_back(
        {static_cast<int32_t>(offset), static_cast<uint32_t>(length)});
  }
  return in.ok();
}

}  // namespace

void PutLayout(const ChunkLayout& layout, BitWriter& out) {
  PutZeroThreshold(layout.zero_threshold, out);
  out.Varbit(layout.schema);
  PutSpans(layout.positive_spans, out);
  PutSpans(layout.negative_spans, out);
  if (layout.schema != kCustomBucketsSchema) return;
  out.VarbitUint(layout.custom_values.size());
  for (const double bound : layout.custom_values) PutBound(bound, out);
}

const char* TakeLayout(BitReader& in, ChunkLayout& layout) {
  layout.zero_threshold = TakeZeroThreshold(in);
  const int64_t schema = in.Varbit();
  if (!in.ok()) return "it ends within its layout";
  if (schema < std::numeric_limits<int32_t>::min() ||
      schema > std::numeric_limits<int32_t>::max() ||
      !IsKnownSchema(static_cast<int32_t>(schema))) {
    return "its schema is unknown";
  }
  layout.schema = static_cast<int32_t>(schema);
  if (!TakeSpans(in, layout.positive_spans) ||
      !TakeSpans(in, layout.negative_spans)) {
    return "its spans are impossible";
  }
  layout.custom_values.clear();
  if (layout.schema == kCustomBucketsSchema) {
    const uint64_t n = in.VarbitUint();
    if (n > in.remaining()) return "it has more bounds than bits";
    for (uint64_t i = 0; i < n; ++i) {
      layout.custom_values.push_back(TakeBound(in));
    }
  }
  return in.ok() ? nullptr : "it ends within its layout";
}

size_t CountBuckets(std::span<const Span> spans) {
  size_t n = 0;
  for (const Span& span : spans) n += span.length;
  return n;
}

bool IsKnownSchema(int32_t schema) {
  return schema == kCustomBucketsSchema || (schema >= -9 && schema <= 52);
}

}  // namespace narthex::tsdb
