#include "narthex/tsdb/verify.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "libtsdb/block/block_check.h"
#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/ulid.h"
#include "libtsdb/chunk/head_chunk_file.h"
#include "libtsdb/wal/checkpoint.h"
#include "libtsdb/wal/salvage.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/budget.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/chunk.h"
#include "narthex/tsdb/db.h"

namespace narthex::tsdb {
namespace {

class Verifier {
 public:
  Verifier(std::string dir, const VerifyOptions& options)
      : dir_(std::move(dir)), options_(options), env_(*options.env) {}

  absl::StatusOr<VerifyReport> Run() {
    if (env_.Exists(JoinPath(dir_, "meta.json")) ||
        env_.Exists(JoinPath(dir_, "index"))) {
      NARTHEX_RETURN_IF_ERROR(Block(dir_));
      return Finish();
    }
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string> blocks,
                             BlockDirs(env_, dir_));
    for (const std::string& block : blocks) {
      NARTHEX_RETURN_IF_ERROR(Block(block));
    }
    const size_t in_blocks = report_.problems.size();
    NARTHEX_RETURN_IF_ERROR(HeadChunks());
    for (const char* log : {"wal", "wbl"}) {
      NARTHEX_RETURN_IF_ERROR(LogDir(JoinPath(dir_, log)));
    }
    if (options_.repair && report_.problems.size() != in_blocks) {
      NARTHEX_RETURN_IF_ERROR(RepairHead());
    }
    return Finish();
  }

 private:
  VerifyReport Finish() {
    if (report_.problems.size() > options_.max_problems) {
      const size_t more = report_.problems.size() - options_.max_problems;
      report_.problems.resize(options_.max_problems);
      report_.problems.push_back({dir_, 0, StrCat(more, " further problems")});
    }
    return std::move(report_);
  }

  absl::Status Block(const std::string& block) {
    NARTHEX_ASSIGN_OR_RETURN(BlockCheck check, CheckBlock(env_, block));
    ++report_.blocks;
    report_.series += check.series;
    report_.chunks += check.chunks;
    report_.samples += check.samples;
    report_.bytes += check.bytes;
    const bool damaged = !check.problems.empty();
    std::move(check.problems.begin(), check.problems.end(),
              std::back_inserter(report_.problems));
    if (!damaged || !options_.repair) return absl::OkStatus();

    NARTHEX_ASSIGN_OR_RETURN(const std::optional<BlockMeta> saved,
                             SalvageBlock(env_, *options_.clock, block));
    const std::string aside =
        StrCat(block, ".corrupt-", options_.clock->Now().ms);
    NARTHEX_RETURN_IF_ERROR(env_.Rename(block, aside));
    NARTHEX_RETURN_IF_ERROR(env_.SyncDir(std::string(DirName(block))));
    report_.repairs.push_back(
        saved.has_value()
            ? StrCat(block, ": ", saved->stats.samples, " samples of ",
                     saved->stats.series, " series are in ", saved->ulid,
                     " now; as it was: ", aside)
            : StrCat(block, ": nothing of it can be read; as it was: ", aside));
    return absl::OkStatus();
  }

  absl::Status HeadChunks() {
    const std::string dir = JoinPath(dir_, "chunks_head");
    if (!env_.Exists(dir)) return absl::OkStatus();
    HeadChunkOptions chunk_options;
    chunk_options.read_only = true;
    std::vector<HeadChunkDamage> damages;
    MemoryBudget budget;
    SampleColumns columns(budget);
    NARTHEX_ASSIGN_OR_RETURN(
        const std::unique_ptr<HeadChunkStore> store,
        HeadChunkStore::Open(
            env_, dir, chunk_options,
            [&](const HeadChunk& chunk) {
              ++report_.chunks;
              columns.Clear();
              const absl::Status decoded =
                  DecodeChunk(chunk.encoding, chunk.bytes, {}, columns);
              if (!decoded.ok()) {
                Note(StrCat(dir, ", file ", HeadChunkFileOf(chunk.ref)),
                     chunk.ref & 0xffffffff, Message(decoded));
              }
              report_.samples +=
                  columns.size() + columns.histograms().points.size();
            },
            &damages));
    for (const HeadChunkDamage& damage : damages) {
      Note(damage.file, damage.offset, damage.what);
    }
    return absl::OkStatus();
  }

  absl::Status LogDir(const std::string& dir) {
    if (!env_.Exists(dir)) return absl::OkStatus();
    NARTHEX_ASSIGN_OR_RETURN(const auto checkpoint,
                             wal::LastCheckpoint(env_, dir));
    if (checkpoint.has_value()) {
      NARTHEX_RETURN_IF_ERROR(LogFiles(checkpoint->dir));
    }
    return LogFiles(dir);
  }

  absl::Status LogFiles(const std::string& dir) {
    NARTHEX_ASSIGN_OR_RETURN(std::vector<wal::SegmentFile> segments,
                             wal::ListSegments(env_, dir));
    for (size_t i = 1; i < segments.size(); ++i) {
      if (segments[i].number != segments[i - 1].number + 1) {
        Note(segments[i].path, 0,
             StrCat("segments before it are missing, from ",
                    segments[i - 1].number + 1, " on"));
      }
    }
    const uint32_t last = segments.empty() ? 0 : segments.back().number;
    wal::WalReader reader(env_, std::move(segments));
    while (reader.Next()) ++report_.log_records;
    NARTHEX_RETURN_IF_ERROR(reader.status());
    report_.bytes += reader.bytes_read();
    for (const wal::Damage& damage : reader.damages()) {
      // What a crash tore off was never acknowledged, and is no damage at the
      // log's end.
      if (damage.torn && damage.segment == last) continue;
      Note(damage.path, damage.offset, damage.what);
    }
    return absl::OkStatus();
  }

  // Records behind a damaged one are kept, then opening the database does the
  // rest: what can't be read is set aside, what can is replayed.
  absl::Status RepairHead() {
    for (const char* log : {"wal", "wbl"}) {
      const std::string dir = JoinPath(dir_, log);
      if (!env_.Exists(dir)) continue;
      NARTHEX_ASSIGN_OR_RETURN(const auto checkpoint,
                               wal::LastCheckpoint(env_, dir));
      if (checkpoint.has_value()) {
        NARTHEX_RETURN_IF_ERROR(wal::SalvageSegments(
            env_, checkpoint->dir, options_.clock->Now(), &report_.repairs));
      }
      NARTHEX_RETURN_IF_ERROR(wal::SalvageSegments(
          env_, dir, options_.clock->Now(), &report_.repairs));
    }
    Options options;
    options.env = &env_;
    options.clock = options_.clock;
    options.logger = options_.logger;
    options.retention = Duration(0);
    NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                             Db::Open(dir_, options));
    report_.repairs.push_back(
        StrCat(dir_,
               ": damaged parts of the log and of the head's chunks are "
               "set aside (*.corrupt-*)"));
    return db->Close();
  }

  void Note(std::string file, uint64_t offset, std::string_view what) {
    report_.problems.push_back({std::move(file), offset, std::string(what)});
  }

  const std::string dir_;
  const VerifyOptions& options_;
  Env& env_;
  VerifyReport report_;
};

}  // namespace

absl::StatusOr<VerifyReport> Verify(const std::string& dir,
                                    const VerifyOptions& options) {
  return Verifier(dir, options).Run();
}

}  // namespace narthex::tsdb
