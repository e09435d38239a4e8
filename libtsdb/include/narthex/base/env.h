// The operating system's files, as a parameter: PosixEnv for life, MemEnv for
// tests and for an in-memory database, a fault-injecting one over MemEnv.
//
// An Env is safe from any thread; a file object from one thread at a time,
// except RandomAccessFile and MappedFile, which are safe from many.  Errors
// carry the path.  A full disk is kResourceExhausted, a missing file kNotFound.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"

namespace narthex {

class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes; use Close() for its status
  // Unbuffered: a successful Append has reached the kernel.  On failure the
  // file may hold a part of `data`; size() tells.
  virtual absl::Status Append(std::string_view data) = 0;
  // Overwrites bytes within the file (headers whose content comes last).
  virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;
  virtual absl::Status Truncate(uint64_t size) = 0;
  // Reserves room without changing size().  A system that can't says OK.
  virtual absl::Status Preallocate(uint64_t size) = 0;
  virtual absl::Status Sync() = 0;  // fdatasync
  virtual absl::Status Close() = 0;
  virtual uint64_t size() const = 0;
};

class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // Reads up to `n` bytes at `offset` into `out`; fewer only at the end.
  virtual absl::StatusOr<size_t> Read(uint64_t offset, size_t n,
                                      char* out) const = 0;
  virtual absl::StatusOr<uint64_t> Size() const = 0;
};

// A whole file, read-only, that nobody writes any more.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  std::string_view bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  // Tells the system that the bytes won't be needed soon.
  virtual void DontNeed() {}

 protected:
  MappedFile(std::string path, std::string_view bytes)
      : path_(std::move(path)), bytes_(bytes) {}
  std::string path_;
  std::string_view bytes_;
};

// Held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct FileInfo {
  uint64_t size = 0;
  bool is_dir = false;
  Timestamp modified = 0;
};
struct DirEntry {
  std::string name = {};
  bool is_dir = false;
};
struct DiskSpace {
  uint64_t total = 0;
  uint64_t available = 0;
};

class Env {
 public:
  enum class WriteMode : uint8_t { kTruncate, kAppend, kCreateNew };

  virtual ~Env() = default;

  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenWritable(
      const std::string& path, WriteMode mode) = 0;
  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<MappedFile>> Map(
      const std::string& path) = 0;
  // Entries without "." and "..", sorted by name.
  virtual absl::StatusOr<std::vector<DirEntry>> ListDir(
      const std::string& path) = 0;
  virtual absl::StatusOr<FileInfo> Stat(const std::string& path) = 0;
  virtual absl::Status MakeDir(const std::string& path) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;     // a file
  virtual absl::Status RemoveDir(const std::string& path) = 0;  // an empty one
  virtual absl::Status Rename(const std::string& from,
                              const std::string& to) = 0;
  virtual absl::Status Link(const std::string& from, const std::string& to) = 0;
  virtual absl::Status SyncDir(const std::string& path) = 0;
  // An exclusive lock on the file (made if missing), with Prometheus's flock.
  // kFailedPrecondition, naming the path, if another process holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) = 0;
  virtual absl::StatusOr<DiskSpace> Space(const std::string& path) = 0;
  virtual void RandomBytes(char* out, size_t n) = 0;

  // --- Made of the above.

  bool Exists(const std::string& path) { return Stat(path).ok(); }
  absl::StatusOr<std::string> ReadFile(const std::string& path);
  // Whole file by way of "<path>.tmp": write, sync, rename, sync directory.
  absl::Status WriteFileAtomically(const std::string& path,
                                   std::string_view data);
  absl::Status MakeDirs(const std::string& path);   // and what is missing above
  absl::Status RemoveAll(const std::string& path);  // a tree; missing is OK
  // Bytes of all files below.
  absl::StatusOr<uint64_t> TreeSize(const std::string& path);

  // The machine's files.  Lives as long as the process.
  static Env* Posix();
};

// Files in memory, gone with the Env.  Paths are plain strings: "a/b" and
// "./a/b" differ from each other only as text does.
std::unique_ptr<Env> NewMemEnv();

// "dir/name", without doubling the slash.
std::string JoinPath(std::string_view dir, std::string_view name);
std::string_view BaseName(std::string_view path);
std::string_view DirName(std::string_view path);

}  // namespace narthex
