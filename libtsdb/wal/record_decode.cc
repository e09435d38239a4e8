#include <algorithm>

#include "libtsdb/wal/record.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

absl::Status Bad(const ByteReader& r, std::string_view what) {
  return DataLoss(StrCat("bad ", what, " record at byte ", r.bad_offset() + 1));
}

absl::Status WrongType(std::string_view record, std::string_view wanted) {
  return DataLoss(StrCat("not a ", wanted, " record: type ",
                         static_cast<int>(TypeOf(record))));
}

int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) +
                              static_cast<uint64_t>(b));
}

absl::Status DecodePlainSamples(std::string_view body, SampleRows& out) {
  ByteReader r(body);
  if (body.empty()) {
    out.Clear();
    return absl::OkStatus();
  }
  const uint64_t base_ref = r.BE64();
  const auto base_t = static_cast<int64_t>(r.BE64());
  if (!r.ok()) {
    out.Clear();
    return Bad(r, "sample");
  }
  // A sample takes ten bytes at least, so that this can't be made to grow.
  const size_t most = r.remaining() / 10;
  out.refs.resize(most);
  out.times.resize(most);
  out.values.resize(most);
  size_t n = 0;
  const auto put = [&](int64_t ref, int64_t t, uint64_t bits) {
    out.refs[n] = SeriesRef{base_ref + static_cast<uint64_t>(ref)};
    out.times[n] = WrappingAdd(base_t, t);
    // As bytes: a stale marker must not go through a float register.
    std::memcpy(&out.values[n], &bits, sizeof(bits));
    ++n;
  };
  while (n < most && !r.empty()) {
    // Nearly all: a reference of up to three bytes, the time of the first.
    const std::string_view rest = r.rest();
    const char* p = rest.data();
    constexpr size_t kShort = 3 + 1 + 8;
    for (const char* const end = p + rest.size(); n < most;) {
      if (end - p < static_cast<ptrdiff_t>(kShort)) break;
      const auto byte = [p](size_t i) { return static_cast<uint8_t>(p[i]); };
      uint64_t ref = byte(0);
      size_t size = 1;
      if (ref >= 0x80) {
        ref = (ref & 0x7f) | uint64_t{byte(1)} << 7;
        size = 2;
        if (byte(1) >= 0x80) {
          if (byte(2) >= 0x80) break;
          ref = (ref & 0x3fff) | uint64_t{byte(2)} << 14;
          size = 3;
        }
      }
      if (byte(size) != 0) break;
      put(UnZigZag(ref), 0, LoadBE64(p + size + 1));
      p += size + 1 + sizeof(uint64_t);
    }
    r.Skip(static_cast<size_t>(p - rest.data()));
    if (n == most || r.empty()) break;
    const int64_t ref = r.Varint();
    const int64_t t = r.Varint();
    const uint64_t bits = r.BE64();
    if (!r.ok()) break;
    put(ref, t, bits);
  }
  out.refs.resize(n);
  out.times.resize(n);
  out.values.resize(n);
  if (!r.ok() || !r.empty()) return Bad(r, "sample");
  return absl::OkStatus();
}

// Type 11: references lean on the one before, times on the first.
absl::Status DecodeSamplesV2(std::string_view body, SampleRows& out) {
  ByteReader r(body);
  if (body.empty()) return absl::OkStatus();
  int64_t ref = r.Varint();
  const int64_t first_t = r.Varint();
  const int64_t first_st = r.Varint();
  int64_t st = first_st;
  int64_t t = first_t;
  bool first = true;
  while (first || !r.empty()) {
    if (!first) {
      ref = WrappingAdd(ref, r.Varint());
      t = WrappingAdd(first_t, r.Varint());
      switch (r.U8()) {
        case 0:
          st = 0;
          break;
        case 1:
          break;
        case 2:
          st = WrappingAdd(first_st, r.Varint());
          break;
        default:
          r.Fail();
      }
    }
    const uint64_t bits = r.BE64();
    if (!r.ok()) return Bad(r, "sample");
    out.refs.push_back(SeriesRef{static_cast<uint64_t>(ref)});
    out.times.push_back(t);
    out.start_times.push_back(st);
    double v;
    std::memcpy(&v, &bits, sizeof(v));
    out.values.push_back(v);
    first = false;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status DecodeSeries(
    std::string_view record,
    absl::FunctionRef<void(SeriesRef, std::span<const Label>)> visit) {
  if (TypeOf(record) != RecordType::kSeries) {
    return WrongType(record, "series");
  }
  ByteReader r(record.substr(1));
  std::vector<Label> labels;
  while (!r.empty()) {
    const uint64_t ref = r.BE64();
    const uint64_t n = r.Uvarint();
    labels.clear();
    for (uint64_t i = 0; i < n && r.ok(); ++i) {
      const std::string_view name = r.UvarintBytes();
      const std::string_view value = r.UvarintBytes();
      if (!value.empty()) labels.push_back({name, value});
    }
    if (!r.ok()) return Bad(r, "series");
    const auto less = [](const Label& a, const Label& b) {
      return a.name < b.name;
    };
    if (!std::is_sorted(labels.begin(), labels.end(), less)) {
      std::stable_sort(labels.begin(), labels.end(), less);
    }
    // Of equal names the last one counts, as in Labels.
    size_t kept = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (i + 1 < labels.size() && labels[i + 1].name == labels[i].name) {
        continue;
      }
      labels[kept++] = labels[i];
    }
    labels.resize(kept);
    visit(SeriesRef{ref}, labels);
  }
  return r.ok() ? absl::OkStatus() : Bad(r, "series");
}

absl::Status VisitSeries(
    std::string_view record,
    absl::FunctionRef<void(SeriesRef, std::string_view entry)> visit) {
  if (TypeOf(record) != RecordType::kSeries) {
    return WrongType(record, "series");
  }
  ByteReader r(record.substr(1));
  while (!r.empty()) {
    const std::string_view rest = r.rest();
    const uint64_t ref = r.BE64();
    const uint64_t n = r.Uvarint();
    for (uint64_t i = 0; i < n && r.ok(); ++i) {
      r.UvarintBytes();
      r.UvarintBytes();
    }
    if (!r.ok()) return Bad(r, "series");
    visit(SeriesRef{ref}, rest.substr(0, rest.size() - r.remaining()));
  }
  return r.ok() ? absl::OkStatus() : Bad(r, "series");
}

absl::Status DecodeSamples(std::string_view record, SampleRows& out) {
  switch (TypeOf(record)) {
    case RecordType::kSamples:
      out.start_times.clear();
      // What is there is overwritten: clearing it would fill it with zeros.
      return DecodePlainSamples(record.substr(1), out);
    case RecordType::kSamplesV2:
      out.Clear();
      return DecodeSamplesV2(record.substr(1), out);
    default:
      out.Clear();
      return WrongType(record, "sample");
  }
}

absl::Status DecodeExemplars(std::string_view record,
                             std::vector<ExemplarRow>& out) {
  out.clear();
  if (TypeOf(record) != RecordType::kExemplars) {
    return WrongType(record, "exemplar");
  }
  ByteReader r(record.substr(1));
  if (r.empty()) return absl::OkStatus();
  const uint64_t base_ref = r.BE64();
  const auto base_t = static_cast<int64_t>(r.BE64());
  std::vector<Label> labels;
  while (r.ok() && !r.empty()) {
    ExemplarRow row;
    row.ref = SeriesRef{base_ref + static_cast<uint64_t>(r.Varint())};
    row.t = WrappingAdd(base_t, r.Varint());
    row.value = r.Double();
    const uint64_t n = r.Uvarint();
    labels.clear();
    for (uint64_t i = 0; i < n && r.ok(); ++i) {
      const std::string_view name = r.UvarintBytes();
      labels.push_back({name, r.UvarintBytes()});
    }
    if (!r.ok()) break;
    row.labels = Labels::FromPairs(labels);
    out.push_back(std::move(row));
  }
  return r.ok() ? absl::OkStatus() : Bad(r, "exemplar");
}

absl::Status DecodeMmapMarkers(std::string_view record,
                               std::vector<MmapMarker>& out) {
  out.clear();
  if (TypeOf(record) != RecordType::kMmapMarkers) {
    return WrongType(record, "marker");
  }
  ByteReader r(record.substr(1));
  while (!r.empty()) {
    MmapMarker marker;
    marker.ref = SeriesRef{r.BE64()};
    marker.chunk = r.BE64();
    if (!r.ok()) return Bad(r, "marker");
    out.push_back(marker);
  }
  return absl::OkStatus();
}

absl::Status DecodeTombstones(std::string_view record,
                              std::vector<Tombstone>& out) {
  out.clear();
  if (TypeOf(record) != RecordType::kTombstones) {
    return WrongType(record, "tombstone");
  }
  ByteReader r(record.substr(1));
  while (!r.empty()) {
    Tombstone tombstone;
    tombstone.ref = SeriesRef{r.BE64()};
    tombstone.range.min = r.Varint();
    tombstone.range.max = r.Varint();
    if (!r.ok()) return Bad(r, "tombstone");
    out.push_back(tombstone);
  }
  return r.ok() ? absl::OkStatus() : Bad(r, "tombstone");
}

absl::Status DecodeMetadata(
    std::string_view record,
    absl::FunctionRef<void(SeriesRef, const Metadata&)> visit) {
  if (TypeOf(record) != RecordType::kMetadata) {
    return WrongType(record, "metadata");
  }
  ByteReader r(record.substr(1));
  while (!r.empty()) {
    const uint64_t ref = r.Uvarint();
    const uint8_t type = r.U8();
    const uint64_t fields = r.Uvarint();
    Metadata metadata;
    if (type <= static_cast<uint8_t>(MetricType::kStateset)) {
      metadata.type = static_cast<MetricType>(type);
    }
    for (uint64_t i = 0; i < fields && r.ok(); ++i) {
      const std::string_view name = r.UvarintBytes();
      const std::string_view value = r.UvarintBytes();
      if (name == "UNIT") metadata.unit = value;
      if (name == "HELP") metadata.help = value;
    }
    if (!r.ok()) return Bad(r, "metadata");
    visit(SeriesRef{ref}, metadata);
  }
  return r.ok() ? absl::OkStatus() : Bad(r, "metadata");
}

}  // namespace narthex::tsdb::wal
