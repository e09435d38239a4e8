#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

// One file's content, whatever names it has.  The bytes are copied before they
// are changed if a mapping still shows them.
class MemFile {
 public:
  uint64_t size() const {
    absl::MutexLock lock(&mu_);
    return bytes_->size();
  }
  Timestamp modified() const {
    absl::MutexLock lock(&mu_);
    return modified_;
  }

  size_t Read(uint64_t offset, size_t n, char* out) const {
    absl::MutexLock lock(&mu_);
    if (offset >= bytes_->size()) return 0;
    n = std::min<size_t>(n, bytes_->size() - static_cast<size_t>(offset));
    std::memcpy(out, bytes_->data() + offset, n);
    return n;
  }

  void Write(uint64_t offset, std::string_view data) {
    absl::MutexLock lock(&mu_);
    Own();
    const size_t end = static_cast<size_t>(offset) + data.size();
    if (bytes_->size() < end) bytes_->resize(end);
    std::memcpy(bytes_->data() + offset, data.data(), data.size());
  }

  void Truncate(uint64_t size) {
    absl::MutexLock lock(&mu_);
    Own();
    bytes_->resize(static_cast<size_t>(size));
  }

  std::shared_ptr<const std::string> Bytes() const {
    absl::MutexLock lock(&mu_);
    return bytes_;
  }

 private:
  void Own() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (bytes_.use_count() > 1) bytes_ = std::make_shared<std::string>(*bytes_);
    modified_ = Clock::System()->Now();
  }

  mutable absl::Mutex mu_;
  std::shared_ptr<std::string> bytes_ ABSL_GUARDED_BY(mu_) =
      std::make_shared<std::string>();
  Timestamp modified_ ABSL_GUARDED_BY(mu_) = Clock::System()->Now();
};

class MemWritableFile final : public WritableFile {
 public:
  MemWritableFile(std::string path, std::shared_ptr<MemFile> file)
      : path_(std::move(path)), file_(std::move(file)), size_(file_->size()) {}

  absl::Status Append(std::string_view data) override {
    return WriteAt(size_, data);
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    NARTHEX_RETURN_IF_ERROR(CheckOpen());
    if (!data.empty()) file_->Write(offset, data);
    size_ = std::max(size_, offset + data.size());
    return absl::OkStatus();
  }
  absl::Status Truncate(uint64_t size) override {
    NARTHEX_RETURN_IF_ERROR(CheckOpen());
    file_->Truncate(size);
    size_ = size;
    return absl::OkStatus();
  }
  absl::Status Preallocate(uint64_t) override { return CheckOpen(); }
  absl::Status Sync() override { return CheckOpen(); }
  absl::Status Close() override {
    open_ = false;
    return absl::OkStatus();
  }
  uint64_t size() const override { return size_; }

 private:
  absl::Status CheckOpen() const {
    if (!open_) return FailedPrecondition(StrCat("closed: ", path_));
    return absl::OkStatus();
  }

  const std::string path_;
  const std::shared_ptr<MemFile> file_;
  uint64_t size_;
  bool open_ = true;
};

class MemRandomAccessFile final : public RandomAccessFile {
 public:
  explicit MemRandomAccessFile(std::shared_ptr<MemFile> file)
      : file_(std::move(file)) {}
  absl::StatusOr<size_t> Read(uint64_t offset, size_t n,
                              char* out) const override {
    return file_->Read(offset, n, out);
  }
  absl::StatusOr<uint64_t> Size() const override { return file_->size(); }

 private:
  const std::shared_ptr<MemFile> file_;
};

class MemMappedFile final : public MappedFile {
 public:
  MemMappedFile(std::string path, std::shared_ptr<const std::string> bytes)
      : MappedFile(std::move(path), *bytes), owner_(std::move(bytes)) {}

 private:
  const std::shared_ptr<const std::string> owner_;
};

// What locks leave behind when they are destroyed; outlives the Env if need be.
struct Locks {
  absl::Mutex mu;
  std::set<std::string> held ABSL_GUARDED_BY(mu);
};

class MemFileLock final : public FileLock {
 public:
  MemFileLock(std::shared_ptr<Locks> locks, std::string path)
      : locks_(std::move(locks)), path_(std::move(path)) {}
  ~MemFileLock() override {
    absl::MutexLock lock(&locks_->mu);
    locks_->held.erase(path_);
  }

 private:
  const std::shared_ptr<Locks> locks_;
  const std::string path_;
};

std::string Trimmed(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

class MemEnv final : public Env {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenWritable(
      const std::string& raw, WriteMode mode) override {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    Node* node = Find(path);
    if (node == nullptr) {
      NARTHEX_RETURN_IF_ERROR(CheckParent(path, "open"));
      node = &nodes_[path];
      node->file = std::make_shared<MemFile>();
    } else if (node->file == nullptr) {
      return ErrnoStatus(EISDIR, "open", path);
    } else if (mode == WriteMode::kCreateNew) {
      return ErrnoStatus(EEXIST, "open", path);
    } else if (mode == WriteMode::kTruncate) {
      node->file->Truncate(0);
    }
    return std::make_unique<MemWritableFile>(path, node->file);
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) override {
    NARTHEX_ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file,
                             FileAt(path, "open"));
    return std::make_unique<MemRandomAccessFile>(std::move(file));
  }

  absl::StatusOr<std::unique_ptr<MappedFile>> Map(
      const std::string& path) override {
    NARTHEX_ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file,
                             FileAt(path, "map"));
    return std::make_unique<MemMappedFile>(path, file->Bytes());
  }

  absl::StatusOr<std::vector<DirEntry>> ListDir(
      const std::string& raw) override {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    NARTHEX_RETURN_IF_ERROR(CheckDir(path, "list"));
    std::vector<DirEntry> entries;
    const std::string prefix = Prefix(path);
    for (auto it = nodes_.lower_bound(prefix);
         it != nodes_.end() && it->first.starts_with(prefix); ++it) {
      std::string name = it->first.substr(prefix.size());
      if (name.empty() || name.find('/') != std::string::npos) continue;
      entries.push_back({std::move(name), it->second.file == nullptr});
    }
    // "a.b" stands before "a/x" in the map: put names, not paths, in order.
    std::sort(
        entries.begin(), entries.end(),
        [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
    return entries;
  }

  absl::StatusOr<FileInfo> Stat(const std::string& raw) override {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    FileInfo info;
    if (IsDir(path)) {
      info.is_dir = true;
      return info;
    }
    const Node* node = Find(path);
    if (node == nullptr) return ErrnoStatus(ENOENT, "stat", path);
    info.size = node->file->size();
    info.modified = node->file->modified();
    return info;
  }

  absl::Status MakeDir(const std::string& raw) override {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    if (IsDir(path) || Find(path) != nullptr) {
      return ErrnoStatus(EEXIST, "make directory", path);
    }
    NARTHEX_RETURN_IF_ERROR(CheckParent(path, "make directory"));
    nodes_[path];
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& raw) override {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    if (IsDir(path)) return ErrnoStatus(EISDIR, "remove", path);
    if (nodes_.erase(path) == 0) return ErrnoStatus(ENOENT, "remove", path);
    return absl::OkStatus();
  }

  absl::Status RemoveDir(const std::string& raw) override {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    NARTHEX_RETURN_IF_ERROR(CheckDir(path, "remove directory"));
    if (HasChildren(path)) {
      return ErrnoStatus(ENOTEMPTY, "remove directory", path);
    }
    nodes_.erase(path);
    return absl::OkStatus();
  }

  absl::Status Rename(const std::string& raw_from,
                      const std::string& raw_to) override {
    const std::string from = Trimmed(raw_from), to = Trimmed(raw_to);
    absl::MutexLock lock(&mu_);
    const Node* source = Find(from);
    if (source == nullptr) return ErrnoStatus(ENOENT, "rename", from);
    if (from == to) return absl::OkStatus();
    NARTHEX_RETURN_IF_ERROR(CheckParent(to, "rename"));
    const bool is_dir = source->file == nullptr;
    if (const Node* target = Find(to); target != nullptr) {
      if (is_dir && target->file != nullptr) {
        return ErrnoStatus(ENOTDIR, "rename", from);
      }
      if (!is_dir && target->file == nullptr) {
        return ErrnoStatus(EISDIR, "rename", from);
      }
      if (is_dir && HasChildren(to)) {
        return ErrnoStatus(ENOTEMPTY, "rename", from);
      }
    }
    if (is_dir) {
      const std::string prefix = Prefix(from);
      if (to.starts_with(prefix)) return ErrnoStatus(EINVAL, "rename", from);
      auto it = nodes_.lower_bound(prefix);
      while (it != nodes_.end() && it->first.starts_with(prefix)) {
        auto child = nodes_.extract(it++);
        child.key() = Prefix(to) + child.key().substr(prefix.size());
        nodes_.insert(std::move(child));
      }
    }
    nodes_.erase(to);
    auto node = nodes_.extract(from);
    node.key() = to;
    nodes_.insert(std::move(node));
    return absl::OkStatus();
  }

  absl::Status Link(const std::string& from,
                    const std::string& raw_to) override {
    NARTHEX_ASSIGN_OR_RETURN(std::shared_ptr<MemFile> file,
                             FileAt(from, "link"));
    const std::string to = Trimmed(raw_to);
    absl::MutexLock lock(&mu_);
    if (IsDir(to) || Find(to) != nullptr) {
      return ErrnoStatus(EEXIST, "link", to);
    }
    NARTHEX_RETURN_IF_ERROR(CheckParent(to, "link"));
    nodes_[to].file = std::move(file);
    return absl::OkStatus();
  }

  absl::Status SyncDir(const std::string& raw) override {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    return CheckDir(path, "sync directory");
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& raw) override {
    const std::string path = Trimmed(raw);
    NARTHEX_RETURN_IF_ERROR(OpenWritable(path, WriteMode::kAppend).status());
    absl::MutexLock lock(&locks_->mu);
    if (!locks_->held.insert(path).second) {
      return FailedPrecondition(
          StrCat("lock ", path, ": held by another process"));
    }
    return std::make_unique<MemFileLock>(locks_, path);
  }

  absl::StatusOr<DiskSpace> Space(const std::string&) override {
    return DiskSpace{uint64_t{1} << 40, uint64_t{1} << 40};
  }

  void RandomBytes(char* out, size_t n) override {
    absl::MutexLock lock(&mu_);
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<char>(random_());
  }

 private:
  struct Node {
    std::shared_ptr<MemFile> file = nullptr;  // null: a directory
  };

  static std::string Prefix(const std::string& dir) {
    if (dir == ".") return "";
    return dir == "/" ? dir : dir + "/";
  }

  Node* Find(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    auto it = nodes_.find(path);
    return it == nodes_.end() ? nullptr : &it->second;
  }
  bool IsDir(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (path == "." || path == "/") return true;
    const Node* node = Find(path);
    return node != nullptr && node->file == nullptr;
  }
  bool HasChildren(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const std::string prefix = Prefix(path);
    auto it = nodes_.lower_bound(prefix);
    return it != nodes_.end() && it->first.starts_with(prefix);
  }
  absl::Status CheckDir(const std::string& path, std::string_view what)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (IsDir(path)) return absl::OkStatus();
    return ErrnoStatus(Find(path) == nullptr ? ENOENT : ENOTDIR, what, path);
  }
  absl::Status CheckParent(const std::string& path, std::string_view what)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (IsDir(std::string(DirName(path)))) return absl::OkStatus();
    return ErrnoStatus(ENOENT, what, path);
  }
  absl::StatusOr<std::shared_ptr<MemFile>> FileAt(const std::string& raw,
                                                  std::string_view what) {
    const std::string path = Trimmed(raw);
    absl::MutexLock lock(&mu_);
    if (IsDir(path)) return ErrnoStatus(EISDIR, what, path);
    const Node* node = Find(path);
    if (node == nullptr) return ErrnoStatus(ENOENT, what, path);
    return node->file;
  }

  absl::Mutex mu_;
  std::map<std::string, Node> nodes_ ABSL_GUARDED_BY(mu_);
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_){std::random_device{}()};
  const std::shared_ptr<Locks> locks_ = std::make_shared<Locks>();
};

}  // namespace

std::unique_ptr<Env> NewMemEnv() { return std::make_unique<MemEnv>(); }

}  // namespace narthex
