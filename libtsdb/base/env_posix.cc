#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "narthex/base/env.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

// A call that a signal interrupted is made again.
template <typename Call>
auto Retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(std::string path, int fd, uint64_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}
  ~PosixWritableFile() override { Close().IgnoreError(); }

  absl::Status Append(std::string_view data) override {
    // At our own offset rather than O_APPEND: after a failure it is known where
    // the next bytes go.
    size_t done = 0;
    absl::Status status = PutAt(size_, data, done);
    size_ += done;
    return status;
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    size_t done = 0;
    absl::Status status = PutAt(offset, data, done);
    size_ = std::max(size_, offset + done);
    return status;
  }

  absl::Status Truncate(uint64_t size) override {
    NARTHEX_RETURN_IF_ERROR(CheckOpen());
    if (Retry([&] { return ftruncate(fd_, static_cast<off_t>(size)); }) != 0) {
      return ErrnoStatus(errno, "truncate", path_);
    }
    size_ = size;
    return absl::OkStatus();
  }

  absl::Status Preallocate(uint64_t size) override {
    NARTHEX_RETURN_IF_ERROR(CheckOpen());
    if (Retry([&] {
          return fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0,
                           static_cast<off_t>(size));
        }) != 0) {
      if (errno == EOPNOTSUPP || errno == ENOSYS) return absl::OkStatus();
      return ErrnoStatus(errno, "allocate", path_);
    }
    preallocated_ = true;
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    NARTHEX_RETURN_IF_ERROR(CheckOpen());
    if (Retry([&] { return fdatasync(fd_); }) != 0) {
      return ErrnoStatus(errno, "sync", path_);
    }
    return absl::OkStatus();
  }

  absl::Status Close() override {
    if (fd_ < 0) return absl::OkStatus();
    absl::Status status;
    if (preallocated_ && ftruncate(fd_, static_cast<off_t>(size_)) != 0) {
      status = ErrnoStatus(errno, "truncate", path_);
    }
    // Not again after EINTR: Linux has closed it all the same.
    if (close(fd_) != 0 && errno != EINTR && status.ok()) {
      status = ErrnoStatus(errno, "close", path_);
    }
    fd_ = -1;
    return status;
  }

  uint64_t size() const override { return size_; }

 private:
  absl::Status CheckOpen() const {
    if (fd_ < 0) return FailedPrecondition(StrCat("closed: ", path_));
    return absl::OkStatus();
  }

  absl::Status PutAt(uint64_t offset, std::string_view data, size_t& done) {
    NARTHEX_RETURN_IF_ERROR(CheckOpen());
    while (done < data.size()) {
      const ssize_t n = Retry([&] {
        return pwrite(fd_, data.data() + done, data.size() - done,
                      static_cast<off_t>(offset + done));
      });
      if (n < 0) return ErrnoStatus(errno, "write", path_);
      done += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  const std::string path_;
  int fd_;
  uint64_t size_;
  bool preallocated_ = false;
};

class PosixRandomAccessFile final : public RandomAccessFile {
 public:
  PosixRandomAccessFile(std::string path, int fd)
      : path_(std::move(path)), fd_(fd) {}
  ~PosixRandomAccessFile() override { close(fd_); }

  absl::StatusOr<size_t> Read(uint64_t offset, size_t n,
                              char* out) const override {
    size_t done = 0;
    while (done < n) {
      const ssize_t got = Retry([&] {
        return pread(fd_, out + done, n - done,
                     static_cast<off_t>(offset + done));
      });
      if (got < 0) return ErrnoStatus(errno, "read", path_);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat st;
    if (fstat(fd_, &st) != 0) return ErrnoStatus(errno, "stat", path_);
    return static_cast<uint64_t>(st.st_size);
  }

 private:
  const std::string path_;
  const int fd_;
};

class PosixMappedFile final : public MappedFile {
 public:
  PosixMappedFile(std::string path, std::string_view bytes)
      : MappedFile(std::move(path), bytes) {}
  ~PosixMappedFile() override {
    if (!bytes_.empty()) munmap(Address(), bytes_.size());
  }
  void DontNeed() override {
    if (!bytes_.empty()) madvise(Address(), bytes_.size(), MADV_DONTNEED);
  }

 private:
  void* Address() const { return const_cast<char*>(bytes_.data()); }
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int fd) : fd_(fd) {}
  ~PosixFileLock() override { close(fd_); }

 private:
  const int fd_;
};

// Closes what an early return would leak.
class FdGuard {
 public:
  explicit FdGuard(int fd) : fd_(fd) {}
  ~FdGuard() {
    if (fd_ >= 0) close(fd_);
  }
  FdGuard(const FdGuard&) = delete;
  FdGuard& operator=(const FdGuard&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int OpenFile(const std::string& path, int flags) {
  return Retry([&] { return open(path.c_str(), flags | O_CLOEXEC, 0666); });
}

bool EntryIsDir(const std::string& dir, const dirent& entry) {
  if (entry.d_type == DT_DIR) return true;
  if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return false;
  struct stat st;
  return stat(JoinPath(dir, entry.d_name).c_str(), &st) == 0 &&
         S_ISDIR(st.st_mode);
}

class PosixEnv final : public Env {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenWritable(
      const std::string& path, WriteMode mode) override {
    int flags = O_WRONLY | O_CREAT;
    if (mode == WriteMode::kTruncate) flags |= O_TRUNC;
    if (mode == WriteMode::kCreateNew) flags |= O_EXCL;
    FdGuard fd(OpenFile(path, flags));
    if (fd.get() < 0) return ErrnoStatus(errno, "open", path);
    struct stat st;
    if (fstat(fd.get(), &st) != 0) return ErrnoStatus(errno, "stat", path);
    return std::make_unique<PosixWritableFile>(
        path, fd.release(), static_cast<uint64_t>(st.st_size));
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) override {
    FdGuard fd(OpenFile(path, O_RDONLY));
    if (fd.get() < 0) return ErrnoStatus(errno, "open", path);
    return std::make_unique<PosixRandomAccessFile>(path, fd.release());
  }

  absl::StatusOr<std::unique_ptr<MappedFile>> Map(
      const std::string& path) override {
    FdGuard fd(OpenFile(path, O_RDONLY));
    if (fd.get() < 0) return ErrnoStatus(errno, "open", path);
    struct stat st;
    if (fstat(fd.get(), &st) != 0) return ErrnoStatus(errno, "stat", path);
    if (S_ISDIR(st.st_mode)) return ErrnoStatus(EISDIR, "map", path);
    const auto size = static_cast<size_t>(st.st_size);
    if (size == 0) {
      return std::make_unique<PosixMappedFile>(path, std::string_view());
    }
    void* p = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (p == MAP_FAILED) return ErrnoStatus(errno, "map", path);
    return std::make_unique<PosixMappedFile>(
        path, std::string_view(static_cast<const char*>(p), size));
  }

  absl::StatusOr<std::vector<DirEntry>> ListDir(
      const std::string& path) override {
    std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
    if (dir == nullptr) return ErrnoStatus(errno, "list", path);
    std::vector<DirEntry> entries;
    while (true) {
      errno = 0;
      const dirent* entry = readdir(dir.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      entries.push_back({std::string(name), EntryIsDir(path, *entry)});
    }
    if (errno != 0) return ErrnoStatus(errno, "list", path);
    std::sort(
        entries.begin(), entries.end(),
        [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
    return entries;
  }

  absl::StatusOr<FileInfo> Stat(const std::string& path) override {
    struct stat st;
    if (stat(path.c_str(), &st) != 0) return ErrnoStatus(errno, "stat", path);
    FileInfo info;
    info.size = static_cast<uint64_t>(st.st_size);
    info.is_dir = S_ISDIR(st.st_mode);
    info.modified = static_cast<int64_t>(st.st_mtim.tv_sec) * 1000 +
                    st.st_mtim.tv_nsec / 1'000'000;
    return info;
  }

  absl::Status MakeDir(const std::string& path) override {
    return Check(mkdir(path.c_str(), 0777), "make directory", path);
  }
  absl::Status Remove(const std::string& path) override {
    return Check(unlink(path.c_str()), "remove", path);
  }
  absl::Status RemoveDir(const std::string& path) override {
    return Check(rmdir(path.c_str()), "remove directory", path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Check(rename(from.c_str(), to.c_str()), "rename", from);
  }
  absl::Status Link(const std::string& from, const std::string& to) override {
    return Check(link(from.c_str(), to.c_str()), "link", to);
  }

  absl::Status SyncDir(const std::string& path) override {
    FdGuard fd(OpenFile(path, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0) return ErrnoStatus(errno, "open directory", path);
    if (Retry([&] { return fsync(fd.get()); }) != 0) {
      // Some network file systems can't, and need not.
      if (errno == EINVAL) return absl::OkStatus();
      return ErrnoStatus(errno, "sync directory", path);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) override {
    FdGuard fd(OpenFile(path, O_RDWR | O_CREAT));
    if (fd.get() < 0) return ErrnoStatus(errno, "open", path);
    if (Retry([&] { return flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno == EWOULDBLOCK) {
        return FailedPrecondition(
            StrCat("lock ", path, ": held by another process"));
      }
      return ErrnoStatus(errno, "lock", path);
    }
    return std::make_unique<PosixFileLock>(fd.release());
  }

  absl::StatusOr<DiskSpace> Space(const std::string& path) override {
    struct statvfs st;
    if (statvfs(path.c_str(), &st) != 0) {
      return ErrnoStatus(errno, "statvfs", path);
    }
    return DiskSpace{static_cast<uint64_t>(st.f_blocks) * st.f_frsize,
                     static_cast<uint64_t>(st.f_bavail) * st.f_frsize};
  }

  void RandomBytes(char* out, size_t n) override {
    while (n > 0) {
      // Up to 256 bytes never fail and are never cut short.
      const ssize_t got =
          Retry([&] { return getrandom(out, std::min<size_t>(n, 256), 0); });
      if (got <= 0) continue;
      out += got;
      n -= static_cast<size_t>(got);
    }
  }

 private:
  static absl::Status Check(int result, std::string_view what,
                            const std::string& path) {
    if (result == 0) return absl::OkStatus();
    return ErrnoStatus(errno, what, path);
  }
};

}  // namespace

Env* Env::Posix() {
  static PosixEnv* const env = new PosixEnv;
  return env;
}

}  // namespace narthex
