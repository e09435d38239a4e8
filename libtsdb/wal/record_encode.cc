#include "libtsdb/wal/record.h"

#include <algorithm>

#include "narthex/base/coding.h"

namespace narthex::tsdb::wal {
namespace {

uint64_t Number(SeriesRef ref) { return static_cast<uint64_t>(ref); }

void Type(RecordType type, std::string& out) { out += static_cast<char>(type); }

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

void EncodeSamples(std::span<const SeriesRef> refs,
                   std::span<const double> values, Timestamp at,
                   std::span<const Timestamp> times, std::string& out) {
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
