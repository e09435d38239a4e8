// The life of a block's directory: made under a temporary name and renamed when
// whole; renamed away before it is removed; found by its name, a ULID.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/block.h"

namespace narthex::tsdb {

inline constexpr std::string_view kTmpForCreation = ".tmp-for-creation";
inline constexpr std::string_view kTmpForDeletion = ".tmp-for-deletion";
inline constexpr std::string_view kTmpLegacy = ".tmp";

// `dir` is itself a block?
bool IsBlockDir(Env &env, const std::string &dir);
// Paths of the directories below `dir` that are named by a ULID, ascending.
absl::StatusOr<std::vector<std::string>> BlockDirs(Env &env,
                                                   const std::string &dir);
// <dir>/meta.json.
absl::StatusOr<BlockMeta> ReadBlockMeta(Env &env, const std::string &dir);
absl::Status WriteBlockMeta(Env &env, const std::string &dir,
                            const BlockMeta &meta);
absl::StatusOr<BlockMeta> ParseBlockMeta(std::string_view json);
std::string FormatBlockMeta(const BlockMeta &meta);

// Away at once (renamed), then removed; readers that are open keep reading.
absl::Status DeleteBlock(Env &env, const std::string &dir);
// Removes what a crash left of blocks being made or removed.
absl::Status RemoveLeftovers(Env &env, const std::string &dir);

}  // namespace narthex::tsdb
