#include "libtsdb/wal/record.h"

#include <algorithm>

#include "narthex/base/coding.h"

namespace narthex::tsdb::wal {
namespace {

uint64_t Number(SeriesRef ref) { return static_cast<uint64_t>(ref); }

void Type(RecordType type, std::string& out) { out += static_cast<char>(type); }

int64_t WrappingSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) -
                              static_cast<uint64_t>(b));
}

// Of the types 11 to 13: none, the one before, or in full.
void PutStartTime(Timestamp st, Timestamp first, Timestamp previous,
                  ByteWriter& w) {
  if (st == 0) {
    w.U8(0);
  } else if (st == previous) {
    w.U8(1);
  } else {
    w.U8(2);
    w.Varint(WrappingSub(st.ms, first.ms));
  }
}

}  // namespace

bool IsTimed(RecordType type) {
  switch (type) {
    case RecordType::kSamples:
    case RecordType::kExemplars:
    case RecordType::kHistograms:
    case RecordType::kFloatHistograms:
    case RecordType::kCustomHistograms:
    case RecordType::kCustomFloatHistograms:
    case RecordType::kSamplesV2:
    case RecordType::kHistogramsV2:
    case RecordType::kFloatHistogramsV2:
      return true;
    default:
      return false;
  }
}

void BeginSeries(std::string& out) { Type(RecordType::kSeries, out); }

void AddSeries(SeriesRef ref, const Labels& labels, std::string& out) {
  ByteWriter w(out);
  w.BE64(Number(ref));
  w.Uvarint(labels.size());
  for (const Label& label : labels) {
    w.UvarintBytes(label.name);
    w.UvarintBytes(label.value);
  }
}

namespace {

// Type 11: references lean on the one before, times on the first.
void EncodeSamplesV2(std::span<const SeriesRef> refs,
                     std::span<const double> values, Timestamp at,
                     std::span<const Timestamp> times,
                     std::span<const Timestamp> start_times, std::string& out) {
  Type(RecordType::kSamplesV2, out);
  ByteWriter w(out);
  const auto time = [&](size_t i) {
    return times.empty() ? at.ms : times[i].ms;
  };
  for (size_t i = 0; i < refs.size(); ++i) {
    if (i == 0) {
      w.Varint(static_cast<int64_t>(Number(refs[0])));
      w.Varint(time(0));
      w.Varint(start_times[0].ms);
    } else {
      w.Varint(static_cast<int64_t>(Number(refs[i]) - Number(refs[i - 1])));
      w.Varint(WrappingSub(time(i), time(0)));
      PutStartTime(start_times[i], start_times[0], start_times[i - 1], w);
    }
    uint64_t bits;
    std::memcpy(&bits, &values[i], sizeof(bits));
    w.BE64(bits);
  }
}

}  // namespace

void EncodeSamples(std::span<const SeriesRef> refs,
                   std::span<const double> values, Timestamp at,
                   std::span<const Timestamp> times, std::string& out,
                   std::span<const Timestamp> start_times) {
  if (!start_times.empty()) {
    EncodeSamplesV2(refs, values, at, times, start_times, out);
    return;
  }
  Type(RecordType::kSamples, out);
  if (refs.empty()) return;
  ByteWriter w(out);
  const uint64_t base_ref = Number(refs[0]);
  const int64_t base_t = times.empty() ? at.ms : times[0].ms;
  w.BE64(base_ref);
  w.BE64(static_cast<uint64_t>(base_t));
  // A piece at a time, aside: a string would look at its bounds three times a
  // sample, or be filled with zeros first.
  constexpr size_t kMost = 2 * kMaxVarintLen64 + sizeof(uint64_t);
  constexpr size_t kPiece = 64;
  char piece[kPiece * kMost];
  out.reserve(out.size() + refs.size() * 12);
  for (size_t i = 0; i < refs.size();) {
    char* p = piece;
    for (const size_t end = std::min(i + kPiece, refs.size()); i < end; ++i) {
      p = StoreVarint(p, static_cast<int64_t>(Number(refs[i]) - base_ref));
      if (times.empty()) {
        *p++ = 0;
      } else {
        p = StoreVarint(
            p, static_cast<int64_t>(static_cast<uint64_t>(times[i].ms) -
                                    static_cast<uint64_t>(base_t)));
      }
      uint64_t bits;
      std::memcpy(&bits, &values[i], sizeof(bits));
      StoreBE64(p, bits);
      p += 8;
    }
    out.append(piece, static_cast<size_t>(p - piece));
  }
}

void EncodeExemplars(std::span<const ExemplarRow> rows, std::string& out) {
  Type(RecordType::kExemplars, out);
  if (rows.empty()) return;
  ByteWriter w(out);
  w.BE64(Number(rows[0].ref));
  w.BE64(static_cast<uint64_t>(rows[0].t.ms));
  for (const ExemplarRow& row : rows) {
    w.Varint(static_cast<int64_t>(Number(row.ref) - Number(rows[0].ref)));
    w.Varint(WrappingSub(row.t.ms, rows[0].t.ms));
    w.Double(row.value);
    w.Uvarint(row.labels.size());
    for (const Label& label : row.labels) {
      w.UvarintBytes(label.name);
      w.UvarintBytes(label.value);
    }
  }
}

void EncodeMmapMarkers(std::span<const MmapMarker> markers, std::string& out) {
  Type(RecordType::kMmapMarkers, out);
  ByteWriter w(out);
  for (const MmapMarker& marker : markers) {
    w.BE64(Number(marker.ref));
    w.BE64(marker.chunk);
  }
}

void EncodeTombstones(std::span<const Tombstone> tombstones, std::string& out) {
  Type(RecordType::kTombstones, out);
  ByteWriter w(out);
  for (const Tombstone& tombstone : tombstones) {
    w.BE64(Number(tombstone.ref));
    w.Varint(tombstone.range.min.ms);
    w.Varint(tombstone.range.max.ms);
  }
}

void BeginMetadata(std::string& out) { Type(RecordType::kMetadata, out); }

void AddMetadata(SeriesRef ref, const Metadata& metadata, std::string& out) {
  ByteWriter w(out);
  w.Uvarint(Number(ref));
  w.U8(static_cast<uint8_t>(metadata.type));
  w.Uvarint(2);
  w.UvarintBytes("UNIT");
  w.UvarintBytes(metadata.unit);
  w.UvarintBytes("HELP");
  w.UvarintBytes(metadata.help);
}

}  // namespace narthex::tsdb::wal
