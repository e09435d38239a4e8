// The series notation of tests: `up{job="x"} 0+10x5 _x3 stale {{count:3}}x2`.

#include <charconv>
#include <memory>
#include <string>
#include <utility>

#include "libpromql/parse/parse_state.h"
#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram_sum.h"
#include "narthex/model/labels.h"
#include "narthex/model/sample.h"

namespace narthex::promql {
namespace {

using K = TokenKind;

constexpr std::string_view kValues = "series values";
constexpr uint64_t kMaxSeriesHistograms = 1 << 16;
constexpr std::string_view kHistogram = "histogram description";
constexpr std::string_view kHistogramExpected =
    "histogram description key, e.g. buckets:[5 10 7]";

// In the order of kHistogramKeys, and of the bits of `seen`.
enum HistogramKey : uint32_t {
  kSum,
  kCount,
  kSchema,
  kOffset,
  kNegativeOffset,
  kBuckets,
  kNegativeBuckets,
  kZeroBucket,
  kZeroWidth,
  kCustomValues,
  kHint,
};
// Both kinds of buckets stand as one span; its offset may come later than them.
void SetSpan(std::vector<Span>& spans, size_t buckets, int32_t offset) {
  spans.clear();
  if (buckets > 0) spans.push_back({offset, static_cast<uint32_t>(buckets)});
}

}  // namespace

bool ParseState::WholeSeries(SeriesDescription& out) {
  if (!WholeMetric(out.labels)) return false;
  for (;;) {
    switch (PeekKind()) {
      case K::kEnd:
        return true;
      case K::kSpace:
        Take();
        if (PeekKind() == K::kSpace || PeekKind() == K::kEnd) break;
        if (!SeriesItem(out.values)) return false;
        break;
      default:
        return Unexpected({kValues, ""});
    }
  }
}

bool ParseState::Repeat(std::vector<SeriesValue>& out, const SeriesValue& value,
                        uint64_t n) {
  if (n > kMaxSeriesValues || out.size() + n > kMaxSeriesValues) {
    return Fail(Peek().pos, "too many series values");
  }
  out.insert(out.end(), n, value);
  return true;
}

bool ParseState::SeriesItem(std::vector<SeriesValue>& out) {
  switch (PeekKind()) {
    case K::kBlank: {
      Take();
      uint64_t n = 1;
      if (PeekKind() == K::kTimes && !SeriesCount(n)) return false;
      SeriesValue blank;
      blank.omitted = true;
      return Repeat(out, blank, n);
    }
    case K::kOpenHistogram:
      return SeriesHistograms(out);
    case K::kIdentifier:
    case K::kNumber:
    case K::kDuration:
    case K::kAdd:
    case K::kSub:
      return SeriesFloats(out);
    default:
      return Unexpected({kValues, ""});
  }
}

// `x5`
bool ParseState::SeriesCount(uint64_t& out) {
  Take();
  if (PeekKind() != K::kNumber) return Unexpected({kValues, ""});
  const Token token = Take();
  const std::string_view text = TextOf(token);
  const auto result =
      std::from_chars(text.data(), text.data() + text.size(), out);
  if (result.ec == std::errc() && result.ptr == text.data() + text.size()) {
    return true;
  }
  return Fail(token.pos, StrCat("invalid repetition in series values: "
                                "strconv.ParseUint: parsing ",
                                GoQuote(text),
                                result.ec == std::errc::result_out_of_range
                                    ? ": value out of range"
                                    : ": invalid syntax"));
}

// An optional sign and a number.
bool ParseState::SeriesNumber(double& out) {
  bool negative = false;
  if (PeekKind() == K::kAdd || PeekKind() == K::kSub) {
    negative = Take().kind == K::kSub;
  }
  if (PeekKind() != K::kNumber && PeekKind() != K::kDuration) {
    return Unexpected({kValues, ""});
  }
  if (!NumberValue(Take(), out)) return false;
  if (negative) out = -out;
  return true;
}

// `1`, `1x5`, `1+2x5`, `stale`
bool ParseState::SeriesFloats(std::vector<SeriesValue>& out) {
  SeriesValue value;
  if (PeekKind() == K::kIdentifier) {
    if (TextOf(Peek()) != "stale") {
      return Unexpected({kValues, "number or \"stale\""});
    }
    Take();
    value.value = StaleNaN();
  } else if (!SeriesNumber(value.value)) {
    return false;
  }
  double delta = 0;
  const bool steps = PeekKind() == K::kAdd || PeekKind() == K::kSub;
  if (steps) {
    if (!SeriesNumber(delta)) return false;
    if (PeekKind() != K::kTimes) return Unexpected({kValues, ""});
  }
  if (PeekKind() != K::kTimes) return Repeat(out, value, 1);
  uint64_t n = 0;
  if (!SeriesCount(n)) return false;
  // One more than it says: the first is the one at time 0.
  const size_t first = out.size();
  if (n >= kMaxSeriesValues || !Repeat(out, value, n + 1)) {
    return Fail(Peek().pos, "too many series values");
  }
  // Added up, not multiplied: the sums' rounding is part of the notation.  A
  // stale marker's bits must not go through an addition.
  for (size_t i = first + 1; steps && i < out.size(); ++i) {
    out[i].value = out[i - 1].value + delta;
  }
  return true;
}

bool ParseState::SeriesHistograms(std::vector<SeriesValue>& out) {
  SeriesValue value;
  if (!HistogramDescription(value)) return false;
  switch (PeekKind()) {
    case K::kTimes: {
      uint64_t n = 0;
      if (!SeriesCount(n)) return false;
      if (n >= kMaxSeriesValues) {
        return Fail(Peek().pos, "too many series values");
      }
      return Repeat(out, value, n + 1);
    }
    case K::kAdd:
    case K::kSub:
      return HistogramSteps(value, out);
    default:
      return Repeat(out, value, 1);
  }
}

// `{{...}}+{{...}}x5`, from the sign on.
bool ParseState::HistogramSteps(SeriesValue value,
                                std::vector<SeriesValue>& out) {
  const bool subtract = Take().kind == K::kSub;
  if (PeekKind() != K::kOpenHistogram) return Unexpected({kValues, ""});
  SeriesValue step;
  if (!HistogramDescription(step)) return false;
  if (PeekKind() != K::kTimes) return Unexpected({kValues, ""});
  uint64_t n = 0;
  if (!SeriesCount(n)) return false;
  if (n >= kMaxSeriesHistograms) {
    return Fail(Peek().pos, "too many series values");
  }
  // The step's text decides whether hints are looked at, as in Prometheus.
  value.hint_set = step.hint_set;
  out.push_back(value);
  for (uint64_t i = 0; i < n; ++i) {
    auto next = std::make_shared<FloatHistogram>(*value.histogram);
    if (next->schema > step.histogram->schema) {
      return Fail(
          Peek().pos,
          StrCat("error combining histograms: cannot merge from schema ",
                 step.histogram->schema, " to ", next->schema));
    }
    const auto combined = subtract ? SubtractFrom(*next, *step.histogram)
                                   : AddTo(*next, *step.histogram);
    if (!combined.ok()) {
      return Fail(Peek().pos, std::string(Message(combined.status())));
    }
    value.histogram = std::move(next);
    out.push_back(value);
  }
  return true;
}

// `{{schema:0 buckets:[1 2]}}`
bool ParseState::HistogramDescription(SeriesValue& out) {
  Take();
  auto histogram = std::make_shared<FloatHistogram>();
  FloatHistogram& h = *histogram;
  // The spans' offsets; the spans are made at the end.
  h.positive_spans = {{0, 0}};
  h.negative_spans = {{0, 0}};
  uint32_t seen = 0;
  if (PeekKind() == K::kSpace) {
    Take();
    if (PeekKind() != K::kCloseHistogram) return Unexpected({kValues, ""});
  }
  while (PeekKind() != K::kCloseHistogram) {
    if (!HistogramItem(h, out, seen)) return false;
    if (PeekKind() == K::kCloseHistogram) break;
    if (!Expect(K::kSpace, {kHistogram, kHistogramExpected})) return false;
  }
  Take();
  SetSpan(h.positive_spans, h.positive_buckets.size(),
          h.positive_spans[0].offset);
  SetSpan(h.negative_spans, h.negative_buckets.size(),
          h.negative_spans[0].offset);
  out.histogram = std::move(histogram);
  return true;
}

bool ParseState::HistogramItem(FloatHistogram& h, SeriesValue& out,
                               uint32_t& seen) {
  if (PeekKind() != K::kHistogramKey) {
    return Unexpected({kHistogram, kHistogramExpected});
  }
  const Token name = Take();
  const std::string text = AsciiLower(TextOf(name));
  uint32_t key = 0;
  while (kHistogramKeys[key] != text) ++key;
  if (!Expect(K::kColon, {kValues, ""})) return false;
  if ((seen & 1u << key) != 0) {
    return Fail({}, StrCat("duplicate key \"", text, "\" in histogram"));
  }
  seen |= 1u << key;
  int64_t integer = 0;
  switch (key) {
    case kSum:
      return SeriesNumber(h.sum);
    case kCount:
      return SeriesNumber(h.count);
    case kZeroBucket:
      return SeriesNumber(h.zero_count);
    case kZeroWidth:
      if (PeekKind() != K::kNumber) return Unexpected({kValues, ""});
      return NumberValue(Take(), h.zero_threshold);
    case kSchema:
      if (!HistogramInteger(integer)) return false;
      h.schema = static_cast<int32_t>(integer);
      return true;
    case kOffset:
    case kNegativeOffset:
      if (!HistogramInteger(integer)) return false;
      (key == kOffset ? h.positive_spans : h.negative_spans)[0].offset =
          static_cast<int32_t>(integer);
      return true;
    case kBuckets:
      return HistogramBuckets(h.positive_buckets);
    case kNegativeBuckets:
      return HistogramBuckets(h.negative_buckets);
    case kCustomValues:
      return HistogramBuckets(h.custom_values);
    default:
      break;
  }
  if (PeekKind() != K::kResetHint) return Unexpected({kValues, ""});
  const std::string hint = AsciiLower(TextOf(Take()));
  out.hint_set = true;
  h.hint = hint == "reset"       ? CounterResetHint::kReset
           : hint == "not_reset" ? CounterResetHint::kNotReset
           : hint == "gauge"     ? CounterResetHint::kGauge
                                 : CounterResetHint::kUnknown;
  return true;
}

bool ParseState::HistogramInteger(int64_t& out) {
  bool negative = false;
  if (PeekKind() == K::kSub) {
    Take();
    negative = true;
  }
  if (PeekKind() != K::kNumber) return Unexpected({kValues, ""});
  const Token token = Take();
  const std::string_view text = TextOf(token);
  const auto result =
      std::from_chars(text.data(), text.data() + text.size(), out);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    return Fail(token.pos, StrCat("invalid repetition in series values: "
                                  "strconv.ParseUint: parsing ",
                                  GoQuote(text), ": invalid syntax"));
  }
  if (negative) out = -out;
  return true;
}

// `[1 2 3]`
bool ParseState::HistogramBuckets(std::vector<double>& out) {
  if (!Expect(K::kLeftBracket, {kValues, ""})) return false;
  for (;;) {
    double value = 0;
    if (!SeriesNumber(value)) return false;
    out.push_back(value);
    if (PeekKind() == K::kSpace) Take();
    if (PeekKind() != K::kRightBracket) continue;
    Take();
    return true;
  }
}

}  // namespace narthex::promql
