#include "libtsdb/chunk/head_chunk_file.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/chunk/format.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr uint64_t kPreallocate = 128 << 10;

std::string FileName(uint32_t number) {
  return absl::StrFormat("%06d", number);
}

bool ParseNumber(std::string_view name, uint32_t& number) {
  const char* end = name.data() + name.size();
  const auto [p, error] = std::from_chars(name.data(), end, number);
  return error == std::errc() && p == end;
}

bool AllZeros(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

enum class Parsed { kChunk, kEnd, kTorn, kBadChecksum };

// The entry at `offset` of a file's bytes; `next` is where the following one
// begins.  kTorn: it goes past the end.
Parsed ParseEntry(std::string_view file, size_t offset, HeadChunk& chunk,
                  size_t& next) {
  const std::string_view rest = file.substr(offset);
  if (rest.empty()) return Parsed::kEnd;
  if (rest.size() < kHeadChunkMinTail && AllZeros(rest)) return Parsed::kEnd;
  ByteReader in(rest);
  chunk.series = in.BE64();
  chunk.min_t = static_cast<int64_t>(in.BE64());
  chunk.max_t = static_cast<int64_t>(in.BE64());
  const uint8_t encoding = in.U8();
  if (in.ok() && chunk.series == 0 && chunk.min_t == Timestamp(0) &&
      chunk.max_t == Timestamp(0)) {
    return Parsed::kEnd;  // reserved room that was never written
  }
  const uint32_t length = in.Uvarint32();
  chunk.bytes = in.Bytes(length);
  const size_t covered = in.offset();
  const uint32_t crc = in.BE32();
  if (!in.ok()) return Parsed::kTorn;
  if (Crc32c(rest.substr(0, covered)) != crc) return Parsed::kBadChecksum;
  chunk.out_of_order = (encoding & kOutOfOrderBit) != 0;
  chunk.encoding = static_cast<ChunkEncoding>(encoding & ~kOutOfOrderBit);
  next = offset + in.offset();
  return Parsed::kChunk;
}

constexpr uint64_t kGrowth = uint64_t{1} << 20;

// A file that we don't write any more.  If somebody else may (reading beside a
// living Prometheus), its bytes are a copy instead of a mapping.
struct SealedFile {
  std::unique_ptr<MappedFile> map;
  std::string copy;

  std::string_view bytes() const {
    return map != nullptr ? map->bytes() : copy;
  }
};

class Store final : public HeadChunkStore {
 public:
  Store(Env& env, std::string dir, HeadChunkOptions options)
      : env_(env),
        out_env_(options.scratch != nullptr ? *options.scratch : env),
        dir_(std::move(dir)),
        options_(options) {}
  ~Store() override {
    if (writable()) Close().IgnoreError();
  }

  absl::Status Load(absl::FunctionRef<void(const HeadChunk&)> visit,
                    std::vector<HeadChunkDamage>* damage) {
    absl::MutexLock lock(&mu_);
    if (!env_.Exists(dir_)) {
      return options_.read_only ? absl::OkStatus() : env_.MakeDirs(dir_);
    }
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                             env_.ListDir(dir_));
    std::vector<uint32_t> numbers;
    for (const DirEntry& entry : entries) {
      uint32_t number = 0;
      if (!entry.is_dir && ParseNumber(entry.name, number)) {
        numbers.push_back(number);
      }
    }
    std::sort(numbers.begin(), numbers.end());
    for (uint32_t number : numbers) {
      NARTHEX_RETURN_IF_ERROR(
          LoadFile(number, number == numbers.back(), visit, damage));
    }
    if (!files_.empty()) last_number_ = files_.rbegin()->first;
    return absl::OkStatus();
  }

  absl::StatusOr<HeadChunkRef> Write(const HeadChunk& chunk) override {
    absl::MutexLock lock(&mu_);
    if (!writable() || closed_) {
      return FailedPrecondition(StrCat(dir_, ": not open for writing"));
    }
    char length[kMaxVarintLen32];
    const size_t length_size =
        static_cast<size_t>(StoreUvarint(length, chunk.bytes.size()) - length);
    const uint64_t size =
        kHeadChunkFixedSize + length_size + chunk.bytes.size() + kCrcSize;
    if (writing_ == nullptr || cut_ ||
        flushed_ + buffer_.size() + size > options_.max_file_size) {
      NARTHEX_RETURN_IF_ERROR(BeginFile());
    }
    const size_t begin = buffer_.size();
    const HeadChunkRef ref =
        static_cast<uint64_t>(last_number_) << 32 | (flushed_ + begin);
    ByteWriter out(buffer_);
    out.BE64(chunk.series);
    out.BE64(static_cast<uint64_t>(chunk.min_t.ms));
    out.BE64(static_cast<uint64_t>(chunk.max_t.ms));
    out.U8(static_cast<uint8_t>(chunk.encoding) |
           (chunk.out_of_order ? kOutOfOrderBit : 0));
    out.Bytes({length, length_size});
    out.Bytes(chunk.bytes);
    out.BE32(Crc32c(std::string_view(buffer_).substr(begin)));
    if (buffer_.size() >= options_.write_buffer) {
      if (absl::Status status = FlushLocked(); !status.ok()) {
        buffer_.resize(begin);
        return status;
      }
    }
    return ref;
  }

  absl::Status Flush() override {
    absl::MutexLock lock(&mu_);
    return FlushLocked();
  }

  void CutFile() override {
    absl::MutexLock lock(&mu_);
    cut_ = true;
  }

  absl::StatusOr<HeadChunk> Read(HeadChunkRef ref,
                                 std::string& out) const override {
    const uint32_t number = HeadChunkFileOf(ref);
    const uint64_t offset = ref & 0xffffffff;
    std::shared_ptr<const SealedFile> sealed;
    std::shared_ptr<RandomAccessFile> written;
    {
      absl::ReaderMutexLock lock(&mu_);
      if (writing_ != nullptr && number == last_number_) {
        if (offset >= flushed_) {
          const size_t at = offset - flushed_;
          if (at >= buffer_.size()) return Missing(ref);
          return ReadEntry(ref, std::string_view(buffer_).substr(at), out);
        }
        written = readable_;
      } else if (auto it = files_.find(number); it != files_.end()) {
        sealed = it->second;
      } else if (auto gone = deleted_.find(number); gone != deleted_.end()) {
        sealed = gone->second.lock();
      }
    }
    if (sealed != nullptr) {
      const std::string_view bytes = sealed->bytes();
      if (offset >= bytes.size()) return Missing(ref);
      return ReadEntry(ref, bytes.substr(offset), out);
    }
    if (written == nullptr) return Missing(ref);
    if (const auto grown = MappedSoFar(number, offset); grown != nullptr) {
      const std::string_view bytes = grown->bytes->bytes();
      return ReadEntry(ref, bytes.substr(0, grown->end).substr(offset), out);
    }
    std::string bytes(kHeadChunkMinTail + 1024, '\0');
    for (;;) {
      NARTHEX_ASSIGN_OR_RETURN(
          const size_t n, written->Read(offset, bytes.size(), bytes.data()));
      const std::string_view got(bytes.data(), n);
      HeadChunk chunk;
      size_t next = 0;
      // Too short a read looks like a torn entry: ask for more, unless there
      // is no more.
      if (n < bytes.size() || bytes.size() > options_.max_file_size ||
          ParseEntry(got, 0, chunk, next) != Parsed::kTorn) {
        return ReadEntry(ref, got, out);
      }
      bytes.resize(bytes.size() * 8);
    }
  }

  HeadChunkBytes Mapped(HeadChunkRef ref) const override {
    const uint32_t number = HeadChunkFileOf(ref);
    const uint64_t offset = ref & 0xffffffff;
    std::shared_ptr<const SealedFile> sealed;
    {
      absl::ReaderMutexLock lock(&mu_);
      if (writing_ != nullptr && number == last_number_) {
        if (offset >= flushed_) return {};
      } else if (auto it = files_.find(number); it != files_.end()) {
        sealed = it->second;
      } else {
        return {};
      }
    }
    if (sealed != nullptr) return {number, sealed->bytes(), sealed};
    const auto grown = MappedSoFar(number, offset);
    if (grown == nullptr) return {};
    return {number, grown->bytes->bytes().substr(0, grown->end), grown};
  }

  absl::Status TruncateBefore(uint32_t number) override {
    if (options_.read_only) return absl::OkStatus();
    absl::MutexLock lock(&mu_);
    absl::Status first_error;
    bool removed = false;
    while (!files_.empty() && files_.begin()->first < number) {
      auto it = files_.begin();
      const std::string path = JoinPath(dir_, FileName(it->first));
      if (absl::Status status = env_.Remove(path);
          !status.ok() && !absl::IsNotFound(status)) {
        first_error = status;
        break;
      }
      removed = true;
      deleted_[it->first] = it->second;
      files_.erase(it);
    }
    for (auto it = deleted_.begin(); it != deleted_.end();) {
      it = it->second.expired() ? deleted_.erase(it) : std::next(it);
    }
    if (removed && first_error.ok()) first_error = env_.SyncDir(dir_);
    return first_error;
  }

  std::shared_ptr<const void> Pin() const override {
    absl::ReaderMutexLock lock(&mu_);
    return std::make_shared<
        const std::map<uint32_t, std::shared_ptr<const SealedFile>>>(files_);
  }

  uint64_t DiskBytes() const override {
    absl::ReaderMutexLock lock(&mu_);
    uint64_t sum = writing_ == nullptr ? 0 : flushed_ + buffer_.size();
    for (const auto& [number, file] : files_) sum += file->bytes().size();
    return sum;
  }

  absl::Status Close() override {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    return Seal();
  }

 private:
  bool writable() const {
    return !options_.read_only || options_.scratch != nullptr;
  }
  absl::Status Missing(HeadChunkRef ref) const {
    return NotFound(StrCat(JoinPath(dir_, FileName(HeadChunkFileOf(ref))), ":",
                           ref & 0xffffffff, ": no head chunk there"));
  }

  // The file that is being written, as far as it had come when it was mapped.
  struct GrowingFile {
    std::unique_ptr<MappedFile> bytes;
    uint32_t number = 0;
    uint64_t end = 0;
  };

  // A mapping that holds what is at `offset`; null: read it from the file.  It
  // is renewed a megabyte at a time, so that what was written last, and is in
  // nobody's long query, does not have it renewed over and over.
  std::shared_ptr<const GrowingFile> MappedSoFar(uint32_t number,
                                                 uint64_t offset) const {
    {
      absl::ReaderMutexLock lock(&growing_mu_);
      if (growing_ != nullptr && growing_->number == number &&
          offset < growing_->end) {
        return growing_;
      }
    }
    uint64_t end = 0;
    {
      absl::ReaderMutexLock lock(&mu_);
      if (writing_ == nullptr || number != last_number_) return nullptr;
      end = flushed_;
    }
    absl::MutexLock lock(&growing_mu_);
    const uint64_t had =
        growing_ != nullptr && growing_->number == number ? growing_->end : 0;
    if (offset < had) return growing_;
    if (end < had + kGrowth) return nullptr;
    auto map = out_env_.Map(JoinPath(dir_, FileName(number)));
    if (!map.ok() || (*map)->bytes().size() < end) return nullptr;
    growing_ = std::make_shared<const GrowingFile>(
        GrowingFile{*std::move(map), number, end});
    return growing_;
  }

  absl::StatusOr<HeadChunk> ReadEntry(HeadChunkRef ref, std::string_view bytes,
                                      std::string& out) const {
    HeadChunk chunk;
    size_t next = 0;
    if (ParseEntry(bytes, 0, chunk, next) != Parsed::kChunk) {
      return CorruptAt(JoinPath(dir_, FileName(HeadChunkFileOf(ref))),
                       ref & 0xffffffff, "damaged head chunk");
    }
    out.assign(chunk.bytes);
    chunk.bytes = out;
    chunk.ref = ref;
    return chunk;
  }

  absl::Status LoadFile(uint32_t number, bool last,
                        absl::FunctionRef<void(const HeadChunk&)> visit,
                        std::vector<HeadChunkDamage>* damage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const std::string path = JoinPath(dir_, FileName(number));
    auto file = std::make_shared<SealedFile>();
    if (last && options_.read_only) {
      NARTHEX_ASSIGN_OR_RETURN(file->copy, env_.ReadFile(path));
    } else {
      NARTHEX_ASSIGN_OR_RETURN(file->map, env_.Map(path));
    }
    const std::string_view bytes = file->bytes();
    if (last && (bytes.size() < 4 || LoadBE32(bytes.data()) == 0) &&
        AllZeros(bytes)) {
      // Made, and then the power went.  There is nothing in it to keep.
      return options_.read_only ? absl::OkStatus() : env_.Remove(path);
    }
    size_t offset = kChunksHeaderSize;
    const char* what = nullptr;
    if (bytes.size() < kChunksHeaderSize ||
        LoadBE32(bytes.data()) != kHeadChunksMagic) {
      what = "bad head chunk file magic";
      offset = 0;
    } else if (static_cast<uint8_t>(bytes[4]) != kChunksVersion) {
      what = "unknown head chunk file version";
      offset = 4;
    }
    bool torn = false;
    while (what == nullptr) {
      HeadChunk chunk;
      size_t next = 0;
      const Parsed parsed = ParseEntry(bytes, offset, chunk, next);
      if (parsed == Parsed::kEnd) break;
      if (parsed != Parsed::kChunk) {
        torn = parsed == Parsed::kTorn && last;
        what = parsed == Parsed::kTorn ? "head chunk goes past the end"
                                       : "head chunk checksum mismatch";
        break;
      }
      chunk.ref = static_cast<uint64_t>(number) << 32 | offset;
      visit(chunk);
      offset = next;
    }
    if (what == nullptr) {
      files_[number] = std::move(file);
      return absl::OkStatus();
    }
    if (options_.read_only && torn) {
      files_[number] = std::move(file);  // half written: not damage
      return absl::OkStatus();
    }
    Log(options_.logger, LogLevel::kWarn, "damaged head chunk file",
        {{"file", path}, {"offset", StrCat(offset)}, {"what", what}});
    if (damage != nullptr) damage->push_back({path, offset, what});
    if (options_.read_only) {
      files_[number] = std::move(file);
      return absl::OkStatus();
    }
    NARTHEX_RETURN_IF_ERROR(Repair(path, bytes, offset, torn));
    NARTHEX_ASSIGN_OR_RETURN(file->map, env_.Map(path));
    files_[number] = std::move(file);
    return absl::OkStatus();
  }

  // Leaves the intact beginning under the file's own name: the numbers stay
  // without gaps, which Prometheus insists on, and references stay right.
  absl::Status Repair(const std::string& path, std::string_view bytes,
                      size_t intact, bool torn)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (torn) {
      // Half an entry at the very end: the crash cut it off, the WAL has it.
      NARTHEX_ASSIGN_OR_RETURN(
          std::unique_ptr<WritableFile> file,
          env_.OpenWritable(path, Env::WriteMode::kAppend));
      NARTHEX_RETURN_IF_ERROR(file->Truncate(intact));
      NARTHEX_RETURN_IF_ERROR(file->Sync());
      return file->Close();
    }
    std::string kept;
    if (intact >= kChunksHeaderSize) {
      kept.assign(bytes.substr(0, intact));
    } else {
      AppendHeader(kept);
    }
    NARTHEX_ASSIGN_OR_RETURN(const FileInfo info, env_.Stat(path));
    const std::string aside = StrCat(path, ".corrupt-", info.modified.ms);
    NARTHEX_RETURN_IF_ERROR(env_.Rename(path, aside));
    return env_.WriteFileAtomically(path, kept);
  }

  static void AppendHeader(std::string& buffer) {
    ByteWriter out(buffer);
    out.BE32(kHeadChunksMagic);
    out.U8(kChunksVersion);
    out.Bytes(std::string_view("\0\0\0", 3));
  }

  absl::Status FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ == nullptr || buffer_.empty()) return absl::OkStatus();
    if (writing_->size() != flushed_) {
      // A write before this one failed half way.
      NARTHEX_RETURN_IF_ERROR(writing_->Truncate(flushed_));
    }
    NARTHEX_RETURN_IF_ERROR(writing_->Append(buffer_));
    flushed_ += buffer_.size();
    buffer_.clear();
    return absl::OkStatus();
  }

  absl::Status Seal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ == nullptr) return absl::OkStatus();
    NARTHEX_RETURN_IF_ERROR(FlushLocked());
    NARTHEX_RETURN_IF_ERROR(writing_->Sync());
    NARTHEX_RETURN_IF_ERROR(writing_->Close());
    auto file = std::make_shared<SealedFile>();
    const std::string path = JoinPath(dir_, FileName(last_number_));
    NARTHEX_ASSIGN_OR_RETURN(file->map, out_env_.Map(path));
    files_[last_number_] = std::move(file);
    writing_.reset();
    readable_.reset();
    flushed_ = 0;
    return absl::OkStatus();
  }

  absl::Status BeginFile() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    NARTHEX_RETURN_IF_ERROR(Seal());
    const std::string path = JoinPath(dir_, FileName(last_number_ + 1));
    if (options_.scratch != nullptr) {
      NARTHEX_RETURN_IF_ERROR(out_env_.MakeDirs(dir_));
    }
    NARTHEX_ASSIGN_OR_RETURN(
        std::unique_ptr<WritableFile> file,
        out_env_.OpenWritable(path, Env::WriteMode::kTruncate));
    NARTHEX_RETURN_IF_ERROR(file->Preallocate(kPreallocate));
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> readable,
                             out_env_.OpenRandomAccess(path));
    NARTHEX_RETURN_IF_ERROR(out_env_.SyncDir(dir_));
    // At once, so that a crash leaves a file that is known for what it is.
    std::string header;
    AppendHeader(header);
    NARTHEX_RETURN_IF_ERROR(file->Append(header));
    writing_ = std::move(file);
    readable_ = std::move(readable);
    flushed_ = header.size();
    ++last_number_;
    cut_ = false;
    return absl::OkStatus();
  }

  Env& env_;
  Env& out_env_;
  const std::string dir_;
  const HeadChunkOptions options_;

  mutable absl::Mutex mu_;
  std::map<uint32_t, std::shared_ptr<const SealedFile>> files_
      ABSL_GUARDED_BY(mu_);
  // Deleted, and perhaps pinned.
  std::map<uint32_t, std::weak_ptr<const SealedFile>> deleted_
      ABSL_GUARDED_BY(mu_);
  uint32_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<WritableFile> writing_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<RandomAccessFile> readable_ ABSL_GUARDED_BY(mu_);
  // Bytes of the present file that the kernel has; the buffer follows them.
  uint64_t flushed_ ABSL_GUARDED_BY(mu_) = 0;
  std::string buffer_ ABSL_GUARDED_BY(mu_);
  bool cut_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;

  mutable absl::Mutex growing_mu_;  // never taken while mu_ is held
  mutable std::shared_ptr<const GrowingFile> growing_
      ABSL_GUARDED_BY(growing_mu_);
};

}  // namespace

absl::StatusOr<HeadChunk> HeadChunkCursor::Read(HeadChunkRef ref,
                                                std::string& copy) {
  const uint64_t offset = ref & 0xffffffff;
  if (HeadChunkFileOf(ref) != file_.file || offset >= file_.bytes.size()) {
    file_ = store_.Mapped(ref);
  }
  HeadChunk chunk;
  size_t next = 0;
  if (offset < file_.bytes.size() &&
      ParseEntry(file_.bytes, offset, chunk, next) == Parsed::kChunk) {
    chunk.ref = ref;
    return chunk;
  }
  return store_.Read(ref, copy);  // elsewhere, or damaged, as it will say
}

absl::StatusOr<std::unique_ptr<HeadChunkStore>> HeadChunkStore::Open(
    Env& env, std::string dir, HeadChunkOptions options,
    absl::FunctionRef<void(const HeadChunk&)> visit,
    std::vector<HeadChunkDamage>* damage) {
  auto store = std::make_unique<Store>(env, std::move(dir), options);
  NARTHEX_RETURN_IF_ERROR(store->Load(visit, damage));
  return store;
}

}  // namespace narthex::tsdb
