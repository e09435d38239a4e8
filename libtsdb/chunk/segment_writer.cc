#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "libtsdb/chunk/format.h"
#include "libtsdb/chunk/segment.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// No more than what stays in the processor's cache until the kernel copies it.
constexpr size_t kBufferSize = 256 << 10;

class Writer final : public SegmentWriter {
 public:
  Writer(Env& env, std::string dir, uint64_t segment_size)
      : env_(env),
        dir_(std::move(dir)),
        segment_size_(segment_size),
        buffer_(kBufferSize) {}

  absl::Status Write(std::span<const EncodedChunk> chunks,
                     std::span<ChunkRef> refs) override {
    if (chunks.empty()) return absl::OkStatus();
    // A file is judged as it was before this series: while it has chunks of
    // others, all that does not fit moves on; what then begins a file may
    // exceed the limit by one chunk.  Prometheus counts five bytes of length
    // whatever the length is.
    uint64_t batch = 0;
    bool others_in_file = offset_ > kChunksHeaderSize;
    const uint64_t before = offset_;
    if (offset_ == 0) NARTHEX_RETURN_IF_ERROR(Cut());
    for (size_t i = 0; i < chunks.size(); ++i) {
      const uint64_t size = kMaxChunkLengthSize + kChunkEncodingSize +
                            chunks[i].bytes.size() + kCrcSize;
      batch += size;
      bool cut = i != 0 && batch + kChunksHeaderSize > segment_size_;
      if (others_in_file) {
        cut = batch + before > segment_size_;
        if (cut) others_in_file = false;
      }
      if (cut) {
        batch = size;
        NARTHEX_RETURN_IF_ERROR(Cut());
      }
      refs[i] = (segment_ - 1) << 32 | offset_;
      NARTHEX_RETURN_IF_ERROR(Append(chunks[i]));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override { return Seal(); }

  uint64_t bytes_written() const override { return written_; }

 private:
  absl::Status Append(const EncodedChunk& chunk) {
    const size_t room =
        kMaxVarintLen64 + kChunkEncodingSize + chunk.bytes.size() + kCrcSize;
    if (buffer_.size() - used_ < room) NARTHEX_RETURN_IF_ERROR(Flush());
    if (buffer_.size() < room) buffer_.resize(room);
    char* const begin = buffer_.data() + used_;
    char* const covered = StoreUvarint(begin, chunk.bytes.size());
    *covered = static_cast<char>(chunk.encoding);
    char* const crc =
        std::copy(chunk.bytes.begin(), chunk.bytes.end(), covered + 1);
    StoreBE32(crc, Crc32c({covered, static_cast<size_t>(crc - covered)}));
    const auto size = static_cast<size_t>(crc - begin) + kCrcSize;
    used_ += size;
    offset_ += size;
    written_ += size;
    return absl::OkStatus();
  }

  absl::Status Flush() {
    if (used_ == 0) return absl::OkStatus();
    NARTHEX_RETURN_IF_ERROR(file_->Append({buffer_.data(), used_}));
    used_ = 0;
    return absl::OkStatus();
  }

  absl::Status Seal() {
    if (file_ == nullptr) return absl::OkStatus();
    NARTHEX_RETURN_IF_ERROR(Flush());
    // The room that was reserved and not used goes back before the sync, so
    // that the size is durable as well.
    NARTHEX_RETURN_IF_ERROR(file_->Truncate(offset_));
    NARTHEX_RETURN_IF_ERROR(file_->Sync());
    absl::Status closed = file_->Close();
    file_.reset();
    return closed;
  }

  absl::Status Cut() {
    NARTHEX_RETURN_IF_ERROR(Seal());
    ++segment_;
    const std::string path = JoinPath(dir_, absl::StrFormat("%06d", segment_));
    NARTHEX_ASSIGN_OR_RETURN(
        file_, env_.OpenWritable(path, Env::WriteMode::kCreateNew));
    NARTHEX_RETURN_IF_ERROR(
        file_->Preallocate(std::min<uint64_t>(segment_size_, 8 << 20)));
    NARTHEX_RETURN_IF_ERROR(env_.SyncDir(dir_));
    // Nothing is buffered: the file before was sealed.
    StoreBE32(buffer_.data(), kChunksMagic);
    buffer_[4] = static_cast<char>(kChunksVersion);
    std::fill_n(buffer_.data() + 5, kChunksHeaderSize - 5, '\0');
    used_ = kChunksHeaderSize;
    offset_ = kChunksHeaderSize;
    written_ += kChunksHeaderSize;
    return absl::OkStatus();
  }

  Env& env_;
  const std::string dir_;
  const uint64_t segment_size_;
  std::unique_ptr<WritableFile> file_;
  std::vector<char> buffer_;  // the first used_ bytes are not written yet
  size_t used_ = 0;
  uint64_t segment_ = 0;  // number of the present file, from 1
  uint64_t offset_ = 0;   // in it, buffered bytes included; 0: no file yet
  uint64_t written_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(
    Env& env, std::string dir, uint64_t segment_size) {
  NARTHEX_RETURN_IF_ERROR(env.MakeDirs(dir));
  return std::make_unique<Writer>(env, std::move(dir), segment_size);
}

}  // namespace narthex::tsdb
