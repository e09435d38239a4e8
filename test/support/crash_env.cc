#include "test/support/crash_env.h"

#include <algorithm>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::test {

class CrashEnv::File final : public WritableFile {
 public:
  File(CrashEnv& env, std::shared_ptr<Bytes> bytes)
      : env_(env), bytes_(std::move(bytes)) {}

  absl::Status Append(std::string_view data) override {
    absl::MutexLock lock(&env_.mu_);
    return Put(bytes_->live.size(), data);
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    absl::MutexLock lock(&env_.mu_);
    return Put(offset, data);
  }
  absl::Status Truncate(uint64_t size) override {
    absl::MutexLock lock(&env_.mu_);
    NARTHEX_RETURN_IF_ERROR(env_.Begin());
    bytes_->live.resize(size);
    for (auto& [begin, end] : bytes_->lost) {
      begin = std::min<size_t>(begin, size);
      end = std::min<size_t>(end, size);
    }
    return absl::OkStatus();
  }
  absl::Status Preallocate(uint64_t) override {
    absl::MutexLock lock(&env_.mu_);
    return env_.Begin();
  }
  absl::Status Sync() override {
    absl::MutexLock lock(&env_.mu_);
    if (absl::Status status = env_.Begin(/*is_sync=*/true); !status.ok()) {
      if (bytes_->live.size() > bytes_->durable.size()) {
        bytes_->lost.emplace_back(bytes_->durable.size(), bytes_->live.size());
      }
      return status;
    }
    bytes_->durable = bytes_->OnDisk();
    return absl::OkStatus();
  }
  absl::Status Close() override { return absl::OkStatus(); }
  uint64_t size() const override {
    absl::MutexLock lock(&env_.mu_);
    return bytes_->live.size();
  }

 private:
  absl::Status Put(uint64_t offset, std::string_view data)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(env_.mu_) {
    bool half = false;
    const absl::Status status = env_.Begin(false, &half);
    if (!status.ok() && !half) return status;
    if (half) data = data.substr(0, data.size() / 2);
    std::string& live = bytes_->live;
    if (live.size() < offset + data.size()) live.resize(offset + data.size());
    std::copy(data.begin(), data.end(),
              live.begin() + static_cast<ptrdiff_t>(offset));
    return status;
  }

  CrashEnv& env_;
  const std::shared_ptr<Bytes> bytes_;
};

class CrashEnv::Reader final : public RandomAccessFile {
 public:
  Reader(const CrashEnv& env, std::shared_ptr<Bytes> bytes)
      : env_(env), bytes_(std::move(bytes)) {}
  absl::StatusOr<size_t> Read(uint64_t offset, size_t n,
                              char* out) const override {
    absl::MutexLock lock(&env_.mu_);
    const std::string& live = bytes_->live;
    if (offset >= live.size()) return size_t{0};
    const size_t got = std::min<size_t>(n, live.size() - offset);
    std::copy_n(live.data() + offset, got, out);
    return got;
  }
  absl::StatusOr<uint64_t> Size() const override {
    absl::MutexLock lock(&env_.mu_);
    return uint64_t{bytes_->live.size()};
  }

 private:
  const CrashEnv& env_;
  const std::shared_ptr<Bytes> bytes_;
};

class CrashEnv::Mapped final : public MappedFile {
 public:
  Mapped(std::string path, std::string bytes)
      : MappedFile(std::move(path), {}), own_(std::move(bytes)) {
    bytes_ = own_;
  }

 private:
  const std::string own_;
};

std::string CrashEnv::Bytes::OnDisk() const {
  std::string bytes = live;
  for (const auto& [begin, end] : lost) {
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin),
              bytes.begin() + static_cast<ptrdiff_t>(end), '\0');
  }
  return bytes;
}

CrashEnv::CrashEnv() : root_(std::make_shared<Dir>()) {}
CrashEnv::~CrashEnv() = default;

uint64_t CrashEnv::calls() const {
  absl::MutexLock lock(&mu_);
  return calls_;
}
void CrashEnv::FailAt(uint64_t call, Fault fault, bool sticky) {
  absl::MutexLock lock(&mu_);
  fail_at_ = call;
  fault_ = fault;
  sticky_ = sticky || fault == Fault::kDead;
}
void CrashEnv::FailSyncs(bool fail) {
  absl::MutexLock lock(&mu_);
  fail_syncs_ = fail;
}
void CrashEnv::FailSyncAt(uint64_t sync, bool sticky) {
  absl::MutexLock lock(&mu_);
  fail_sync_at_ = sync;
  sticky_sync_ = sticky;
}
uint64_t CrashEnv::syncs() const {
  absl::MutexLock lock(&mu_);
  return syncs_;
}
bool CrashEnv::failed() const {
  absl::MutexLock lock(&mu_);
  return failed_;
}
void CrashEnv::Heal() {
  absl::MutexLock lock(&mu_);
  fault_ = Fault::kNone;
  fail_syncs_ = failed_ = false;
  fail_sync_at_ = UINT64_MAX;
}

absl::Status CrashEnv::Begin(bool is_sync, bool* half) {
  const uint64_t number = calls_++;
  if (is_sync) {
    const uint64_t sync = syncs_++;
    if (fail_syncs_ || sync == fail_sync_at_ ||
        (sticky_sync_ && sync > fail_sync_at_)) {
      failed_ = true;
      return Unavailable("fdatasync: Input/output error");
    }
  }
  if (fault_ == Fault::kNone || number < fail_at_ ||
      (number > fail_at_ && !sticky_)) {
    return absl::OkStatus();
  }
  failed_ = true;
  if (fault_ == Fault::kDead) return Unavailable("the machine is dead");
  if (fault_ == Fault::kBroken) return Unavailable("Input/output error");
  if (fault_ == Fault::kShortWrite && half != nullptr) *half = true;
  return ResourceExhausted("No space left on device");
}

CrashEnv::Dir* CrashEnv::FindDir(std::string_view path) const {
  Dir* dir = root_.get();
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    const auto it = dir->live.find(std::string(name));
    if (it == dir->live.end()) return nullptr;
    const auto* down = std::get_if<std::shared_ptr<Dir>>(&it->second);
    if (down == nullptr) return nullptr;
    dir = down->get();
  }
  return dir;
}

const CrashEnv::Entry* CrashEnv::Find(const std::string& path) const {
  const Dir* dir = FindDir(DirName(path) == path ? "" : DirName(path));
  if (dir == nullptr) return nullptr;
  const auto it = dir->live.find(std::string(BaseName(path)));
  return it == dir->live.end() ? nullptr : &it->second;
}

absl::StatusOr<std::unique_ptr<WritableFile>> CrashEnv::OpenWritable(
    const std::string& path, WriteMode mode) {
  absl::MutexLock lock(&mu_);
  Dir* dir = FindDir(DirName(path));
  if (dir == nullptr) return NotFound(StrCat("open ", path));
  const Entry* entry = Find(path);
  if (entry != nullptr && mode == WriteMode::kCreateNew) {
    return AlreadyExists(StrCat("open ", path));
  }
  if (entry != nullptr && mode == WriteMode::kAppend) {
    const auto* bytes = std::get_if<std::shared_ptr<Bytes>>(entry);
    if (bytes == nullptr) return FailedPrecondition(StrCat(path, ": a dir"));
    return std::make_unique<File>(*this, *bytes);
  }
  NARTHEX_RETURN_IF_ERROR(Begin());
  if (entry != nullptr) {
    const auto* bytes = std::get_if<std::shared_ptr<Bytes>>(entry);
    if (bytes == nullptr) return FailedPrecondition(StrCat(path, ": a dir"));
    (*bytes)->live.clear();
    return std::make_unique<File>(*this, *bytes);
  }
  auto bytes = std::make_shared<Bytes>();
  dir->live[std::string(BaseName(path))] = bytes;
  return std::make_unique<File>(*this, bytes);
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> CrashEnv::OpenRandomAccess(
    const std::string& path) {
  absl::MutexLock lock(&mu_);
  const Entry* entry = Find(path);
  const auto* bytes =
      entry == nullptr ? nullptr : std::get_if<std::shared_ptr<Bytes>>(entry);
  if (bytes == nullptr) return NotFound(StrCat("open ", path));
  return std::make_unique<Reader>(*this, *bytes);
}

absl::StatusOr<std::unique_ptr<MappedFile>> CrashEnv::Map(
    const std::string& path) {
  absl::MutexLock lock(&mu_);
  const Entry* entry = Find(path);
  const auto* bytes =
      entry == nullptr ? nullptr : std::get_if<std::shared_ptr<Bytes>>(entry);
  if (bytes == nullptr) return NotFound(StrCat("open ", path));
  return std::make_unique<Mapped>(path, (*bytes)->live);
}

absl::StatusOr<std::vector<DirEntry>> CrashEnv::ListDir(
    const std::string& path) {
  absl::MutexLock lock(&mu_);
  const Dir* dir = FindDir(path);
  if (dir == nullptr) return NotFound(StrCat("open ", path));
  std::vector<DirEntry> out;
  for (const auto& [name, entry] : dir->live) {
    out.push_back({name, std::holds_alternative<std::shared_ptr<Dir>>(entry)});
  }
  return out;
}

absl::StatusOr<FileInfo> CrashEnv::Stat(const std::string& path) {
  absl::MutexLock lock(&mu_);
  const Entry* entry = Find(path);
  if (entry == nullptr) {
    if (FindDir(path) == nullptr) return NotFound(StrCat("stat ", path));
    return FileInfo{0, true, 0};
  }
  const auto* bytes = std::get_if<std::shared_ptr<Bytes>>(entry);
  return FileInfo{bytes == nullptr ? 0 : (*bytes)->live.size(),
                  bytes == nullptr, 0};
}

absl::Status CrashEnv::MakeDir(const std::string& path) {
  absl::MutexLock lock(&mu_);
  Dir* dir = FindDir(DirName(path));
  if (dir == nullptr) return NotFound(StrCat("mkdir ", path));
  if (Find(path) != nullptr) return AlreadyExists(StrCat("mkdir ", path));
  NARTHEX_RETURN_IF_ERROR(Begin());
  dir->live[std::string(BaseName(path))] = std::make_shared<Dir>();
  return absl::OkStatus();
}

absl::Status CrashEnv::Remove(const std::string& path) {
  absl::MutexLock lock(&mu_);
  if (Find(path) == nullptr) return NotFound(StrCat("unlink ", path));
  NARTHEX_RETURN_IF_ERROR(Begin());
  FindDir(DirName(path))->live.erase(std::string(BaseName(path)));
  return absl::OkStatus();
}

absl::Status CrashEnv::RemoveDir(const std::string& path) {
  {
    absl::MutexLock lock(&mu_);
    const Dir* dir = FindDir(path);
    if (dir == nullptr) return NotFound(StrCat("rmdir ", path));
    if (!dir->live.empty()) {
      return FailedPrecondition(StrCat("rmdir ", path, ": not empty"));
    }
  }
  return Remove(path);
}

absl::Status CrashEnv::Rename(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mu_);
  const Entry* entry = Find(from);
  Dir* target = FindDir(DirName(to));
  if (entry == nullptr || target == nullptr) {
    return NotFound(StrCat("rename ", from));
  }
  NARTHEX_RETURN_IF_ERROR(Begin());
  Entry moved = *entry;
  FindDir(DirName(from))->live.erase(std::string(BaseName(from)));
  target->live[std::string(BaseName(to))] = std::move(moved);
  return absl::OkStatus();
}

absl::Status CrashEnv::Link(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mu_);
  const Entry* entry = Find(from);
  Dir* target = FindDir(DirName(to));
  if (entry == nullptr || target == nullptr) {
    return NotFound(StrCat("link ", from));
  }
  if (Find(to) != nullptr) return AlreadyExists(StrCat("link ", to));
  NARTHEX_RETURN_IF_ERROR(Begin());
  target->live[std::string(BaseName(to))] = *entry;
  return absl::OkStatus();
}

absl::Status CrashEnv::SyncDir(const std::string& path) {
  absl::MutexLock lock(&mu_);
  Dir* dir = FindDir(path);
  if (dir == nullptr) return NotFound(StrCat("open ", path));
  NARTHEX_RETURN_IF_ERROR(Begin(/*is_sync=*/true));
  dir->durable = dir->live;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FileLock>> CrashEnv::Lock(const std::string&) {
  return std::make_unique<FileLock>();
}
absl::StatusOr<DiskSpace> CrashEnv::Space(const std::string&) {
  return DiskSpace{uint64_t{1} << 40, uint64_t{1} << 39};
}
void CrashEnv::RandomBytes(char* out, size_t n) {
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < n; ++i) {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    out[i] = static_cast<char>(random_ >> 56);
  }
}

void CrashEnv::Copy(const Dir& from, Loss loss, Dir& to) {
  const bool names_lost = loss == Loss::kAllUnsynced || loss == Loss::kNames;
  for (const auto& [name, entry] : names_lost ? from.durable : from.live) {
    if (const auto* down = std::get_if<std::shared_ptr<Dir>>(&entry)) {
      auto dir = std::make_shared<Dir>();
      Copy(**down, loss, *dir);
      to.live[name] = dir;
      continue;
    }
    const Bytes& bytes = *std::get<std::shared_ptr<Bytes>>(entry);
    auto copy = std::make_shared<Bytes>();
    // The death of the process alone loses nothing of what the kernel has.
    const std::string live =
        loss == Loss::kNothing ? bytes.live : bytes.OnDisk();
    const std::string& durable = bytes.durable;
    const bool grew = live.size() > durable.size() &&
                      live.compare(0, durable.size(), durable) == 0;
    switch (loss) {
      case Loss::kNothing:
      case Loss::kNames:
        copy->live = live;
        break;
      case Loss::kAllUnsynced:
      case Loss::kData:
        copy->live = durable;
        break;
      case Loss::kHalfOfData:
        copy->live =
            grew ? live.substr(0, (live.size() + durable.size()) / 2) : live;
        break;
      case Loss::kTornData:
        copy->live =
            grew ? live.substr(0, std::max(durable.size(),
                                           live.size() -
                                               std::min(live.size(),
                                                        1 + live.size() % 511)))
                 : live;
        break;
    }
    copy->durable = copy->live;
    to.live[name] = copy;
  }
  to.durable = to.live;
}

std::unique_ptr<CrashEnv> CrashEnv::Image(Loss loss) const {
  auto image = std::make_unique<CrashEnv>();
  absl::MutexLock lock(&mu_);
  absl::MutexLock its_lock(&image->mu_);
  Copy(*root_, loss, *image->root_);
  image->random_ = random_ + 1;
  // The directory above the data is somebody else's, and on the disk.
  if (image->root_->live.empty()) {
    for (const auto& [name, entry] : root_->live) {
      if (std::holds_alternative<std::shared_ptr<Dir>>(entry)) {
        auto dir = std::make_shared<Dir>();
        Copy(*std::get<std::shared_ptr<Dir>>(entry), loss, *dir);
        image->root_->live[name] = dir;
      }
    }
    image->root_->durable = image->root_->live;
  }
  return image;
}

}  // namespace narthex::test
