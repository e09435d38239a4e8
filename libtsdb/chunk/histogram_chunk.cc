#include "libtsdb/chunk/histogram_chunk.h"

#include <algorithm>

#include "libtsdb/chunk/histogram_reader.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

// With start timestamps the counter reset hint lies in the top two bits of the
// count, and the third byte tells of the start timestamps.
constexpr uint32_t kMaxSamplesWithStarts = 0x3fff;

// Hints as the two top bits of a byte.
constexpr uint8_t kHeaderBits[4] = {0x00, 0x80, 0x40, 0xc0};

// Absolute counts from the deltas between buckets (integers) or from
// themselves.
int64_t Next(int64_t& sum, int64_t delta) {
  sum = static_cast<int64_t>(static_cast<uint64_t>(sum) +
                             static_cast<uint64_t>(delta));
  return sum;
}
double Next(double&, double count) { return count; }

int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) -
                              static_cast<uint64_t>(b));
}

int64_t CountOf(int64_t v) { return v; }
double CountOf(uint64_t bits) { return FromBits(bits); }

const std::vector<int64_t>& PositiveOf(const Histogram& h) {
  return h.positive_deltas;
}
const std::vector<int64_t>& NegativeOf(const Histogram& h) {
  return h.negative_deltas;
}
const std::vector<double>& PositiveOf(const FloatHistogram& h) {
  return h.positive_buckets;
}
const std::vector<double>& NegativeOf(const FloatHistogram& h) {
  return h.negative_buckets;
}

template <typename T>
T ElementOr0(const std::vector<T>& v, size_t i) {
  return i < v.size() ? v[i] : T{};
}

// Puts counts where `place` says, zeros elsewhere.
template <typename T>
std::vector<T> Spread(const std::vector<T>& counts,
                      const std::vector<uint32_t>& place, size_t n) {
  std::vector<T> out(n);
  T sum{};
  for (size_t i = 0; i < place.size() && i < counts.size(); ++i) {
    out[place[i]] = Next(sum, counts[i]);
  }
  if constexpr (std::is_same_v<T, int64_t>) {
    int64_t before = 0;
    for (int64_t& x : out) {
      const int64_t absolute = x;
      x = Minus(absolute, before);
      before = absolute;
    }
  }
  return out;
}

// Puts the buckets of both side by side; with `counter`, false if one of the
// chunk's has gone down or has vanished.
template <typename Field, typename T>
bool Unite(std::span<const Span> chunk_spans, const std::vector<Field>& chunk,
           std::span<const Span> sample_spans, const std::vector<T>& sample,
           bool counter, BucketUnion& out) {
  BucketCursor a(chunk_spans), b(sample_spans);
  SpanBuilder spans(out.spans);
  T a_sum{}, b_sum{};
  uint32_t n = 0;
  for (; !a.done() || !b.done(); ++n) {
    const bool has_a = !a.done() && (b.done() || a.index() <= b.index());
    const bool has_b = !b.done() && (a.done() || b.index() <= a.index());
    spans.Add(has_a ? a.index() : b.index());
    T in_chunk{}, in_sample{};
    if (has_a) {
      in_chunk = Next(a_sum, CountOf(chunk[out.of_chunk.size()].v));
      out.of_chunk.push_back(n);
      a.Next();
    } else {
      out.sample_has_more = true;
    }
    if (has_b) {
      in_sample = Next(b_sum, ElementOr0(sample, out.of_sample.size()));
      out.of_sample.push_back(n);
      b.Next();
    } else {
      out.chunk_has_more = true;
    }
    if (!counter || !has_a) continue;
    if (has_b ? in_chunk > in_sample : in_chunk != 0) return false;
  }
  return true;
}

// Has any bucket gone down?  The layouts are equal.
template <typename Field, typename T>
bool AnyFell(const std::vector<Field>& chunk, const std::vector<T>& sample) {
  T a{}, b{};
  bool fell = false;
  for (size_t i = 0; i < chunk.size(); ++i) {
    const T was = Next(a, CountOf(chunk[i].v));
    const T is = Next(b, ElementOr0(sample, i));
    fell |= was > is;
  }
  return fell;
}

}  // namespace

template <typename H>
ChunkEncoding HistogramAppender<H>::encoding() const {
  if (kFloat) {
    return start_times_ ? ChunkEncoding::kFloatHistogramST
                        : ChunkEncoding::kFloatHistogram;
  }
  return start_times_ ? ChunkEncoding::kHistogramST : ChunkEncoding::kHistogram;
}

template <typename H>
size_t HistogramAppender<H>::memory_bytes() const {
  return out_.memory_bytes() +
         (buckets_[0].capacity() + buckets_[1].capacity()) * sizeof(Field) +
         (layout_.positive_spans.capacity() +
          layout_.negative_spans.capacity()) *
             sizeof(Span) +
         layout_.custom_values.capacity() * sizeof(double);
}

template <typename H>
void HistogramAppender<H>::Clear() {
  samples_ = 0;
  follows_ = false;
}

template <typename H>
void HistogramAppender<H>::Cut(std::string& full) {
  full.clear();
  if (samples_ == 0) return;
  out_.Swap(full);
  samples_ = 0;
  follows_ = true;
}

template <typename H>
bool HistogramAppender<H>::LastIsStale() const {
  return sum_.v == kStaleNaNBits;
}

template <typename H>
HistogramStep HistogramAppender<H>::Append(Timestamp t, const H& h,
                                           std::string& full, Timestamp start) {
  if (samples_ ==
      (start_times_ ? kMaxSamplesWithStarts : kMaxSamplesPerChunk)) {
    Cut(full);
    Begin(t.ms, h, HeaderAfterCut(h), start.ms);
    return HistogramStep::kBegun;
  }
  if (samples_ == 0) {
    full.clear();
    Begin(t.ms, h, HeaderAfterCut(h), start.ms);
    return HistogramStep::kBegun;
  }
  const Fit fit = Check(h);
  if (!fit.continues) {
    out_.Swap(full);
    Begin(t.ms, h, fit.header, start.ms);
    return HistogramStep::kBegun;
  }
  if (fit.same || IsStale(h.sum)) {
    Put(t.ms, h, PositiveOf(h), NegativeOf(h), start.ms);
    return HistogramStep::kContinued;
  }
  const bool gauge = h.hint == CounterResetHint::kGauge;
  const bool recodes =
      fit.sides[0].sample_has_more || fit.sides[1].sample_has_more;
  if (recodes) {
    // The sample's own spans where it has all buckets; Prometheus writes those
    // of both sides of a gauge anew as soon as one of them lacks any.
    const bool lacks_any =
        fit.sides[0].chunk_has_more || fit.sides[1].chunk_has_more;
    const auto of = [&](size_t side, const std::vector<Span>& own) {
      const bool lacks = gauge ? lacks_any : fit.sides[side].chunk_has_more;
      return lacks ? fit.sides[side].spans : own;
    };
    Recode(fit, {of(0, h.positive_spans), of(1, h.negative_spans)});
  }
  const Counts positive =
      Spread(PositiveOf(h), fit.sides[0].of_sample, buckets_[0].size());
  const Counts negative =
      Spread(NegativeOf(h), fit.sides[1].of_sample, buckets_[1].size());
  Put(t.ms, h, positive, negative, start.ms);
  return recodes ? HistogramStep::kRecoded : HistogramStep::kContinued;
}

template <typename H>
void HistogramAppender<H>::CheckCounter(const H& h, Fit& fit) const {
  fit.header = CounterResetHint::kNotReset;
  if (header_ == CounterResetHint::kGauge) return;
  const auto reset = [&fit] { fit.header = CounterResetHint::kReset; };
  if (h.hint == CounterResetHint::kReset) return reset();
  if (IsStale(h.sum)) {
    fit.continues = true;
    return;
  }
  if (LastIsStale()) {  // nothing but stale markers can follow it
    fit.header = CounterResetHint::kUnknown;
    return;
  }
  const auto below = [](auto x, const Field& field) {
    if constexpr (kFloat) {
      return x < FromBits(field.v);
    } else {
      return x < static_cast<uint64_t>(field.v);
    }
  };
  if (below(h.count, count_)) return reset();
  if (h.schema != layout_.schema ||
      h.zero_threshold != layout_.zero_threshold) {
    fit.header = CounterResetHint::kUnknown;
    return;
  }
  if (h.schema == kCustomBucketsSchema &&
      !std::equal(h.custom_values.begin(), h.custom_values.end(),
                  layout_.custom_values.begin(), layout_.custom_values.end())) {
    return reset();
  }
  if (below(h.zero_count, zero_count_)) return reset();
  if (h.positive_spans == layout_.positive_spans &&
      h.negative_spans == layout_.negative_spans) {
    if (AnyFell(buckets_[0], PositiveOf(h)) ||
        AnyFell(buckets_[1], NegativeOf(h))) {
      return reset();
    }
    fit.same = true;
  } else if (!Unite(layout_.positive_spans, buckets_[0], h.positive_spans,
                    PositiveOf(h), true, fit.sides[0]) ||
             !Unite(layout_.negative_spans, buckets_[1], h.negative_spans,
                    NegativeOf(h), true, fit.sides[1])) {
    return reset();
  }
  fit.continues = true;
}

template <typename H>
auto HistogramAppender<H>::Check(const H& h) const -> Fit {
  Fit fit;
  if (h.hint != CounterResetHint::kGauge) {
    CheckCounter(h, fit);
    // The float kind says of a chunk that follows a gauge, a stale marker or
    // another schema that nothing is known.
    if (kFloat && fit.header != CounterResetHint::kReset) {
      fit.header = CounterResetHint::kUnknown;
    }
    return fit;
  }
  fit.header = CounterResetHint::kGauge;
  if (header_ != CounterResetHint::kGauge) return fit;
  if (IsStale(h.sum)) {
    fit.continues = true;
    return fit;
  }
  if (LastIsStale() || h.schema != layout_.schema ||
      h.zero_threshold != layout_.zero_threshold ||
      (h.schema == kCustomBucketsSchema &&
       !std::equal(h.custom_values.begin(), h.custom_values.end(),
                   layout_.custom_values.begin(),
                   layout_.custom_values.end()))) {
    return fit;
  }
  fit.continues = true;
  fit.same = h.positive_spans == layout_.positive_spans &&
             h.negative_spans == layout_.negative_spans;
  if (!fit.same) {
    Unite(layout_.positive_spans, buckets_[0], h.positive_spans, PositiveOf(h),
          false, fit.sides[0]);
    Unite(layout_.negative_spans, buckets_[1], h.negative_spans, NegativeOf(h),
          false, fit.sides[1]);
  }
  return fit;
}

// Of a chunk's first sample, which follows what was cut.
template <typename H>
CounterResetHint HistogramAppender<H>::HeaderAfterCut(const H& h) const {
  if (h.hint == CounterResetHint::kGauge ||
      h.hint == CounterResetHint::kReset) {
    return h.hint;
  }
  if (!follows_) return CounterResetHint::kUnknown;
  Fit fit;
  CheckCounter(h, fit);
  if (kFloat && fit.header == CounterResetHint::kUnknown) {
    return CounterResetHint::kNotReset;  // as Prometheus has it
  }
  return fit.header;
}

template <typename H>
void HistogramAppender<H>::Begin(Timestamp t, const H& h,
                                 CounterResetHint header, int64_t start) {
  out_.Clear(kHistogramHeaderSize);
  samples_ = 0;
  follows_ = false;
  header_ = header;
  Put(t.ms, h, PositiveOf(h), NegativeOf(h), start);
}

template <typename H>
void HistogramAppender<H>::Put(int64_t t, const H& h, const Counts& positive,
                               const Counts& negative, int64_t start) {
  static const H kStaleSample = [] {
    H stale;
    stale.sum = StaleNaN();
    return stale;
  }();
  static const Counts kNone;
  const bool stale = IsStale(h.sum);
  const H& sample = stale ? kStaleSample : h;
  const int64_t previous_t = t_;
  if (samples_ == 0) {
    PutFirst(t, sample, stale ? kNone : positive, stale ? kNone : negative);
  } else {
    PutNext(t, sample, stale ? kNone : positive, stale ? kNone : negative);
  }
  t_ = t;
  if (start_times_) {
    char header = out_.at(2);
    starts_.Put(out_, header, samples_, t, previous_t, start);
    out_.at(2) = header;
  }
  ++samples_;
  const auto hint = kHeaderBits[static_cast<size_t>(header_)];
  if (start_times_) {
    StoreBE16(&out_.at(0), static_cast<uint16_t>(samples_ | hint << 8));
  } else {
    StoreBE16(&out_.at(0), static_cast<uint16_t>(samples_));
    out_.at(2) = static_cast<char>(hint);
  }
}

template <typename H>
void HistogramAppender<H>::PutFirst(int64_t t, const H& h,
                                    const Counts& positive,
                                    const Counts& negative) {
  layout_.schema = h.schema;
  layout_.zero_threshold = h.zero_threshold;
  layout_.positive_spans = h.positive_spans;
  layout_.negative_spans = h.negative_spans;
  layout_.custom_values = h.custom_values;
  PutLayout(layout_, out_);
  t_delta_ = 0;
  sum_ = {};
  sum_.v = Bits(h.sum);
  count_ = {};
  zero_count_ = {};
  out_.Varbit(t);
  if constexpr (kFloat) {
    count_.v = Bits(h.count);
    zero_count_.v = Bits(h.zero_count);
    out_.Put(count_.v, 64);
    out_.Put(zero_count_.v, 64);
  } else {
    count_.v = static_cast<int64_t>(h.count);
    zero_count_.v = static_cast<int64_t>(h.zero_count);
    out_.VarbitUint(h.count);
    out_.VarbitUint(h.zero_count);
  }
  out_.Put(sum_.v, 64);
  const Counts* const sides[2] = {&positive, &negative};
  const std::vector<Span>* const spans[2] = {&layout_.positive_spans,
                                             &layout_.negative_spans};
  for (size_t side = 0; side < 2; ++side) {
    buckets_[side].assign(CountBuckets(*spans[side]), Field{});
    for (size_t i = 0; i < buckets_[side].size(); ++i) {
      const Count count = ElementOr0(*sides[side], i);
      if constexpr (kFloat) {
        buckets_[side][i].v = Bits(count);
        out_.Put(Bits(count), 64);
      } else {
        buckets_[side][i].v = count;
        out_.Varbit(count);
      }
    }
  }
}

template <typename H>
void HistogramAppender<H>::PutXor(XorField& field, double v) {
  out_.With([&](char* p, uint32_t pos) {
    return XorPutValue(p, pos, field, Bits(v));
  });
}

template <typename H>
void HistogramAppender<H>::PutNext(int64_t t, const H& h,
                                   const Counts& positive,
                                   const Counts& negative) {
  const bool stale = IsStale(h.sum);
  const int64_t delta = Minus(t, t_);
  out_.Varbit(Minus(delta, t_delta_));
  t_delta_ = delta;
  if constexpr (kFloat) {
    PutXor(count_, h.count);
    PutXor(zero_count_, h.zero_count);
  } else {
    const auto put = [&](IntField& field, uint64_t count) {
      const auto v = static_cast<int64_t>(count);
      const int64_t change = Minus(v, field.v);
      out_.Varbit(stale ? 0 : Minus(change, field.delta));
      field = {v, change};
    };
    put(count_, h.count);
    put(zero_count_, h.zero_count);
  }
  PutXor(sum_, h.sum);
  if (stale) return;
  const Counts* const sides[2] = {&positive, &negative};
  for (size_t side = 0; side < 2; ++side) {
    for (size_t i = 0; i < buckets_[side].size(); ++i) {
      Field& field = buckets_[side][i];
      const Count count = ElementOr0(*sides[side], i);
      if constexpr (kFloat) {
        PutXor(field, count);
      } else {
        const int64_t change = Minus(count, field.v);
        out_.Varbit(Minus(change, field.delta));
        field = {count, change};
      }
    }
  }
}

// Encodes the chunk anew, its buckets spread over `spans`.
template <typename H>
void HistogramAppender<H>::Recode(
    const Fit& fit, const std::array<std::vector<Span>, 2>& spans) {
  std::string old;
  const ChunkEncoding encoding = this->encoding();
  out_.Swap(old);
  out_.Clear(kHistogramHeaderSize);
  samples_ = 0;
  const size_t n[2] = {CountBuckets(spans[0]), CountBuckets(spans[1])};
  for (HistogramReader<H> in(encoding, old); in.Next();) {
    H& h = in.histogram();
    const Counts positive = Spread(PositiveOf(h), fit.sides[0].of_chunk, n[0]);
    const Counts negative = Spread(NegativeOf(h), fit.sides[1].of_chunk, n[1]);
    H wider = h;
    wider.positive_spans = spans[0];
    wider.negative_spans = spans[1];
    Put(in.t(), wider, positive, negative, in.start());
  }
}

template class HistogramAppender<Histogram>;
template class HistogramAppender<FloatHistogram>;

}  // namespace narthex::tsdb
