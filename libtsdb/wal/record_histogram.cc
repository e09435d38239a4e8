// Records of native histograms: types 7 to 10, 12 and 13.

#include <algorithm>
#include <bit>
#include <type_traits>
#include <utility>

#include "libtsdb/model/histogram_buckets.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

// What no format of today writes, but newer ones may: schemas up to this one
// are known, those above kMaxSchema are brought down to it.
constexpr int32_t kMinKnownSchema = -9;
constexpr int32_t kMaxKnownSchema = 52;

uint64_t Number(SeriesRef ref) { return static_cast<uint64_t>(ref); }

int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) +
                              static_cast<uint64_t>(b));
}
int64_t WrappingSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) -
                              static_cast<uint64_t>(b));
}

absl::Status Bad(const ByteReader& r) {
  return DataLoss(StrCat("bad histogram record at byte ", r.bad_offset() + 1));
}

template <typename H>
constexpr bool kIsFloat = std::is_same_v<H, FloatHistogram>;

template <typename H>
RecordType TypeFor(BucketKind kind) {
  if (kind == BucketKind::kCustom) {
    return kIsFloat<H> ? RecordType::kCustomFloatHistograms
                       : RecordType::kCustomHistograms;
  }
  return kIsFloat<H> ? RecordType::kFloatHistograms : RecordType::kHistograms;
}

template <typename H>
bool Encode(std::span<const HistogramRow<H>> rows, BucketKind kind,
            std::string& out) {
  const HistogramRow<H>* first = nullptr;
  for (const HistogramRow<H>& row : rows) {
    const bool custom = row.h.schema == kCustomBucketsSchema;
    if (custom != (kind == BucketKind::kCustom)) continue;
    ByteWriter w(out);
    if (first == nullptr) {
      // Of the custom ones Prometheus makes a list of their own.
      first = kind == BucketKind::kCustom ? &row : &rows.front();
      w.U8(static_cast<uint8_t>(TypeFor<H>(kind)));
      w.BE64(Number(first->ref));
      w.BE64(static_cast<uint64_t>(first->t.ms));
    }
    w.Varint(static_cast<int64_t>(Number(row.ref) - Number(first->ref)));
    w.Varint(WrappingSub(row.t.ms, first->t.ms));
    EncodeHistogram(row.h, w);
  }
  return first != nullptr;
}

template <typename H>
void EncodeV2(std::span<const HistogramRow<H>> rows, std::string& out) {
  ByteWriter w(out);
  w.U8(static_cast<uint8_t>(kIsFloat<H> ? RecordType::kFloatHistogramsV2
                                        : RecordType::kHistogramsV2));
  for (size_t i = 0; i < rows.size(); ++i) {
    const HistogramRow<H>& row = rows[i];
    if (i == 0) {
      w.Varint(static_cast<int64_t>(Number(row.ref)));
      w.Varint(row.t.ms);
      w.Varint(row.start.ms);
    } else {
      w.Varint(static_cast<int64_t>(Number(row.ref) - Number(rows[i - 1].ref)));
      w.Varint(WrappingSub(row.t.ms, rows[0].t.ms));
      if (row.start == 0) {
        w.U8(0);
      } else if (row.start == rows[i - 1].start) {
        w.U8(1);
      } else {
        w.U8(2);
        w.Varint(WrappingSub(row.start.ms, rows[0].start.ms));
      }
    }
    EncodeHistogram(row.h, w);
  }
}

void PutSpans(std::span<const Span> spans, ByteWriter& w) {
  w.Uvarint(spans.size());
  for (const Span& span : spans) {
    w.Varint(span.offset);
    w.Uvarint(span.length);
  }
}

void PutCounts(std::span<const int64_t> counts, ByteWriter& w) {
  w.Uvarint(counts.size());
  for (const int64_t count : counts) w.Varint(count);
}
void PutCounts(std::span<const double> counts, ByteWriter& w) {
  w.Uvarint(counts.size());
  for (const double count : counts) w.Double(count);
}

// How many follow; each of them takes `least` bytes or more, so that damage
// can't ask for memory that the record has no bytes for.
size_t TakeCount(ByteReader& r, size_t least) {
  const uint64_t n = r.Uvarint();
  if (n > r.remaining() / least) {
    r.Fail();
    return 0;
  }
  return static_cast<size_t>(n);
}

void TakeSpans(ByteReader& r, std::vector<Span>& spans) {
  spans.resize(TakeCount(r, 2));
  for (Span& span : spans) {
    span.offset = static_cast<int32_t>(r.Varint());
    span.length = r.Uvarint32();
  }
}
void TakeCounts(ByteReader& r, std::vector<int64_t>& counts) {
  counts.resize(TakeCount(r, 1));
  for (int64_t& count : counts) count = r.Varint();
}
void TakeCounts(ByteReader& r, std::vector<double>& counts) {
  counts.resize(TakeCount(r, sizeof(double)));
  for (double& count : counts) count = r.Double();
}

// Two neighbours become one with each step down.
template <typename Count>
void LowerResolution(int32_t steps, bool deltas, std::vector<Span>& spans,
                     std::vector<Count>& counts) {
  std::vector<Span> wide;
  std::vector<Count> sums;
  int64_t last = 0;
  Count value = 0;
  VisitBuckets(spans, counts.size(), [&](int64_t index, size_t i) {
    value = deltas ? static_cast<Count>(value + counts[i]) : counts[i];
    const int64_t to = ((index - 1) >> std::min(steps, 62)) + 1;
    if (!sums.empty() && to == last) {
      sums.back() += value;
      return;
    }
    const int64_t gap = sums.empty() ? to : to - last - 1;
    if (sums.empty() || gap != 0) {
      wide.push_back({static_cast<int32_t>(gap), 0});
    }
    ++wide.back().length;
    sums.push_back(value);
    last = to;
  });
  if (deltas) {
    for (size_t i = sums.size(); i-- > 1;) sums[i] -= sums[i - 1];
  }
  spans = std::move(wide);
  counts = std::move(sums);
}

void LowerResolution(Histogram& h) {
  const int32_t steps = h.schema - kMaxSchema;
  LowerResolution(steps, true, h.positive_spans, h.positive_deltas);
  LowerResolution(steps, true, h.negative_spans, h.negative_deltas);
  h.schema = kMaxSchema;
}
void LowerResolution(FloatHistogram& h) {
  const int32_t steps = h.schema - kMaxSchema;
  LowerResolution(steps, false, h.positive_spans, h.positive_buckets);
  LowerResolution(steps, false, h.negative_spans, h.negative_buckets);
  h.schema = kMaxSchema;
}

// Do the spans say how many buckets there are?  Who takes apart what others
// wrote must not look behind the end.
bool SpansFit(std::span<const Span> spans, size_t buckets) {
  uint64_t n = 0;
  for (const Span& span : spans) n += span.length;
  return n == buckets;
}
bool Consistent(const Histogram& h) {
  return SpansFit(h.positive_spans, h.positive_deltas.size()) &&
         SpansFit(h.negative_spans, h.negative_deltas.size());
}
bool Consistent(const FloatHistogram& h) {
  return SpansFit(h.positive_spans, h.positive_buckets.size()) &&
         SpansFit(h.negative_spans, h.negative_buckets.size());
}

template <typename H>
absl::Status Decode(std::string_view record, bool v2,
                    std::vector<HistogramRow<H>>& out, uint64_t& skipped) {
  ByteReader r(record.substr(1));
  if (r.empty()) return absl::OkStatus();
  uint64_t ref = v2 ? static_cast<uint64_t>(r.Varint()) : r.BE64();
  const uint64_t base_ref = ref;
  const int64_t base_t = v2 ? r.Varint() : static_cast<int64_t>(r.BE64());
  const int64_t first_start = v2 ? r.Varint() : 0;
  int64_t t = base_t;
  int64_t start = first_start;
  bool first = true;
  while (r.ok() && !r.empty()) {
    if (!v2) {
      ref = base_ref + static_cast<uint64_t>(r.Varint());
      t = WrappingAdd(base_t, r.Varint());
    } else if (!first) {
      ref += static_cast<uint64_t>(r.Varint());
      t = WrappingAdd(base_t, r.Varint());
      switch (r.U8()) {
        case 0:
          start = 0;
          break;
        case 1:
          break;
        case 2:
          start = WrappingAdd(first_start, r.Varint());
          break;
        default:
          r.Fail();
      }
    }
    first = false;
    HistogramRow<H> row;
    row.ref = SeriesRef{ref};
    row.t = t;
    row.start = start;
    DecodeHistogram(r, row.h);
    if (!r.ok()) break;
    const int32_t schema = row.h.schema;
    const bool known = schema == kCustomBucketsSchema ||
                       (schema >= kMinKnownSchema && schema <= kMaxKnownSchema);
    if (!known || !Consistent(row.h)) {
      ++skipped;
      continue;
    }
    if (schema > kMaxSchema) LowerResolution(row.h);
    out.push_back(std::move(row));
  }
  return r.ok() ? absl::OkStatus() : Bad(r);
}

absl::Status WrongType(std::string_view record) {
  return DataLoss(StrCat("not such a histogram record: type ",
                         static_cast<int>(TypeOf(record))));
}

}  // namespace

void EncodeHistogram(const Histogram& h, ByteWriter& w) {
  w.U8(static_cast<uint8_t>(h.hint));
  w.Varint(h.schema);
  w.Double(h.zero_threshold);
  w.Uvarint(h.zero_count);
  w.Uvarint(h.count);
  w.Double(h.sum);
  PutSpans(h.positive_spans, w);
  PutSpans(h.negative_spans, w);
  PutCounts(h.positive_deltas, w);
  PutCounts(h.negative_deltas, w);
  if (h.schema == kCustomBucketsSchema) PutCounts(h.custom_values, w);
}

void EncodeHistogram(const FloatHistogram& h, ByteWriter& w) {
  w.U8(static_cast<uint8_t>(h.hint));
  w.Varint(h.schema);
  w.Double(h.zero_threshold);
  w.Double(h.zero_count);
  w.Double(h.count);
  w.Double(h.sum);
  PutSpans(h.positive_spans, w);
  PutSpans(h.negative_spans, w);
  PutCounts(h.positive_buckets, w);
  PutCounts(h.negative_buckets, w);
  if (h.schema == kCustomBucketsSchema) PutCounts(h.custom_values, w);
}

void DecodeHistogram(ByteReader& r, Histogram& h) {
  h.hint = static_cast<CounterResetHint>(r.U8() & 3);
  h.schema = static_cast<int32_t>(r.Varint());
  h.zero_threshold = r.Double();
  h.zero_count = r.Uvarint();
  h.count = r.Uvarint();
  h.sum = r.Double();
  TakeSpans(r, h.positive_spans);
  TakeSpans(r, h.negative_spans);
  TakeCounts(r, h.positive_deltas);
  TakeCounts(r, h.negative_deltas);
  h.custom_values.clear();
  if (h.schema == kCustomBucketsSchema) TakeCounts(r, h.custom_values);
}

void DecodeHistogram(ByteReader& r, FloatHistogram& h) {
  h.hint = static_cast<CounterResetHint>(r.U8() & 3);
  h.schema = static_cast<int32_t>(r.Varint());
  h.zero_threshold = r.Double();
  h.zero_count = r.Double();
  h.count = r.Double();
  h.sum = r.Double();
  TakeSpans(r, h.positive_spans);
  TakeSpans(r, h.negative_spans);
  TakeCounts(r, h.positive_buckets);
  TakeCounts(r, h.negative_buckets);
  h.custom_values.clear();
  if (h.schema == kCustomBucketsSchema) TakeCounts(r, h.custom_values);
}

bool IsIntHistograms(RecordType type) {
  return type == RecordType::kHistograms ||
         type == RecordType::kCustomHistograms ||
         type == RecordType::kHistogramsV2;
}

bool IsFloatHistograms(RecordType type) {
  return type == RecordType::kFloatHistograms ||
         type == RecordType::kCustomFloatHistograms ||
         type == RecordType::kFloatHistogramsV2;
}

bool EncodeHistograms(std::span<const IntHistogramRow> rows, BucketKind kind,
                      std::string& out) {
  return Encode(rows, kind, out);
}
bool EncodeHistograms(std::span<const FloatHistogramRow> rows, BucketKind kind,
                      std::string& out) {
  return Encode(rows, kind, out);
}
void EncodeHistogramsV2(std::span<const IntHistogramRow> rows,
                        std::string& out) {
  EncodeV2(rows, out);
}
void EncodeHistogramsV2(std::span<const FloatHistogramRow> rows,
                        std::string& out) {
  EncodeV2(rows, out);
}

absl::Status DecodeHistograms(std::string_view record,
                              std::vector<IntHistogramRow>& out,
                              uint64_t& skipped) {
  out.clear();
  if (!IsIntHistograms(TypeOf(record))) return WrongType(record);
  return Decode(record, TypeOf(record) == RecordType::kHistogramsV2, out,
                skipped);
}
absl::Status DecodeHistograms(std::string_view record,
                              std::vector<FloatHistogramRow>& out,
                              uint64_t& skipped) {
  out.clear();
  if (!IsFloatHistograms(TypeOf(record))) return WrongType(record);
  return Decode(record, TypeOf(record) == RecordType::kFloatHistogramsV2, out,
                skipped);
}

}  // namespace narthex::tsdb::wal
