#include "libtsdb/chunk/histogram_reader.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

constexpr CounterResetHint kHints[4] = {
    CounterResetHint::kUnknown, CounterResetHint::kNotReset,
    CounterResetHint::kReset, CounterResetHint::kGauge};

bool HasStartTimes(ChunkEncoding encoding) {
  return encoding == ChunkEncoding::kHistogramST ||
         encoding == ChunkEncoding::kFloatHistogramST;
}
bool HasFloatCounts(ChunkEncoding encoding) {
  return encoding == ChunkEncoding::kFloatHistogram ||
         encoding == ChunkEncoding::kFloatHistogramST;
}

int64_t Plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) +
                              static_cast<uint64_t>(b));
}

std::vector<int64_t>& PositiveOf(Histogram& h) { return h.positive_deltas; }
std::vector<int64_t>& NegativeOf(Histogram& h) { return h.negative_deltas; }
std::vector<double>& PositiveOf(FloatHistogram& h) {
  return h.positive_buckets;
}
std::vector<double>& NegativeOf(FloatHistogram& h) {
  return h.negative_buckets;
}

// Absolute counts of one side, behind what is in `out`.
void AddCounts(const std::vector<int64_t>& deltas, std::vector<double>& out) {
  int64_t count = 0;
  for (const int64_t delta : deltas) {
    count = Plus(count, delta);
    out.push_back(static_cast<double>(count));
  }
}
void AddCounts(const std::vector<double>& counts, std::vector<double>& out) {
  out.insert(out.end(), counts.begin(), counts.end());
}

// Merges buckets of a schema above kMaxSchema: 2^(schema - kMaxSchema) of them
// are one.
class Reduction {
 public:
  Reduction(int32_t schema, const std::vector<Span>& spans)
      : shift_(schema - kMaxSchema) {
    SpanBuilder builder(spans_);
    int64_t last = 0;
    for (BucketCursor at(spans); !at.done(); at.Next()) {
      const int64_t index = ((at.index() - 1) >> shift_) + 1;
      if (buckets_ == 0 || index != last) {
        builder.Add(index);
        ++buckets_;
        last = index;
      }
      place_.push_back(buckets_ - 1);
    }
  }
  const std::vector<Span>& spans() const { return spans_; }

  void Apply(std::vector<double>& counts) const {
    std::vector<double> sums(buckets_);
    for (size_t i = 0; i < place_.size(); ++i) sums[place_[i]] += counts[i];
    counts = std::move(sums);
  }
  void Apply(std::vector<int64_t>& deltas) const {
    std::vector<int64_t> sums(buckets_);
    int64_t count = 0;
    for (size_t i = 0; i < place_.size(); ++i) {
      count = Plus(count, deltas[i]);
      sums[place_[i]] = Plus(sums[place_[i]], count);
    }
    for (size_t i = sums.size(); i-- > 1;)
      sums[i] = Plus(sums[i], -sums[i - 1]);
    deltas = std::move(sums);
  }

 private:
  const int32_t shift_;
  uint32_t buckets_ = 0;
  std::vector<Span> spans_;
  std::vector<uint32_t> place_;
};

template <typename H>
void Reduce(H& h) {
  const Reduction positive(h.schema, h.positive_spans);
  const Reduction negative(h.schema, h.negative_spans);
  positive.Apply(PositiveOf(h));
  negative.Apply(NegativeOf(h));
  h.positive_spans = positive.spans();
  h.negative_spans = negative.spans();
  h.schema = kMaxSchema;
}

absl::Status Damaged(const char* what) {
  return DataLoss(StrCat("damaged histogram chunk: ", what));
}

template <typename H>
std::shared_ptr<const HistogramLayout> LayoutOf(const H& h) {
  auto layout = std::make_shared<HistogramLayout>();
  layout->schema = h.schema;
  layout->zero_threshold = h.zero_threshold;
  layout->positive_spans = h.positive_spans;
  layout->negative_spans = h.negative_spans;
  layout->custom_values = h.custom_values;
  layout->positive_buckets =
      static_cast<uint32_t>(CountBuckets(h.positive_spans));
  layout->negative_buckets =
      static_cast<uint32_t>(CountBuckets(h.negative_spans));
  return layout;
}

bool Equal(const HistogramLayout& a, const HistogramLayout& b) {
  return a.schema == b.schema &&
         Bits(a.zero_threshold) == Bits(b.zero_threshold) &&
         a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans &&
         a.custom_values == b.custom_values;
}

// Chunks that follow each other mostly have one layout.
uint32_t AddLayout(std::shared_ptr<const HistogramLayout> layout,
                   HistogramColumn& out) {
  if (out.layouts.empty() || !Equal(*out.layouts.back(), *layout)) {
    out.layouts.push_back(std::move(layout));
  }
  return static_cast<uint32_t>(out.layouts.size() - 1);
}

template <typename H>
absl::Status Decode(ChunkEncoding encoding, std::string_view bytes,
                    TimeRange range, bool starts, HistogramColumn& out) {
  static const auto& kNoLayout = *new std::shared_ptr<const HistogramLayout>(
      std::make_shared<HistogramLayout>());
  constexpr uint32_t kNone = 0xffffffff;
  uint32_t layout = kNone, stale_layout = kNone;
  int64_t last_t = 0;
  bool first = true;
  HistogramReader<H> in(encoding, bytes);
  H reduced;
  while (in.Next()) {
    const Timestamp t = in.t();
    if (!first && t.ms <= last_t) return Damaged("its times do not ascend");
    first = false;
    last_t = t.ms;
    if (!range.Contains(t)) continue;
    H* h = &in.histogram();
    HistogramColumn::Point point;
    point.t = t;
    point.sum = h->sum;
    point.buckets = static_cast<uint32_t>(out.buckets.size());
    if (in.stale()) {
      if (stale_layout == kNone) stale_layout = AddLayout(kNoLayout, out);
      point.layout = stale_layout;
    } else {
      if (h->schema > kMaxSchema) {
        reduced = *h;
        Reduce(reduced);
        h = &reduced;
      }
      if (layout == kNone) layout = AddLayout(LayoutOf(*h), out);
      point.layout = layout;
      point.count = static_cast<double>(h->count);
      point.zero_count = static_cast<double>(h->zero_count);
      point.hint = static_cast<uint8_t>(h->hint);
      AddCounts(PositiveOf(*h), out.buckets);
      AddCounts(NegativeOf(*h), out.buckets);
      if (out.buckets.size() > 0xffffffffu) {
        return ResourceExhausted("more than 2^32 buckets of one series");
      }
    }
    if (starts) point.st = in.start();
    out.points.push_back(point);
  }
  if (in.damage() != nullptr) return Damaged(in.damage());
  return absl::OkStatus();
}

template <typename H>
absl::Status Visit(
    ChunkEncoding encoding, std::string_view bytes, TimeRange range,
    absl::FunctionRef<absl::Status(const HistogramSample&)> visit) {
  HistogramReader<H> in(encoding, bytes);
  int64_t last_t = 0;
  bool first = true;
  H copy;
  while (in.Next()) {
    if (!first && in.t() <= last_t) return Damaged("its times do not ascend");
    first = false;
    last_t = in.t();
    if (!range.Contains(in.t())) continue;
    H* h = &in.histogram();
    if (in.stale()) {
      copy = H{};
      copy.sum = h->sum;
      h = &copy;
    } else if (h->schema > kMaxSchema) {
      copy = *h;
      Reduce(copy);
      h = &copy;
    }
    HistogramSample sample;
    sample.t = in.t();
    sample.start = in.start();
    if constexpr (std::is_same_v<H, Histogram>) {
      sample.integer = h;
    } else {
      sample.floating = h;
    }
    NARTHEX_RETURN_IF_ERROR(visit(sample));
  }
  if (in.damage() != nullptr) return Damaged(in.damage());
  return absl::OkStatus();
}

}  // namespace

CounterResetHint ChunkHint(ChunkEncoding encoding, std::string_view bytes) {
  if (bytes.size() < kHistogramHeaderSize || !IsHistogramEncoding(encoding)) {
    return CounterResetHint::kUnknown;
  }
  const char byte = bytes[HasStartTimes(encoding) ? 0 : 2];
  return kHints[static_cast<uint8_t>(byte) >> 6];
}

template <typename H>
HistogramReader<H>::HistogramReader(ChunkEncoding encoding,
                                    std::string_view bytes)
    : in_(bytes, kHistogramHeaderSize * 8) {
  if (bytes.size() < kHistogramHeaderSize) {
    damage_ = "it is too short for its header";
    return;
  }
  samples_ = SampleCount(encoding, bytes);
  chunk_hint_ = ChunkHint(encoding, bytes);
  has_starts_ = HasStartTimes(encoding);
  if (has_starts_) starts_ = StartTimeDecoder(static_cast<uint8_t>(bytes[2]));
}

template <typename H>
bool HistogramReader<H>::stale() const {
  return sum_.v == kStaleNaNBits;
}

template <typename H>
bool HistogramReader<H>::Fail(const char* what) {
  damage_ = what;
  return false;
}

template <typename H>
bool HistogramReader<H>::TakeXor(Xor& field) {
  const uint64_t w = in_.Peek();
  if (static_cast<int64_t>(w) >= 0) {
    in_.Skip(1);
    return true;
  }
  if ((w & uint64_t{1} << 62) == 0) {
    in_.Skip(2);
  } else {
    const uint32_t lead = static_cast<uint32_t>(w >> 57) & 31;
    uint32_t size = static_cast<uint32_t>(w >> 51) & 63;
    if (size == 0) size = 64;
    if (lead + size > 64) return false;
    field.lead = static_cast<uint8_t>(lead);
    field.trail = static_cast<uint8_t>(64 - lead - size);
    in_.Skip(13);
  }
  field.v ^= in_.BitsWide(64u - field.lead - field.trail) << field.trail;
  return true;
}

template <typename H>
void HistogramReader<H>::Take(Field& field) {
  field.delta = Plus(field.delta, in_.Varbit());
  field.v = Plus(field.v, field.delta);
}

template <typename H>
bool HistogramReader<H>::First() {
  ChunkLayout layout;
  if (const char* what = TakeLayout(in_, layout); what != nullptr) {
    return Fail(what);
  }
  t_ = in_.Varbit();
  if constexpr (kFloat) {
    count_.v = in_.BitsWide(64);
    zero_count_.v = in_.BitsWide(64);
  } else {
    count_.v = static_cast<int64_t>(in_.VarbitUint());
    zero_count_.v = static_cast<int64_t>(in_.VarbitUint());
  }
  sum_.v = in_.BitsWide(64);
  const size_t n[2] = {CountBuckets(layout.positive_spans),
                       CountBuckets(layout.negative_spans)};
  for (size_t side = 0; side < 2; ++side) {
    if (n[side] > in_.remaining()) {
      return Fail("it ends within its first sample");
    }
    buckets_[side].resize(n[side]);
    for (auto& field : buckets_[side]) {
      if constexpr (kFloat) {
        field.v = in_.BitsWide(64);
      } else {
        field.v = in_.Varbit();
      }
    }
    if (!in_.ok()) return Fail("it ends within its first sample");
  }
  h_.schema = layout.schema;
  h_.zero_threshold = layout.zero_threshold;
  h_.positive_spans = std::move(layout.positive_spans);
  h_.negative_spans = std::move(layout.negative_spans);
  h_.custom_values = std::move(layout.custom_values);
  PositiveOf(h_).resize(n[0]);
  NegativeOf(h_).resize(n[1]);
  return true;
}

template <typename H>
bool HistogramReader<H>::Next() {
  if (next_ == samples_ || damage_ != nullptr) return false;
  const int64_t previous_t = t_;
  if (next_ == 0) {
    if (!First()) return false;
  } else {
    t_delta_ = Plus(t_delta_, in_.Varbit());
    t_ = Plus(t_, t_delta_);
    bool good = true;
    if constexpr (kFloat) {
      good = TakeXor(count_) && TakeXor(zero_count_);
    } else {
      Take(count_);
      Take(zero_count_);
    }
    good = good && TakeXor(sum_);
    if (!stale()) {
      for (auto& side : buckets_) {
        for (auto& field : side) {
          if constexpr (kFloat) {
            good = good && TakeXor(field);
          } else {
            Take(field);
          }
        }
      }
    }
    if (!good) return Fail("a value has more than 64 bits");
    if (!in_.ok()) return Fail("it ends before its last sample");
  }
  if (has_starts_) start_ = starts_.Take(in_, next_, t_, previous_t);
  if (!in_.ok()) return Fail("it ends before its last sample");
  h_.sum = FromBits(sum_.v);
  if constexpr (kFloat) {
    h_.count = FromBits(count_.v);
    h_.zero_count = FromBits(zero_count_.v);
  } else {
    h_.count = static_cast<uint64_t>(count_.v);
    h_.zero_count = static_cast<uint64_t>(zero_count_.v);
  }
  std::conditional_t<kFloat, std::vector<double>, std::vector<int64_t>>* const
      to[2] = {&PositiveOf(h_), &NegativeOf(h_)};
  for (size_t side = 0; side < 2; ++side) {
    for (size_t i = 0; i < buckets_[side].size(); ++i) {
      if constexpr (kFloat) {
        (*to[side])[i] = FromBits(buckets_[side][i].v);
      } else {
        (*to[side])[i] = buckets_[side][i].v;
      }
    }
  }
  // Prometheus does not trust what the header says of a chunk's first sample:
  // the chunk before it may not be the one that was there then.
  h_.hint = chunk_hint_ == CounterResetHint::kGauge ? CounterResetHint::kGauge
            : next_ > 0 ? CounterResetHint::kNotReset
                        : CounterResetHint::kUnknown;
  ++next_;
  return true;
}

template class HistogramReader<Histogram>;
template class HistogramReader<FloatHistogram>;

absl::Status DecodeHistograms(ChunkEncoding encoding, std::string_view bytes,
                              TimeRange range, SampleColumns& out) {
  HistogramColumn& to = out.mutable_histograms();
  const size_t points = to.points.size(), layouts = to.layouts.size(),
               buckets = to.buckets.size();
  const bool starts = out.mutable_st() != nullptr;
  absl::Status status =
      HasFloatCounts(encoding)
          ? Decode<FloatHistogram>(encoding, bytes, range, starts, to)
          : Decode<Histogram>(encoding, bytes, range, starts, to);
  if (!status.ok()) {
    to.points.resize(points);
    to.layouts.resize(layouts);
    to.buckets.resize(buckets);
  }
  return status;
}

absl::Status VisitHistograms(
    ChunkEncoding encoding, std::string_view bytes, TimeRange range,
    absl::FunctionRef<absl::Status(const HistogramSample&)> visit) {
  if (!IsHistogramEncoding(encoding)) {
    return Internal("not a chunk of histograms");
  }
  return HasFloatCounts(encoding)
             ? Visit<FloatHistogram>(encoding, bytes, range, visit)
             : Visit<Histogram>(encoding, bytes, range, visit);
}

}  // namespace narthex::tsdb
