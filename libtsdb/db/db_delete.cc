// Deletion, and copies of the whole: what an administrator asks for.

#include <algorithm>
#include <string>
#include <utility>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/ulid.h"
#include "libtsdb/db/db_impl.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// Every file of a block under a second name, then the directory's; chunks and
// index are never written again, meta.json and tombstones only replaced.
absl::Status LinkBlock(Env& env, const std::string& from,
                       const std::string& to) {
  const std::string making = StrCat(to, kTmpForCreation);
  NARTHEX_RETURN_IF_ERROR(env.RemoveAll(making));
  NARTHEX_RETURN_IF_ERROR(env.MakeDirs(JoinPath(making, "chunks")));
  const auto link_all = [&env](const std::string& source,
                               const std::string& target) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                             env.ListDir(source));
    for (const DirEntry& entry : entries) {
      if (entry.is_dir || entry.name.ends_with(".tmp")) continue;
      NARTHEX_RETURN_IF_ERROR(
          env.Link(JoinPath(source, entry.name), JoinPath(target, entry.name)));
    }
    return env.SyncDir(target);
  };
  NARTHEX_RETURN_IF_ERROR(
      link_all(JoinPath(from, "chunks"), JoinPath(making, "chunks")));
  NARTHEX_RETURN_IF_ERROR(link_all(from, making));
  NARTHEX_RETURN_IF_ERROR(env.Rename(making, to));
  return env.SyncDir(std::string(DirName(to)));
}

// With all that is missing above, so that a crash forgets none of it.
absl::Status MakeDirsDurably(Env& env, const std::string& path) {
  std::vector<std::string> above;
  for (std::string at = path; !env.Exists(at) && at != DirName(at);
       at = std::string(DirName(at))) {
    above.emplace_back(DirName(at));
  }
  NARTHEX_RETURN_IF_ERROR(env.MakeDirs(path));
  for (const std::string& dir : above) {
    NARTHEX_RETURN_IF_ERROR(env.SyncDir(dir));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Db::Impl::Delete(TimeRange range,
                              std::span<const Matcher* const> matchers) {
  if (options.read_only) {
    return FailedPrecondition("the database is open read-only");
  }
  absl::MutexLock working(&compact_mu);
  if (closed) return FailedPrecondition("the database is closed");
  std::vector<std::string> changed;
  for (const auto& block : LoadedBlocks()) {
    const BlockMeta& meta = block->meta();
    if (meta.max_time <= range.min || range.max < meta.min_time) continue;
    NARTHEX_ASSIGN_OR_RETURN(const uint64_t touched,
                             DeleteFromBlock(*env, *block, matchers, range));
    if (touched != 0) changed.push_back(block->where());
  }
  if (!changed.empty()) NARTHEX_RETURN_IF_ERROR(Reload(changed));
  return head->Delete(matchers, range).status();
}

absl::Status Db::Impl::CleanTombstones() {
  if (options.read_only) {
    return FailedPrecondition("the database is open read-only");
  }
  absl::MutexLock working(&compact_mu);
  if (closed) return FailedPrecondition("the database is closed");
  for (const auto& block : LoadedBlocks()) {
    if (block->tombstones().empty()) continue;
    const BlockMeta& meta = block->meta();
    absl::StatusOr<std::optional<BlockMeta>> written =
        WriteBlock(MakeCompactOptions(), dir, block, meta.min_time,
                   meta.max_time, {}, &meta);
    if (!written.ok()) return Annotate(written.status(), "clean tombstones");
    std::vector<std::string> changed;
    if (!written->has_value()) {
      // Nothing is left of it.
      BlockMeta empty = meta;
      empty.deletable = true;
      NARTHEX_RETURN_IF_ERROR(WriteBlockMeta(*env, block->where(), empty));
      changed.push_back(block->where());
    }
    // The new one names the old one as its parent, which makes that go.
    if (const absl::Status reloaded = Reload(changed); !reloaded.ok()) {
      if (written->has_value()) {
        DeleteBlock(*env, JoinPath(dir, (*written)->ulid)).IgnoreError();
      }
      return Annotate(reloaded, "reload blocks");
    }
  }
  return absl::OkStatus();
}

absl::Status Db::Impl::Snapshot(const std::string& to, bool with_head) {
  if (memory != nullptr) {
    return FailedPrecondition("a database in memory has no files to link");
  }
  if (to == dir) {
    return InvalidArgument("cannot snapshot into base directory");
  }
  if (IsUlid(BaseName(to))) {
    return InvalidArgument("dir must not be a valid ULID");
  }
  absl::MutexLock working(&compact_mu);
  if (closed) return FailedPrecondition("the database is closed");
  NARTHEX_RETURN_IF_ERROR(MakeDirsDurably(*env, to));
  for (const auto& block : LoadedBlocks()) {
    const absl::Status linked =
        LinkBlock(*env, block->where(), JoinPath(to, BaseName(block->where())));
    if (!linked.ok()) {
      return Annotate(linked,
                      StrCat("error snapshotting block: ", block->where()));
    }
  }
  if (!with_head) return absl::OkStatus();
  // Late samples may lie outside of what came in order.
  const int64_t mint = std::min(head->min_time(), head->late_min());
  const int64_t maxt = std::max(head->max_time(), head->late_max());
  if (mint > maxt) return absl::OkStatus();
  const absl::StatusOr<std::optional<BlockMeta>> written = WriteBlock(
      MakeCompactOptions(), to,
      head->NewSource({mint, maxt}, /*isolated=*/true), mint, maxt + 1);
  return Annotate(written.status(), "snapshot head block");
}

}  // namespace narthex::tsdb
