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
#include "narthex/base/time.h"
#include "narthex/model/appender.h"
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

// --- Float samples (2; 11 is read).

// A whole record.  `times` is empty (all are at `at`) or as long as `refs`.
void EncodeSamples(std::span<const SeriesRef> refs,
                   std::span<const double> values, Timestamp at,
                   std::span<const Timestamp> times, std::string& out);

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
