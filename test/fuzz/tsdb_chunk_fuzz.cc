// Chunks of every encoding: any bytes are decoded or refused; what is decoded
// is encoded anew and decoded to the same.  The first byte is the encoding.

#include <string>

#include "libtsdb/chunk/chunk_builder.h"
#include "libtsdb/chunk/histogram_reader.h"
#include "narthex/base/budget.h"
#include "narthex/base/status.h"
#include "narthex/model/columns.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/chunk.h"
#include "test/support/fuzz_target.h"

using namespace narthex;  // NOLINT: a program of one file
using namespace narthex::tsdb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = test::FuzzText(data, size);
  if (text.empty()) return 0;
  const auto encoding =
      static_cast<ChunkEncoding>(1 + static_cast<uint8_t>(text[0]) % 6);
  const std::string_view bytes = text.substr(1);
  MemoryBudget budget;
  SampleColumns columns(budget);
  if (!columns.ReserveStartTimes().ok()) return 0;
  if (!DecodeChunk(encoding, bytes, {}, columns).ok()) {
    NARTHEX_FUZZ_CHECK(columns.empty(), "an error left samples behind");
    return 0;
  }
  for (size_t i = 1; i < columns.size(); ++i) {
    NARTHEX_FUZZ_CHECK(columns.t()[i - 1] < columns.t()[i], "times");
  }
  const auto& points = columns.histograms().points;
  for (size_t i = 0; i < points.size(); ++i) {
    (void)ToFloatHistogram(columns.histograms(), i);
  }
  if (columns.size() == 0) return 0;

  ChunkBuilder builder = ChunkBuilder::CutAfter(65535);
  builder.PreferXor2(encoding == ChunkEncoding::kXor2);
  BuiltChunks built;
  for (size_t i = 0; i < columns.size(); ++i) {
    builder.Add(columns.t()[i], columns.v()[i], columns.st()[i], built);
  }
  builder.Finish(built);
  NARTHEX_FUZZ_CHECK(built.chunks.size() == 1, StrCat(built.chunks.size()));
  SampleColumns again(budget);
  if (!again.ReserveStartTimes().ok()) return 0;
  const absl::Status decoded =
      DecodeChunk(built.chunks[0].encoding, built.chunks[0].bytes, {}, again);
  NARTHEX_FUZZ_CHECK(decoded.ok(), decoded.ToString());
  NARTHEX_FUZZ_CHECK(again.size() == columns.size(), "sizes");
  for (size_t i = 0; i < columns.size(); ++i) {
    NARTHEX_FUZZ_CHECK(again.t()[i] == columns.t()[i] &&
                           Bits(again.v()[i]) == Bits(columns.v()[i]) &&
                           again.st()[i] == columns.st()[i],
                       StrCat("sample ", i));
  }
  return 0;
}
