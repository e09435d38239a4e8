#include "libtsdb/block/block_dir.h"

#include <algorithm>
#include <utility>

#include "libtsdb/block/ulid.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {

absl::StatusOr<std::vector<std::string>> BlockDirs(Env& env,
                                                   const std::string& dir) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                           env.ListDir(dir));
  std::vector<std::string> dirs;
  for (const DirEntry& entry : entries) {
    if (entry.is_dir && IsUlid(entry.name)) {
      dirs.push_back(JoinPath(dir, entry.name));
    }
  }
  return dirs;
}

bool IsBlockDir(Env& env, const std::string& dir) {
  return env.Exists(JoinPath(dir, "meta.json")) &&
         env.Exists(JoinPath(dir, "index"));
}

absl::Status DeleteBlock(Env& env, const std::string& dir) {
  const std::string going = StrCat(dir, kTmpForDeletion);
  NARTHEX_RETURN_IF_ERROR(env.RemoveAll(going));
  NARTHEX_RETURN_IF_ERROR(env.Rename(dir, going));
  NARTHEX_RETURN_IF_ERROR(env.SyncDir(std::string(DirName(dir))));
  return env.RemoveAll(going);
}

absl::Status RemoveLeftovers(Env& env, const std::string& dir) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                           env.ListDir(dir));
  for (const DirEntry& entry : entries) {
    if (!entry.is_dir) continue;
    const std::string_view name = entry.name;
    for (std::string_view suffix :
         {kTmpForCreation, kTmpForDeletion, kTmpLegacy}) {
      if (!name.ends_with(suffix)) continue;
      if (!IsUlid(name.substr(0, name.size() - suffix.size()))) continue;
      NARTHEX_RETURN_IF_ERROR(env.RemoveAll(JoinPath(dir, name)));
      break;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BlockInfo>> ListBlocks(
    Env& env, const std::string& dir, std::vector<std::string>* problems) {
  std::vector<std::string> dirs = {dir};
  if (!IsBlockDir(env, dir)) {
    NARTHEX_ASSIGN_OR_RETURN(dirs, BlockDirs(env, dir));
  }
  std::vector<BlockInfo> blocks;
  for (const std::string& block_dir : dirs) {
    absl::StatusOr<BlockMeta> meta = ReadBlockMeta(env, block_dir);
    if (!meta.ok()) {
      if (problems != nullptr) {
        problems->emplace_back(Message(meta.status()));
      }
      continue;
    }
    BlockInfo info;
    info.meta = *std::move(meta);
    info.dir = block_dir;
    NARTHEX_ASSIGN_OR_RETURN(info.bytes, env.TreeSize(block_dir));
    blocks.push_back(std::move(info));
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const BlockInfo& a, const BlockInfo& b) {
                     return a.meta.min_time < b.meta.min_time;
                   });
  return blocks;
}

}  // namespace narthex::tsdb
