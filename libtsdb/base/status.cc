#include "narthex/base/status.h"

#include <cerrno>
#include <system_error>

namespace narthex {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

absl::Status CorruptAt(std::string_view path, uint64_t offset,
                       std::string_view what) {
  return DataLoss(StrCat(path, ":", offset, ": ", what));
}

absl::Status ErrnoStatus(int error, std::string_view what,
                         std::string_view path) {
  // std::generic_category, unlike strerror, may be asked by many threads.
  return MakeStatus(
      CodeOf(error),
      StrCat(what, " ", path, ": ", std::generic_category().message(error)));
}

absl::Status Annotate(const absl::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  return MakeStatus(status.code(), StrCat(prefix, ": ", Message(status)));
}

}  // namespace narthex
