// Files in memory that know what a crash would leave: every call that changes
// something has a number, and from any number on the machine can be dead.
//
// What is durable is what was synced: a file's bytes by Sync, a directory's
// names by SyncDir.  Image() is the disk after the crash, under one of the
// models of what becomes of the rest.  Any thread.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/env.h"

namespace narthex::test {

enum class Loss : uint8_t {
  kNothing,      // the process died, the machine did not
  kAllUnsynced,  // nothing but what was synced
  kData,         // names survive, bytes that were not synced don't
  kNames,        // bytes survive, names that were not synced don't
  kHalfOfData,   // of a file's unsynced end the first half survives
  kTornData      // the last 1..511 bytes of it are lost
};
inline constexpr Loss kAllLosses[] = {Loss::kNothing,    Loss::kAllUnsynced,
                                      Loss::kData,       Loss::kNames,
                                      Loss::kHalfOfData, Loss::kTornData};

// How a call that is to fail does it.
enum class Fault : uint8_t {
  kNone,
  kDead,       // this one and all later ones do nothing and fail
  kFullDisk,   // this one fails with kResourceExhausted, or all from it on
  kBroken,     // the same with an I/O error
  kShortWrite  // a write stores half of its bytes and fails
};

class CrashEnv final : public Env {
 public:
  CrashEnv();
  ~CrashEnv() override;

  uint64_t calls() const;
  // The call of that number (from 0) fails; `sticky`: so do all after it.
  void FailAt(uint64_t call, Fault fault, bool sticky);
  void FailSyncs(bool fail);
  // The sync of that number (from 0) fails; `sticky`: so do all after it.  What
  // a failed sync was for is lost, whatever a later one says: the kernel takes
  // it for written.
  void FailSyncAt(uint64_t sync, bool sticky);
  uint64_t syncs() const;
  bool failed() const;  // has a call failed?
  void Heal();
  // The disk as a crash now would leave it.
  std::unique_ptr<CrashEnv> Image(Loss loss) const;

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenWritable(
      const std::string& path, WriteMode mode) override;
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) override;
  absl::StatusOr<std::unique_ptr<MappedFile>> Map(
      const std::string& path) override;
  absl::StatusOr<std::vector<DirEntry>> ListDir(
      const std::string& path) override;
  absl::StatusOr<FileInfo> Stat(const std::string& path) override;
  absl::Status MakeDir(const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveDir(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Link(const std::string& from, const std::string& to) override;
  absl::Status SyncDir(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) override;
  absl::StatusOr<DiskSpace> Space(const std::string& path) override;
  void RandomBytes(char* out, size_t n) override;

 private:
  class File;
  class Reader;
  class Mapped;
  struct Bytes {
    std::string live;
    std::string durable;
    // Begin and end of what failed syncs have lost.
    std::vector<std::pair<size_t, size_t>> lost;
    std::string OnDisk() const;  // `live` without that
  };
  struct Dir;
  using Entry = std::variant<std::shared_ptr<Bytes>, std::shared_ptr<Dir>>;
  struct Dir {
    std::map<std::string, Entry> live;
    std::map<std::string, Entry> durable;
  };

  // OK, or why the call of this number does nothing.  `is_sync`: it is one.
  absl::Status Begin(bool is_sync = false, bool* half = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Dir* FindDir(std::string_view path) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  const Entry* Find(const std::string& path) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  static void Copy(const Dir& from, Loss loss, Dir& to);

  mutable absl::Mutex mu_;
  std::shared_ptr<Dir> root_ ABSL_GUARDED_BY(mu_);
  uint64_t calls_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t fail_at_ ABSL_GUARDED_BY(mu_) = UINT64_MAX;
  Fault fault_ ABSL_GUARDED_BY(mu_) = Fault::kNone;
  bool sticky_ ABSL_GUARDED_BY(mu_) = false;
  bool fail_syncs_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t syncs_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t fail_sync_at_ ABSL_GUARDED_BY(mu_) = UINT64_MAX;
  bool sticky_sync_ ABSL_GUARDED_BY(mu_) = false;
  bool failed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t random_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace narthex::test
