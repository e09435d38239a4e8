// What a record of the log says, as structs and columns; the bytes are drawn in
// docs/format/wal.md.
//
// Functions of bytes; any thread.  Encoders append to `out`.  Decoders refuse
// damaged bytes with kDataLoss, naming the offset within the record; what they
// had handed out before that stands.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "narthex/base/coding.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/model/labels.h"
#include "narthex/model/metadata.h"

namespace narthex::tsdb::wal {

// The first byte of a record.
enum class RecordType : uint8_t {
  kNone = 0,  // an empty record
  kSeries = 1,
  kSamples = 2,
  kTombstones = 3,
  kExemplars = 4,
  kMmapMarkers = 5,
  kMetadata = 6,
  kHistograms = 7,
  kFloatHistograms = 8,
  kCustomHistograms = 9,
  kCustomFloatHistograms = 10,
  kSamplesV2 = 11,
  kHistogramsV2 = 12,
  kFloatHistogramsV2 = 13,
};

// Also types that this version doesn't know.
inline RecordType TypeOf(std::string_view record) {
  return record.empty() ? RecordType::kNone
                        : static_cast<RecordType>(record.front());
}
// Samples, histograms or exemplars: nothing that outlives its own time.
bool IsTimed(RecordType type);

// --- Series (1).

// Begins a record, then one call per series.
void BeginSeries(std::string& out);
void AddSeries(SeriesRef ref, const Labels& labels, std::string& out);
// Calls `visit` for each series with its labels sorted by name; the views live
// until it returns.
absl::Status DecodeSeries(
    std::string_view record,
    absl::FunctionRef<void(SeriesRef, std::span<const Label>)> visit);
// The same without a look at the labels: `entry` is the bytes of the series, as
// AddSeries appends them.
absl::Status VisitSeries(
    std::string_view record,
    absl::FunctionRef<void(SeriesRef, std::string_view entry)> visit);

// --- Float samples (2, 11).

// A whole record.  `times` is empty (all are at `at`) or as long as `refs`.
// Type 2, or type 11 if there are `start_times`.
void EncodeSamples(std::span<const SeriesRef> refs,
                   std::span<const double> values, Timestamp at,
                   std::span<const Timestamp> times, std::string& out,
                   std::span<const Timestamp> start_times = {});

// Three columns of equal length.
struct SampleRows {
  std::vector<SeriesRef> refs = {};
  std::vector<Timestamp> times = {};
  std::vector<double> values = {};
  std::vector<Timestamp> start_times = {};  // of type 11 only, else empty

  size_t size() const { return refs.size(); }
  void Clear() {
    refs.clear();
    times.clear();
    values.clear();
    start_times.clear();
  }
};
// Replaces what is in `out`.  Takes types 2 and 11.
absl::Status DecodeSamples(std::string_view record, SampleRows& out);

// --- Native histograms (7 to 10, 12, 13).

template <typename H>
struct HistogramRow {
  SeriesRef ref = SeriesRef::kNone;
  Timestamp t = 0;
  Timestamp start = 0;  // of types 12 and 13 only, else 0
  H h = {};
};
using IntHistogramRow = HistogramRow<Histogram>;
using FloatHistogramRow = HistogramRow<FloatHistogram>;

// Of the types 7 and 9 (8 and 10), histograms with bucket bounds of their own
// go into records of their own, as Prometheus 2.x can't read those.
enum class BucketKind : uint8_t { kExponential, kCustom };
// A whole record of those rows that are of `kind`.  false, and nothing is
// written, if there is none.  Times and references lean on the first row,
// whatever kind that one is of, as Prometheus does it.
bool EncodeHistograms(std::span<const IntHistogramRow> rows, BucketKind kind,
                      std::string& out);
bool EncodeHistograms(std::span<const FloatHistogramRow> rows, BucketKind kind,
                      std::string& out);
// Types 12 and 13: with start times and of both kinds.
void EncodeHistogramsV2(std::span<const IntHistogramRow> rows,
                        std::string& out);
void EncodeHistogramsV2(std::span<const FloatHistogramRow> rows,
                        std::string& out);

// Is it a record of integer (float) histograms, whatever type of those?
bool IsIntHistograms(RecordType type);
bool IsFloatHistograms(RecordType type);
// Replaces what is in `out`.  Resolutions above kMaxSchema are brought down to
// it; histograms of schemas that nobody knows are left out and counted.
absl::Status DecodeHistograms(std::string_view record,
                              std::vector<IntHistogramRow>& out,
                              uint64_t& skipped);
absl::Status DecodeHistograms(std::string_view record,
                              std::vector<FloatHistogramRow>& out,
                              uint64_t& skipped);

// One histogram without reference and time, as these records and chunk
// snapshots have it.  Decoding stops at damage: ask `r`.
void EncodeHistogram(const Histogram& h, ByteWriter& w);
void EncodeHistogram(const FloatHistogram& h, ByteWriter& w);
void DecodeHistogram(ByteReader& r, Histogram& h);
void DecodeHistogram(ByteReader& r, FloatHistogram& h);

// --- Exemplars (4).

struct ExemplarRow {
  SeriesRef ref = SeriesRef::kNone;
  Timestamp t = 0;
  double value = 0;
  Labels labels = {};
  bool has_timestamp = false;  // not logged
};
void EncodeExemplars(std::span<const ExemplarRow> rows, std::string& out);
// Replaces what is in `out`.
absl::Status DecodeExemplars(std::string_view record,
                             std::vector<ExemplarRow>& out);

// --- Markers in the log of late samples (5): up to here the series' late
// samples are in that chunk of chunks_head.

struct MmapMarker {
  SeriesRef ref = SeriesRef::kNone;
  uint64_t chunk = 0;  // HeadChunkRef; 0: its first chunk begins here
};
void EncodeMmapMarkers(std::span<const MmapMarker> markers, std::string& out);
// Replaces what is in `out`.
absl::Status DecodeMmapMarkers(std::string_view record,
                               std::vector<MmapMarker>& out);

// --- Tombstones (3).

struct Tombstone {
  SeriesRef ref = SeriesRef::kNone;
  TimeRange range = {};  // all of time: the series was deleted here
};
void EncodeTombstones(std::span<const Tombstone> tombstones, std::string& out);
// Replaces what is in `out`.
absl::Status DecodeTombstones(std::string_view record,
                              std::vector<Tombstone>& out);

// --- Metadata (6).

void BeginMetadata(std::string& out);
void AddMetadata(SeriesRef ref, const Metadata& metadata, std::string& out);
absl::Status DecodeMetadata(
    std::string_view record,
    absl::FunctionRef<void(SeriesRef, const Metadata&)> visit);

}  // namespace narthex::tsdb::wal
