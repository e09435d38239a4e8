// The small files beside: tombstones, meta.json, a chunk segment, a file of
// chunks_head; and verify over them.  The first byte says which.

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/tombstones.h"
#include "libtsdb/chunk/head_chunk_file.h"
#include "libtsdb/chunk/segment.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/verify.h"
#include "test/support/fuzz_target.h"

using namespace narthex;  // NOLINT: a program of one file
using namespace narthex::tsdb;

namespace {

void Write(Env& env, const std::string& path, std::string_view bytes) {
  auto file = env.OpenWritable(path, Env::WriteMode::kTruncate);
  if (!file.ok()) return;
  (*file)->Append(bytes).IgnoreError();
  (*file)->Close().IgnoreError();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = test::FuzzText(data, size);
  if (text.empty()) return 0;
  const std::string_view bytes = text.substr(1);
  const std::unique_ptr<Env> env = NewMemEnv();
  const std::string block = "data/01BKGV7JC0RY8A6MACW02A2PJD";
  if (!env->MakeDirs(block + "/chunks").ok() ||
      !env->MakeDirs("data/chunks_head").ok()) {
    return 0;
  }
  switch (static_cast<uint8_t>(text[0]) % 4) {
    case 0: {
      Write(*env, block + "/tombstones", bytes);
      const auto read = ReadTombstones(*env, block);
      if (read.ok()) {
        NARTHEX_FUZZ_CHECK(WriteTombstones(*env, block, *read).ok(), "write");
        const auto again = ReadTombstones(*env, block);
        NARTHEX_FUZZ_CHECK(again.ok() && again->total() == read->total(), "");
      }
      break;
    }
    case 1: {
      const auto meta = ParseBlockMeta(bytes);
      if (meta.ok()) {
        const auto again = ParseBlockMeta(FormatBlockMeta(*meta));
        NARTHEX_FUZZ_CHECK(again.ok() && again->ulid == meta->ulid, "meta");
      }
      Write(*env, block + "/meta.json", bytes);
      break;
    }
    case 2: {
      Write(*env, block + "/chunks/000001", bytes);
      const auto segments = SegmentReader::Open(*env, block + "/chunks");
      if (!segments.ok()) break;
      for (uint64_t at = 0; at < bytes.size(); ++at) {
        (void)(*segments)->Read(at);
      }
      break;
    }
    default: {
      Write(*env, "data/chunks_head/000001", bytes);
      HeadChunkOptions options;
      options.read_only = true;
      std::vector<HeadChunkDamage> damages;
      (void)HeadChunkStore::Open(
          *env, "data/chunks_head", options, [](const HeadChunk&) {}, &damages);
      break;
    }
  }
  FakeClock clock{1};
  VerifyOptions options;
  options.env = env.get();
  options.clock = &clock;
  (void)Verify("data", options);
  return 0;
}
