// Index files: whatever the bytes, scanning and reading them ends.

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/index/index_reader.h"
#include "libtsdb/index/index_scan.h"
#include "libtsdb/index/select.h"
#include "narthex/base/cancel.h"
#include "narthex/base/env.h"
#include "test/support/fuzz_target.h"

using namespace narthex;  // NOLINT: a program of one file
using namespace narthex::tsdb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = test::FuzzText(data, size);
  const ScannedIndex scanned = ScanIndex(bytes);
  for (const ScannedSeries& series : scanned.series) {
    NARTHEX_FUZZ_CHECK(series.offset < bytes.size(), "offset");
  }
  const std::unique_ptr<Env> env = NewMemEnv();
  auto file = env->OpenWritable("index", Env::WriteMode::kTruncate);
  if (!file.ok() || !(*file)->Append(bytes).ok() || !(*file)->Close().ok()) {
    return 0;
  }
  const auto index = IndexReader::Open(*env, "index");
  if (!index.ok()) return 0;
  if (!(*index)->LoadSymbols().ok()) return 0;
  const CancelToken never;
  const auto ids = SelectSeries(**index, {}, never);
  if (!ids.ok()) return 0;
  std::vector<LabelPair> labels;
  for (const SeriesId id : *ids) {
    labels.clear();
    uint64_t at = 0;
    if (!(*index)->ReadLabels(id, labels, at).ok()) continue;
    IndexReader::ChunkWalk walk = (*index)->Chunks(id, at);
    for (ChunkMeta chunk; walk.Next(chunk);) {
    }
  }
  (void)SelectLabelNames(**index, {}, never);
  return 0;
}
