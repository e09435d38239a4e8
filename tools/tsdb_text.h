// How promtool prints blocks: Go's durations, its table, its byte counts.
//
// Pure functions, but PrintBlocks and CheckDir, which print and look.

#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "narthex/base/time.h"
#include "narthex/tsdb/block.h"

namespace narthex::tools {

// Go's time.Duration.String(): "2h0m0s", "1.5s", "20ms".
std::string GoDuration(Duration d);
// "214KiB1004B".
std::string HumanBytes(uint64_t bytes);
// "2026-11-20 12:23:53 +0000 UTC"
std::string HumanTime(Timestamp t);

// Each call aligns its columns by itself, as promtool does.
void PrintBlocks(std::span<const tsdb::BlockInfo> blocks, bool header,
                 bool human_readable);

// "opening the db dir: stat <dir>: no such file or directory"
absl::Status CheckDir(const std::string& dir);

inline constexpr const char* kDefaultDir = "data/";

}  // namespace narthex::tools
