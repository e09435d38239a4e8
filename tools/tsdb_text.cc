#include "tools/tsdb_text.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "tools/tool.h"

namespace narthex::tools {

std::string GoDuration(Duration d) {
  if (d.ms == 0) return "0s";
  const bool negative = d.ms < 0;
  uint64_t ms =
      negative ? ~static_cast<uint64_t>(d.ms) + 1 : static_cast<uint64_t>(d.ms);
  std::string out = negative ? "-" : "";
  if (ms < 1000) return StrCat(out, ms, "ms");
  const uint64_t hours = ms / 3'600'000;
  const uint64_t minutes = ms / 60'000 % 60;
  if (hours > 0) StrAppend(&out, hours, "h");
  if (hours > 0 || minutes > 0) StrAppend(&out, minutes, "m");
  StrAppend(&out, ms / 1000 % 60);
  if (ms % 1000 != 0) {
    char fraction[8];
    std::snprintf(fraction, sizeof(fraction), ".%03u",
                  static_cast<unsigned>(ms % 1000));
    std::string digits = fraction;
    while (digits.back() == '0') digits.pop_back();
    out += digits;
  }
  return out + "s";
}

std::string HumanBytes(uint64_t bytes) {
  if (bytes == 0) return "0B";
  static constexpr const char* kUnits[] = {"B",   "KiB", "MiB", "GiB",
                                           "TiB", "PiB", "EiB"};
  std::string out;
  for (size_t i = 0; bytes != 0; ++i, bytes /= 1024) {
    if (bytes % 1024 != 0) out = StrCat(bytes % 1024, kUnits[i], out);
  }
  return out;
}

std::string HumanTime(Timestamp t) {
  // FormatRfc3339 gives "2026-11-20T12:23:53Z" for whole seconds; Go divides
  // towards zero.
  std::string text = FormatRfc3339(t.ms / 1000 * 1000);
  const size_t middle = text.find('T');
  if (middle == std::string::npos) return text;
  text[middle] = ' ';
  text.pop_back();
  return text + " +0000 UTC";
}

void PrintBlocks(std::span<const tsdb::BlockInfo> blocks, bool header,
                 bool human_readable) {
  std::vector<std::vector<std::string>> rows;
  if (header) {
    rows.push_back({"BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION",
                    "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE"});
  }
  for (const tsdb::BlockInfo& block : blocks) {
    const tsdb::BlockMeta& meta = block.meta;
    auto time = [&](Timestamp t) {
      return human_readable ? HumanTime(t) : StrCat(t.ms);
    };
    rows.push_back(
        {meta.ulid, time(meta.min_time), time(meta.max_time),
         GoDuration(meta.max_time - meta.min_time), StrCat(meta.stats.samples),
         StrCat(meta.stats.chunks), StrCat(meta.stats.series),
         human_readable ? HumanBytes(block.bytes) : StrCat(block.bytes)});
  }
  // Columns of 13 and more, two blanks between; the last is as it comes.
  std::vector<size_t> widths(8, 13);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size() + 2);
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size(), ' ');
    }
    Print(line + "\n");
  }
}

absl::Status CheckDir(const std::string& dir) {
  const auto info = Env::Posix()->Stat(dir);
  if (!info.ok() || !info->is_dir) {
    return NotFound(StrCat(
        "opening the db dir: stat ", dir,
        info.ok() ? ": not a directory" : ": no such file or directory"));
  }
  return absl::OkStatus();
}

}  // namespace narthex::tools
