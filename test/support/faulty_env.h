// An Env that passes everything on to another one, until it is told that the
// disk is full, or that its writes fail.
//
// Any thread.  Borrows the other Env.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/env.h"

namespace narthex::test {

class FaultyEnv final : public Env {
 public:
  explicit FaultyEnv(Env& under) : under_(under) {}

  // From here on this many more bytes fit; a write that doesn't fit writes what
  // does and fails with kResourceExhausted, as write(2) and ENOSPC would.
  void SetRoom(int64_t bytes) { room_.store(bytes); }
  void SetUnlimited() { room_.store(INT64_MAX); }
  // Every Sync fails from here on.
  void FailSyncs(bool fail) { fail_syncs_.store(fail); }
  // Syncs that are begun from here on wait until this is taken back.
  void HoldSyncs(bool hold) {
    absl::MutexLock lock(&mu_);
    hold_syncs_ = hold;
  }
  uint64_t syncs() const { return syncs_.load(); }  // begun

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenWritable(
      const std::string& path, WriteMode mode) override;
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) override {
    return under_.OpenRandomAccess(path);
  }
  absl::StatusOr<std::unique_ptr<MappedFile>> Map(
      const std::string& path) override {
    return under_.Map(path);
  }
  absl::StatusOr<std::vector<DirEntry>> ListDir(
      const std::string& path) override {
    return under_.ListDir(path);
  }
  absl::StatusOr<FileInfo> Stat(const std::string& path) override {
    return under_.Stat(path);
  }
  absl::Status MakeDir(const std::string& path) override {
    return under_.MakeDir(path);
  }
  absl::Status Remove(const std::string& path) override {
    return under_.Remove(path);
  }
  absl::Status RemoveDir(const std::string& path) override {
    return under_.RemoveDir(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return under_.Rename(from, to);
  }
  absl::Status Link(const std::string& from, const std::string& to) override {
    return under_.Link(from, to);
  }
  absl::Status SyncDir(const std::string& path) override {
    return under_.SyncDir(path);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) override {
    return under_.Lock(path);
  }
  absl::StatusOr<DiskSpace> Space(const std::string& path) override {
    return under_.Space(path);
  }
  void RandomBytes(char* out, size_t n) override { under_.RandomBytes(out, n); }

 private:
  class File;
  Env& under_;
  std::atomic<int64_t> room_{INT64_MAX};
  std::atomic<bool> fail_syncs_{false};
  std::atomic<uint64_t> syncs_{0};
  absl::Mutex mu_;
  bool hold_syncs_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace narthex::test
