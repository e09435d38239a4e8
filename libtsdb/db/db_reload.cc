// Blocks come and go: what is in the directory is loaded, what was replaced or
// is out of retention is deleted.

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "libtsdb/block/block_dir.h"
#include "libtsdb/compact/retention.h"
#include "libtsdb/db/db_impl.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {

Db::Impl::Blocks Db::Impl::LoadedBlocks() const {
  absl::MutexLock lock(&blocks_mu);
  return blocks;
}

int64_t Db::Impl::BlocksEnd() const {
  int64_t end = kMinMillis;
  for (const auto& block : LoadedBlocks()) {
    // Blocks of late samples, or of some series only, say nothing of what the
    // head's log may be cut by; nor do those with a hint that nobody knows.
    const BlockMeta& meta = block->meta();
    if (meta.hints.empty()) end = std::max(end, meta.max_time.ms);
  }
  return end;
}

uint64_t Db::Impl::LogBytes() const {
  uint64_t bytes = 0;
  for (const char* log : {"wal", "wbl"}) {
    const absl::StatusOr<uint64_t> size = env->TreeSize(JoinPath(dir, log));
    if (size.ok()) bytes += *size;
  }
  return bytes;
}

absl::Status Db::Impl::Reload(std::span<const std::string> changed) {
  metrics.reloads.Inc();
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string> dirs,
                           BlockDirs(*env, dir));
  absl::flat_hash_map<std::string, std::shared_ptr<BlockReader>> open;
  for (const auto& block : LoadedBlocks()) {
    open.emplace(block->where(), block);
  }
  for (const std::string& path : changed) open.erase(path);
  Blocks found;
  std::vector<std::pair<std::string, absl::Status>> damaged;
  for (const std::string& path : dirs) {
    if (const auto it = open.find(path); it != open.end()) {
      found.push_back(it->second);
      continue;
    }
    if (const auto meta = ReadBlockMeta(*env, path); !meta.ok()) {
      Log(options.logger, LogLevel::kError,
          "a block without readable meta.json is left out",
          {{"dir", path}, {"err", Message(meta.status())}});
      continue;
    }
    absl::StatusOr<std::shared_ptr<BlockReader>> block =
        BlockReader::Open(*env, path);
    if (block.ok()) {
      found.push_back(*std::move(block));
    } else {
      damaged.emplace_back(path, block.status());
    }
  }

  std::vector<RetainedBlock> retained;
  absl::flat_hash_set<std::string> replaced;  // by name
  for (const auto& block : found) {
    retained.push_back({block->meta(), block->size_bytes()});
    for (const BlockParent& parent : block->meta().parents) {
      replaced.insert(parent.ulid);
    }
  }
  absl::flat_hash_set<size_t> gone;
  for (const size_t i : BlocksReplaced(retained)) gone.insert(i);
  const auto beyond_time = BlocksBeyondTime(retained, options.retention);
  gone.insert(beyond_time.begin(), beyond_time.end());
  if (!beyond_time.empty()) metrics.time_retentions.Inc();
  uint64_t limit = options.retention_bytes;
  if (options.retention_percent > 0) {
    if (const absl::StatusOr<DiskSpace> space = env->Space(dir); space.ok()) {
      limit = std::max<uint64_t>(
          1, static_cast<uint64_t>(static_cast<double>(space->total) *
                                   options.retention_percent / 100));
    }
  }
  if (limit != 0) {
    const uint64_t others =
        LogBytes() + (head == nullptr ? 0 : head->ChunkFileBytes());
    const auto beyond_size = BlocksBeyondSize(retained, others, limit);
    gone.insert(beyond_size.begin(), beyond_size.end());
    if (!beyond_size.empty()) metrics.size_retentions.Inc();
  }
  std::vector<std::string> to_delete;
  for (const auto& [path, status] : damaged) {
    // What a crash left of a block that a merged one stands for.
    if (replaced.contains(std::string(BaseName(path)))) {
      to_delete.push_back(path);
      continue;
    }
    metrics.reloads_failed.Inc();
    return Annotate(status, StrCat("corrupted block ", BaseName(path)));
  }

  Blocks kept;
  uint64_t bytes = 0;
  int64_t lowest = kMaxMillis;
  for (size_t i = 0; i < found.size(); ++i) {
    if (gone.contains(i)) {
      to_delete.push_back(found[i]->where());
      continue;
    }
    bytes += retained[i].bytes;
    lowest = std::min(lowest, retained[i].meta.min_time.ms);
    kept.push_back(found[i]);
  }
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a->meta().min_time < b->meta().min_time;
  });
  metrics.blocks_loaded.Set(static_cast<double>(kept.size()));
  metrics.block_bytes.Set(static_cast<double>(bytes));
  if (lowest != kMaxMillis) {
    metrics.lowest_time.Set(static_cast<double>(lowest));
  }
  {
    // New readers see the new list before anything is deleted.
    absl::MutexLock lock(&blocks_mu);
    blocks = std::move(kept);
  }
  for (const std::string& path : to_delete) {
    // No failure of the reload: the new blocks are in use, and whoever takes
    // them back would take the only copy.  The next reload tries again.
    if (const absl::Status deleted = DeleteBlock(*env, path); !deleted.ok()) {
      Log(options.logger, LogLevel::kError, "can't delete an obsolete block",
          {{"block", BaseName(path)}, {"err", Message(deleted)}});
      continue;
    }
    Log(options.logger, LogLevel::kInfo, "Deleting obsolete block",
        {{"block", BaseName(path)}});
  }
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
