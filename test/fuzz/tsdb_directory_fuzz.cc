// A directory whose logs hold any records, each whole and with its right
// checksum: what a damaged or hostile writer may leave.  Opening, reading,
// compacting and closing it ends well, and the next opening shows the same.
//
// The input: { where u8, length u16 BE, record }*.

#include <memory>
#include <string>
#include <string_view>

#include "libtsdb/wal/format.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/clock.h"
#include "narthex/base/coding.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"
#include "narthex/tsdb/verify.h"
#include "test/support/fuzz_target.h"
#include "test/tsdb/db/content.h"

using namespace narthex;  // NOLINT: a program of one file
using namespace narthex::tsdb;

namespace {

constexpr size_t kMaxRecords = 64;
constexpr std::string_view kDirs[] = {"data/wal", "data/wbl",
                                      "data/wal/checkpoint.00000000",
                                      "data/chunk_snapshot.000000.0000000000"};

bool WriteLogs(Env& env, std::string_view text) {
  std::unique_ptr<wal::WalWriter> logs[std::size(kDirs)];
  for (size_t records = 0; text.size() >= 3 && records < kMaxRecords;
       ++records) {
    const size_t where = static_cast<uint8_t>(text[0]) % std::size(kDirs);
    const size_t length =
        std::min<size_t>(LoadBE16(text.data() + 1), text.size() - 3);
    if (logs[where] == nullptr) {
      auto log = wal::WalWriter::Open(env, std::string(kDirs[where]), {});
      if (!log.ok()) return false;
      // A checkpoint, or a snapshot, stands for segment 0.
      if (where < 2 && !(*log)->Cut().ok()) return false;
      logs[where] = *std::move(log);
    }
    wal::RecordBatch batch;
    batch.Add(text.substr(3, length), Compression::kNone);
    if (!logs[where]->Log(batch).ok()) return false;
    text.remove_prefix(3 + length);
  }
  for (auto& log : logs) {
    if (log != nullptr && !log->Close().ok()) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = test::FuzzText(data, size);
  const std::unique_ptr<Env> env = NewMemEnv();
  if (!env->MakeDirs("data/wal").ok() || !WriteLogs(*env, text)) return 0;
  FakeClock clock{1};
  VerifyOptions verify;
  verify.env = env.get();
  verify.clock = &clock;
  NARTHEX_FUZZ_CHECK(Verify("data", verify).ok(), "verify");

  Options options;
  options.env = env.get();
  options.clock = &clock;
  options.retention = Duration(0);
  options.out_of_order_time_window = Hours(1);
  options.memory_snapshot_on_shutdown = true;
  options.max_exemplars = 100;
  test::Content before;
  for (int round = 0; round < 2; ++round) {
    auto db = Db::Open("data", options);
    NARTHEX_FUZZ_CHECK(db.ok(), db.status().ToString());
    test::Content content;
    const absl::Status read = test::ReadContent(**db, content);
    NARTHEX_FUZZ_CHECK(read.ok(), read.ToString());
    if (round == 1) {
      NARTHEX_FUZZ_CHECK(content == before, test::Difference(before, content));
      (*db)->Compact().IgnoreError();
    }
    before = std::move(content);
    (*db)->Close().IgnoreError();
  }
  return 0;
}
