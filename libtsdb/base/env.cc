#include "narthex/base/env.h"

#include "narthex/base/status.h"

namespace narthex {

absl::StatusOr<std::string> Env::ReadFile(const std::string& path) {
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file,
                           OpenRandomAccess(path));
  NARTHEX_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string out(static_cast<size_t>(size), '\0');
  NARTHEX_ASSIGN_OR_RETURN(const size_t n,
                           file->Read(0, out.size(), out.data()));
  out.resize(n);
  // Files of /proc say that they are empty, others may be growing.
  char more[4096];
  while (true) {
    NARTHEX_ASSIGN_OR_RETURN(const size_t got,
                             file->Read(out.size(), sizeof(more), more));
    if (got == 0) return out;
    out.append(more, got);
  }
}

absl::Status Env::WriteFileAtomically(const std::string& path,
                                      std::string_view data) {
  const std::string tmp = path + ".tmp";
  auto write = [&]() -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                             OpenWritable(tmp, WriteMode::kTruncate));
    NARTHEX_RETURN_IF_ERROR(file->Append(data));
    NARTHEX_RETURN_IF_ERROR(file->Sync());
    NARTHEX_RETURN_IF_ERROR(file->Close());
    NARTHEX_RETURN_IF_ERROR(Rename(tmp, path));
    return SyncDir(std::string(DirName(path)));
  };
  absl::Status status = write();
  if (!status.ok()) Remove(tmp).IgnoreError();
  return status;
}

absl::Status Env::MakeDirs(const std::string& path) {
  absl::StatusOr<FileInfo> info = Stat(path);
  if (info.ok() && info->is_dir) return absl::OkStatus();
  const std::string parent(DirName(path));
  if (parent != path && parent != "." && parent != "/") {
    NARTHEX_RETURN_IF_ERROR(MakeDirs(parent));
  }
  absl::Status status = MakeDir(path);
  if (!absl::IsAlreadyExists(status)) return status;
  // Somebody was faster; or it is a file.
  info = Stat(path);
  return info.ok() && info->is_dir ? absl::OkStatus() : status;
}

absl::Status Env::RemoveAll(const std::string& path) {
  // First as a file: a link to a directory goes, not what it points to.
  absl::Status as_file = Remove(path);
  if (as_file.ok() || absl::IsNotFound(as_file)) return absl::OkStatus();
  const absl::StatusOr<FileInfo> info = Stat(path);
  if (absl::IsNotFound(info.status())) return absl::OkStatus();
  if (!info.ok() || !info->is_dir) return as_file;
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries, ListDir(path));
  for (const DirEntry& entry : entries) {
    NARTHEX_RETURN_IF_ERROR(RemoveAll(JoinPath(path, entry.name)));
  }
  return RemoveDir(path);
}

absl::StatusOr<uint64_t> Env::TreeSize(const std::string& path) {
  uint64_t total = 0;
  std::vector<std::string> open = {path};
  while (!open.empty()) {
    const std::string dir = std::move(open.back());
    open.pop_back();
    const absl::StatusOr<std::vector<DirEntry>> entries = ListDir(dir);
    // What goes away while we look has no size.
    if (absl::IsNotFound(entries.status()) && dir != path) continue;
    if (!entries.ok()) return entries.status();
    for (const DirEntry& entry : *entries) {
      std::string child = JoinPath(dir, entry.name);
      if (entry.is_dir) {
        open.push_back(std::move(child));
        continue;
      }
      const absl::StatusOr<FileInfo> info = Stat(child);
      if (absl::IsNotFound(info.status())) continue;
      if (!info.ok()) return info.status();
      total += info->size;
    }
  }
  return total;
}

std::string JoinPath(std::string_view dir, std::string_view name) {
  std::string out(dir);
  if (!out.empty() && out.back() != '/') out += '/';
  out += name;
  return out;
}

std::string_view BaseName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || path.size() == 1) return path;
  return path.substr(slash + 1);
}

std::string_view DirName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

}  // namespace narthex
