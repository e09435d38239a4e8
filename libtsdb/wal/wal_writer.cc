#include "libtsdb/wal/wal_writer.h"

#include <algorithm>

#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

// What may lie in memory until it is synced.
constexpr size_t kMostUnsynced = size_t{32} << 20;

}  // namespace

void RecordBatch::Add(std::string_view record, Compression compression) {
  uint8_t flags = 0;
  if (compression == Compression::kSnappy) flags = kSnappyFlag;
  if (compression == Compression::kZstd) flags = kZstdFlag;
  if (flags != 0) {
    Compress(compression, record, scratch_);
    if (scratch_.size() < record.size() && !scratch_.empty()) {
      AddPacked(scratch_, flags);
      return;
    }
  }
  AddPacked(record, 0);
}

void RecordBatch::AddPacked(std::string_view packed, uint8_t flags) {
  bytes_ += packed;
  records_.push_back({packed.size(), flags});
}

void RecordBatch::AddAll(const RecordBatch& other) {
  bytes_ += other.bytes_;
  records_.insert(records_.end(), other.records_.begin(), other.records_.end());
  if (other.times_.has_value()) Cover(*other.times_);
}

void RecordBatch::Cover(TimeRange range) {
  if (times_.has_value()) {
    range.min = std::min(range.min, times_->min);
    range.max = std::max(range.max, times_->max);
  }
  times_ = range;
}

void RecordBatch::Clear() {
  bytes_.clear();
  records_.clear();
  times_.reset();
}

void SegmentTimes::Cover(uint32_t segment, TimeRange range) {
  absl::MutexLock lock(&mu_);
  std::optional<TimeRange>& known = segments_[segment].range;
  if (known.has_value()) {
    range.min = std::min(range.min, known->min);
    range.max = std::max(range.max, known->max);
  }
  known = range;
}

void SegmentTimes::MarkComplete(uint32_t segment) {
  absl::MutexLock lock(&mu_);
  segments_[segment].complete = true;
}

bool SegmentTimes::WhollyBefore(uint32_t segment, Timestamp t) const {
  absl::MutexLock lock(&mu_);
  const auto it = segments_.find(segment);
  if (it == segments_.end() || !it->second.complete) return false;
  return !it->second.range.has_value() || it->second.range->max < t;
}

void SegmentTimes::ForgetBelow(uint32_t segment) {
  absl::MutexLock lock(&mu_);
  segments_.erase(segments_.begin(), segments_.lower_bound(segment));
}

struct WalWriter::Waiter {
  const RecordBatch& batch;
  absl::FunctionRef<void()> in_order;
  absl::Status status = absl::OkStatus();
  bool done = false;
};

WalWriter::WalWriter(Env& env, std::string dir, const WalOptions& options)
    : env_(env), dir_(std::move(dir)), options_(options) {}

absl::StatusOr<std::unique_ptr<WalWriter>> WalWriter::Open(
    Env& env, std::string dir, const WalOptions& options) {
  if (options.segment_size == 0 || options.segment_size % kPageSize != 0) {
    return InvalidArgument(StrCat("WAL segment size ", options.segment_size,
                                  " is not a multiple of ", kPageSize));
  }
  if (!env.Exists(dir)) {
    NARTHEX_RETURN_IF_ERROR(env.MakeDirs(dir));
    // A synced commit is worth nothing in a directory that a crash forgets.
    NARTHEX_RETURN_IF_ERROR(env.SyncDir(std::string(DirName(dir))));
  }
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments,
                           ListSegments(env, dir));
  std::unique_ptr<WalWriter> writer(
      new WalWriter(env, std::move(dir), options));
  absl::MutexLock lock(&writer->file_mu_);
  if (!segments.empty()) writer->segment_ = segments.back().number;
  NARTHEX_RETURN_IF_ERROR(
      writer->OpenSegment(segments.empty() ? 0 : segments.back().number + 1));
  return writer;
}

WalWriter::~WalWriter() { Close().IgnoreError(); }

absl::Status WalWriter::OpenSegment(uint32_t number) {
  NARTHEX_ASSIGN_OR_RETURN(
      std::unique_ptr<WritableFile> file,
      env_.OpenWritable(SegmentPath(dir_, number), Env::WriteMode::kCreateNew));
  if (absl::Status status = env_.SyncDir(dir_); !status.ok()) {
    // The next attempt makes it again.
    env_.Remove(SegmentPath(dir_, number)).IgnoreError();
    return status;
  }
  file_ = std::move(file);
  segment_ = number;
  written_ = 0;
  must_switch_ = false;
  times_.MarkComplete(number);
  return absl::OkStatus();
}

absl::Status WalWriter::Log(const RecordBatch& batch,
                            absl::FunctionRef<void()> in_order) {
  Waiter waiter{batch, in_order};
  std::vector<Waiter*> group;
  {
    absl::MutexLock lock(&queue_mu_);
    queue_.push_back(&waiter);
    while (writing_ && !waiter.done) turn_.Wait(&queue_mu_);
    if (waiter.done) return waiter.status;
    writing_ = true;
    group.swap(queue_);
  }
  {
    absl::MutexLock lock(&file_mu_);
    WriteGroup(group);
  }
  absl::MutexLock lock(&queue_mu_);
  writing_ = false;
  for (Waiter* one : group) one->done = true;
  turn_.SignalAll();
  return waiter.status;
}

void WalWriter::WriteGroup(const std::vector<Waiter*>& group) {
  size_t flushed = 0;  // waiters whose bytes have reached the kernel
  const auto flush_up_to = [&](size_t end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const absl::Status status = Flush();
    for (; flushed < end; ++flushed) {
      Waiter& waiter = *group[flushed];
      waiter.status = status;
      if (!status.ok()) continue;
      ++logged_;
      if (options_.keep_unsynced) unsynced_.AddAll(waiter.batch);
      if (waiter.batch.times_.has_value()) {
        times_.Cover(segment_, *waiter.batch.times_);
      }
      waiter.in_order();
    }
  };
  for (size_t i = 0; i < group.size(); ++i) {
    const RecordBatch& batch = group[i]->batch;
    const bool full = options_.keep_unsynced &&
                      unsynced_.bytes() + buffer_.size() > kMostUnsynced;
    absl::Status ready = absl::OkStatus();
    if (closed_ || must_switch_ || full || !Fits(batch)) {
      flush_up_to(i);
      ready = Admit(batch);
    }
    if (!ready.ok()) {
      group[i]->status = std::move(ready);
      flushed = i + 1;
      continue;
    }
    FrameAll(batch);
  }
  flush_up_to(group.size());
}

// Makes room for the batch; nothing waits to be flushed.
absl::Status WalWriter::Admit(const RecordBatch& batch) {
  if (closed_) return FailedPrecondition("the WAL is closed");
  if (options_.keep_unsynced && unsynced_.bytes() > kMostUnsynced) {
    NARTHEX_RETURN_IF_ERROR(SyncHere());
  }
  // A batch lies in one segment, so that it can be taken back as a whole.
  return must_switch_ || !Fits(batch) ? NextSegment() : absl::OkStatus();
}

void WalWriter::FrameAll(const RecordBatch& batch) {
  const char* p = batch.bytes_.data();
  for (const RecordBatch::Packed& record : batch.records_) {
    Frame({p, record.size}, record.flags);
    p += record.size;
  }
}

bool WalWriter::Fits(const RecordBatch& batch) const {
  const uint64_t at = written_ + buffer_.size();
  if (at == 0) return true;  // too large for any segment: alone in one
  // At most: a header for each record, and for each page that it begins; the
  // ends of pages that are too short for one.
  const uint64_t pages = batch.bytes_.size() / (kPageSize - kHeaderSize) + 1;
  const uint64_t need =
      batch.bytes_.size() + (batch.records_.size() + 2 * pages) * kHeaderSize;
  return at + need <= options_.segment_size;
}

void WalWriter::Frame(std::string_view record, uint8_t flags) {
  bool first = true;
  do {
    const size_t page_left =
        kPageSize -
        static_cast<size_t>((written_ + buffer_.size()) % kPageSize);
    const size_t n = std::min(record.size(), page_left - kHeaderSize);
    const bool last = n == record.size();
    const Fragment fragment = first  ? last ? Fragment::kFull : Fragment::kFirst
                              : last ? Fragment::kLast
                                     : Fragment::kMiddle;
    const std::string_view part = record.substr(0, n);
    char header[kHeaderSize];
    header[0] = static_cast<char>(static_cast<uint8_t>(fragment) | flags);
    StoreBE16(header + 1, static_cast<uint16_t>(n));
    StoreBE32(header + 3, Crc32c(part));
    buffer_.append(header, kHeaderSize);
    buffer_ += part;
    record.remove_prefix(n);
    first = false;
    const size_t left = page_left - kHeaderSize - n;
    if (left < kHeaderSize) buffer_.append(left, '\0');
  } while (!record.empty());
}

absl::Status WalWriter::Flush() {
  if (buffer_.empty()) return absl::OkStatus();
  const uint64_t begin = written_;
  absl::Status status = file_->Append(buffer_);
  if (status.ok()) {
    written_ += buffer_.size();
    total_ += buffer_.size();
  } else {
    UndoTo(begin);
  }
  buffer_.clear();
  constexpr size_t kKeep = 4 << 20;
  if (buffer_.capacity() > kKeep) buffer_.shrink_to_fit();
  return status;
}

// Takes back what a failed write left; if that fails as well, the segment is
// not written to any more: its torn end is dropped by whoever reads it.
void WalWriter::UndoTo(uint64_t offset) {
  if (!file_->Truncate(offset).ok()) must_switch_ = true;
  narthex::Log(
      options_.logger, LogLevel::kError,
      must_switch_ ? "WAL write failed, segment is sealed"
                   : "WAL write failed and was taken back",
      {{"file", SegmentPath(dir_, segment_)}, {"offset", StrCat(offset)}});
}

absl::Status WalWriter::NextSegment() {
  if (options_.keep_unsynced) {
    file_mu_.Await(absl::Condition(
        +[](bool* flying) { return !*flying; }, &flying_));
    if (!again_ && !unsynced_.empty()) {
      if (const absl::Status status = file_->Sync(); status.ok()) {
        unsynced_.Clear();
      } else {
        SyncFailed(status);
      }
    }
  }
  std::shared_ptr<WritableFile> old = std::move(file_);
  const uint32_t old_number = segment_;
  const uint64_t old_written = written_;
  const bool old_must_switch = must_switch_;
  absl::Status status = OpenSegment(segment_ + 1);
  if (!status.ok()) {
    file_ = std::move(old);
    segment_ = old_number;
    written_ = old_written;
    must_switch_ = old_must_switch;
    return status;
  }
  const size_t rest = static_cast<size_t>(old_written % kPageSize);
  if (rest != 0 && !old_must_switch) {
    // Readers do without; Prometheus has it.
    old->Append(std::string(kPageSize - rest, '\0')).IgnoreError();
  }
  SealInBackground(std::move(old), SegmentPath(dir_, old_number));
  return again_ ? LogAgain() : absl::OkStatus();
}

// Into a segment that has nothing else yet.
absl::Status WalWriter::LogAgain() {
  FrameAll(unsynced_);
  NARTHEX_RETURN_IF_ERROR(Flush());
  if (unsynced_.times_.has_value()) {
    times_.Cover(segment_, *unsynced_.times_);
  }
  again_ = false;
  narthex::Log(options_.logger, LogLevel::kWarn,
               "what could not be synced was logged again",
               {{"file", SegmentPath(dir_, segment_)}});
  return absl::OkStatus();
}

void WalWriter::SealInBackground(std::shared_ptr<WritableFile> file,
                                 const std::string& path) {
  {
    absl::MutexLock lock(&seal_mu_);
    ++sealing_;
  }
  auto job = [this, path, file = std::move(file)]() mutable {
    // With keep_unsynced it has been synced, or lies in the next one as well.
    absl::Status status =
        options_.keep_unsynced ? absl::OkStatus() : file->Sync();
    const absl::Status closed = file->Close();
    if (status.ok()) status = closed;
    if (!status.ok()) {
      narthex::Log(options_.logger, LogLevel::kError, "Sync of a WAL segment",
                   {{"file", path}, {"err", Message(status)}});
    }
    absl::MutexLock lock(&seal_mu_);
    if (seal_error_.ok()) seal_error_ = std::move(status);
    --sealing_;
    sealed_.SignalAll();
  };
  if (options_.executor != nullptr) {
    options_.executor->RunLong(std::move(job));
  } else {
    job();
  }
}

absl::Status WalWriter::Sync() {
  uint64_t up_to;
  {
    absl::MutexLock lock(&file_mu_);
    if (closed_) return FailedPrecondition("the WAL is closed");
    up_to = logged_;
  }
  absl::MutexLock lock(&sync_mu_);
  const uint64_t before = rounds_;
  while (true) {
    if (synced_ >= up_to) return absl::OkStatus();
    if (!syncing_) {
      // A round that began after the call covers it.
      if (rounds_ > before) return sync_error_;
      break;
    }
    sync_done_.Wait(&sync_mu_);
  }
  syncing_ = true;
  ++rounds_;
  sync_mu_.Unlock();
  const absl::StatusOr<uint64_t> done = SyncOnce();
  sync_mu_.Lock();
  syncing_ = false;
  if (done.ok()) synced_ = *done;
  sync_error_ = done.status();
  sync_done_.SignalAll();
  return sync_error_;
}

// How many batches are durable.
absl::StatusOr<uint64_t> WalWriter::SyncOnce() {
  std::shared_ptr<WritableFile> file;
  uint64_t up_to;
  {
    absl::MutexLock lock(&file_mu_);
    if (closed_) return FailedPrecondition("the WAL is closed");
    if (again_) NARTHEX_RETURN_IF_ERROR(NextSegment());
    {
      // What lies in segments that are being sealed counts as well.
      absl::MutexLock seal_lock(&seal_mu_);
      while (sealing_ != 0) sealed_.Wait(&seal_mu_);
      if (!seal_error_.ok()) return seal_error_;
    }
    file = file_;
    up_to = logged_;
    std::swap(in_flight_, unsynced_);
    flying_ = true;
  }
  absl::Status status = file->Sync();
  absl::MutexLock lock(&file_mu_);
  flying_ = false;
  if (status.ok()) {
    in_flight_.Clear();
    return up_to;
  }
  in_flight_.AddAll(unsynced_);
  std::swap(in_flight_, unsynced_);
  in_flight_.Clear();
  SyncFailed(status);
  if (!options_.keep_unsynced) return status;
  NARTHEX_RETURN_IF_ERROR(SyncHere());
  return logged_;
}

absl::Status WalWriter::SyncHere() {
  file_mu_.Await(absl::Condition(
      +[](bool* flying) { return !*flying; }, &flying_));
  if (!again_) {
    const absl::Status status = file_->Sync();
    if (status.ok()) {
      unsynced_.Clear();
      return absl::OkStatus();
    }
    SyncFailed(status);
  }
  NARTHEX_RETURN_IF_ERROR(NextSegment());
  const absl::Status status = file_->Sync();
  if (status.ok()) {
    unsynced_.Clear();
  } else {
    SyncFailed(status);
  }
  return status;
}

// The kernel may have dropped what it could not write, and say so only once:
// the segment is never trusted again.
void WalWriter::SyncFailed(const absl::Status& status) {
  must_switch_ = true;
  again_ = options_.keep_unsynced;
  narthex::Log(
      options_.logger, LogLevel::kError, "Sync of a WAL segment",
      {{"file", SegmentPath(dir_, segment_)}, {"err", Message(status)}});
  if (options_.keep_unsynced) return;
  absl::MutexLock lock(&seal_mu_);
  if (seal_error_.ok()) seal_error_ = status;
}

absl::StatusOr<uint32_t> WalWriter::Cut() {
  absl::MutexLock lock(&file_mu_);
  if (closed_) return FailedPrecondition("the WAL is closed");
  NARTHEX_RETURN_IF_ERROR(NextSegment());
  return segment_;
}

absl::Status WalWriter::Close() {
  absl::Status status;
  {
    absl::MutexLock lock(&file_mu_);
    if (closed_) return absl::OkStatus();
    if (file_ != nullptr && options_.keep_unsynced) status = SyncHere();
    closed_ = true;
    if (file_ != nullptr) {
      if (!options_.keep_unsynced) status = file_->Sync();
      const absl::Status closed = file_->Close();
      if (status.ok()) status = closed;
      file_.reset();
    }
  }
  absl::MutexLock lock(&seal_mu_);
  while (sealing_ != 0) sealed_.Wait(&seal_mu_);
  return status.ok() ? seal_error_ : status;
}

uint32_t WalWriter::segment() const {
  absl::MutexLock lock(&file_mu_);
  return segment_;
}

uint64_t WalWriter::bytes_written() const {
  absl::MutexLock lock(&file_mu_);
  return total_;
}

}  // namespace narthex::tsdb::wal
