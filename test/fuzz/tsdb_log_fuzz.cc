// The log: a segment of any bytes, and any bytes as a record of each type, and
// as a packed one.

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/wal/format.h"
#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/compress.h"
#include "narthex/base/env.h"
#include "test/support/fuzz_target.h"

using namespace narthex;  // NOLINT: a program of one file
using namespace narthex::tsdb;

namespace {

void DecodeAny(std::string_view record) {
  wal::SampleRows rows;
  (void)wal::DecodeSamples(record, rows);
  std::vector<wal::Tombstone> tombstones;
  (void)wal::DecodeTombstones(record, tombstones);
  (void)wal::DecodeSeries(record, [](SeriesRef, std::span<const Label>) {});
  uint64_t skipped = 0;
  std::vector<wal::IntHistogramRow> integers;
  (void)wal::DecodeHistograms(record, integers, skipped);
  std::vector<wal::FloatHistogramRow> floats;
  (void)wal::DecodeHistograms(record, floats, skipped);
  std::vector<wal::ExemplarRow> exemplars;
  (void)wal::DecodeExemplars(record, exemplars);
  std::vector<wal::MmapMarker> markers;
  (void)wal::DecodeMmapMarkers(record, markers);
  (void)wal::DecodeMetadata(record, [](SeriesRef, const Metadata&) {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = test::FuzzText(data, size);
  DecodeAny(text);
  std::string unpacked;
  if (Decompress(Compression::kSnappy, text, size_t{1} << 20, unpacked).ok()) {
    DecodeAny(unpacked);
  }
  const std::unique_ptr<Env> env = NewMemEnv();
  if (!env->MakeDirs("wal").ok()) return 0;
  const std::string path = wal::SegmentPath("wal", 0);
  auto file = env->OpenWritable(path, Env::WriteMode::kTruncate);
  if (!file.ok() || !(*file)->Append(text).ok()) return 0;
  (*file)->Close().IgnoreError();
  wal::WalReader reader(*env, {{0, path}});
  while (reader.Next()) DecodeAny(reader.record());
  return 0;
}
