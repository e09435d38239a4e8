#include "libtsdb/wal/format.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_format.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

bool ParseNumber(std::string_view name, uint32_t& number) {
  const char* const end = name.data() + name.size();
  const auto result = std::from_chars(name.data(), end, number);
  return result.ec == std::errc() && result.ptr == end;
}

// Ascending; gaps are let through.
absl::StatusOr<std::vector<SegmentFile>> AllSegments(Env& env,
                                                     const std::string& dir) {
  std::vector<SegmentFile> segments;
  const absl::StatusOr<std::vector<DirEntry>> entries = env.ListDir(dir);
  if (absl::IsNotFound(entries.status())) return segments;
  if (!entries.ok()) return entries.status();
  for (const DirEntry& entry : *entries) {
    uint32_t number = 0;
    if (entry.is_dir || !ParseNumber(entry.name, number)) continue;
    segments.push_back({number, JoinPath(dir, entry.name)});
  }
  std::sort(segments.begin(), segments.end(),
            [](const SegmentFile& a, const SegmentFile& b) {
              return a.number < b.number;
            });
  return segments;
}

}  // namespace

absl::StatusOr<std::vector<SegmentFile>> ListSegments(Env& env,
                                                      const std::string& dir) {
  NARTHEX_ASSIGN_OR_RETURN(std::vector<SegmentFile> segments,
                           AllSegments(env, dir));
  for (size_t i = 1; i < segments.size(); ++i) {
    if (segments[i].number != segments[i - 1].number + 1) {
      return DataLoss(StrCat(dir, ": segments are not sequential: ",
                             BaseName(segments[i - 1].path), " is followed by ",
                             BaseName(segments[i].path)));
    }
  }
  return segments;
}

std::string SegmentPath(const std::string& dir, uint32_t number) {
  return JoinPath(dir, absl::StrFormat("%08d", number));
}

absl::Status RemoveSegmentsBelow(Env& env, const std::string& dir,
                                 uint32_t number) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments,
                           AllSegments(env, dir));
  // The oldest first: whatever happens in between, no gap comes to be.
  for (const SegmentFile& segment : segments) {
    if (segment.number >= number) break;
    NARTHEX_RETURN_IF_ERROR(env.Remove(segment.path));
  }
  return absl::OkStatus();
}

}  // namespace narthex::tsdb::wal
