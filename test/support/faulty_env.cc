#include "test/support/faulty_env.h"

#include <algorithm>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::test {

class FaultyEnv::File final : public WritableFile {
 public:
  File(FaultyEnv& env, std::string path, std::unique_ptr<WritableFile> under)
      : env_(env), path_(std::move(path)), under_(std::move(under)) {}

  absl::Status Append(std::string_view data) override {
    const int64_t size = static_cast<int64_t>(data.size());
    const int64_t room = env_.room_.load();
    if (room == INT64_MAX) return under_->Append(data);
    const int64_t fits = std::clamp<int64_t>(room, 0, size);
    env_.room_.fetch_sub(fits);
    if (fits != 0) {
      NARTHEX_RETURN_IF_ERROR(
          under_->Append(data.substr(0, static_cast<size_t>(fits))));
    }
    if (fits == size) return absl::OkStatus();
    return ResourceExhausted(
        StrCat("write ", path_, ": No space left on device"));
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return under_->WriteAt(offset, data);
  }
  absl::Status Truncate(uint64_t size) override {
    return under_->Truncate(size);
  }
  absl::Status Preallocate(uint64_t size) override {
    return under_->Preallocate(size);
  }
  absl::Status Sync() override {
    env_.syncs_.fetch_add(1);
    {
      absl::MutexLock lock(&env_.mu_);
      env_.mu_.Await(absl::Condition(
          +[](bool* hold) { return !*hold; }, &env_.hold_syncs_));
    }
    if (env_.fail_syncs_.load()) {
      return Unavailable(StrCat("fdatasync ", path_, ": Input/output error"));
    }
    return under_->Sync();
  }
  absl::Status Close() override { return under_->Close(); }
  uint64_t size() const override { return under_->size(); }

 private:
  FaultyEnv& env_;
  const std::string path_;
  const std::unique_ptr<WritableFile> under_;
};

absl::StatusOr<std::unique_ptr<WritableFile>> FaultyEnv::OpenWritable(
    const std::string& path, WriteMode mode) {
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                           under_.OpenWritable(path, mode));
  return std::make_unique<File>(*this, path, std::move(file));
}

}  // namespace narthex::test
