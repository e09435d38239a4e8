#include "libtsdb/wal/log_ahead.h"

#include <algorithm>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::tsdb::wal {

LogAhead::LogAhead(Env& env, std::vector<SegmentFile> segments,
                   Executor* executor)
    : segments_(segments),
      reader_(env, std::move(segments)),
      ahead_(executor != nullptr && executor->width() > 1 &&
             !segments_.empty()) {
  if (!ahead_) return;
  {
    absl::MutexLock lock(&mu_);
    for (Batch& batch : batches_) {
      batch.items.reserve(kBatchItems);  // records point into their items
      empty_.push_back(&batch);
    }
  }
  executor->RunLong([this] { Produce(); });
}

LogAhead::~LogAhead() {
  if (!ahead_) return;
  absl::MutexLock lock(&mu_);
  stop_ = true;
  mu_.Await(absl::Condition(&finished_));
}

// `keep`: the reader goes on before the record is looked at.
void LogAhead::Fill(Item& item, bool keep) {
  while (segments_[file_].path != reader_.path()) ++file_;
  item.segment = reader_.segment();
  item.file = file_;
  item.offset = reader_.offset();
  item.done = reader_.bytes_read();
  const RecordType type = TypeOf(reader_.record());
  item.decoded = absl::OkStatus();
  item.has_samples =
      type == RecordType::kSamples || type == RecordType::kSamplesV2;
  if (item.has_samples) {
    item.record = {};
    item.decoded = DecodeSamples(reader_.record(), item.samples);
  } else if (keep) {
    item.bytes.assign(reader_.record());
    item.record = item.bytes;
  } else {
    item.record = reader_.record();
  }
}

void LogAhead::Produce() {
  bool more = true;
  while (more) {
    Batch* batch = nullptr;
    {
      absl::MutexLock lock(&mu_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stop_ || !empty_.empty();
      };
      mu_.Await(absl::Condition(&ready));
      if (stop_) break;
      batch = empty_.front();
      empty_.pop_front();
    }
    batch->used = 0;
    const uint64_t begin = reader_.bytes_read();
    while (batch->used < kBatchItems &&
           reader_.bytes_read() - begin < kBatchBytes) {
      if (!reader_.Next()) {
        more = false;
        break;
      }
      if (batch->used == batch->items.size()) batch->items.emplace_back();
      Fill(batch->items[batch->used++], /*keep=*/true);
    }
    absl::MutexLock lock(&mu_);
    full_.push_back(batch);
  }
  absl::MutexLock lock(&mu_);
  finished_ = true;
}

const LogAhead::Item* LogAhead::NextOfBatches() {
  while (current_ == nullptr || at_ == current_->used) {
    absl::MutexLock lock(&mu_);
    if (current_ != nullptr) empty_.push_back(current_);
    current_ = nullptr;
    const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return finished_ || !full_.empty();
    };
    mu_.Await(absl::Condition(&ready));
    if (full_.empty()) return nullptr;
    current_ = full_.front();
    full_.pop_front();
    at_ = 0;
  }
  return &current_->items[at_++];
}

const LogAhead::Item* LogAhead::Next() {
  item_ = nullptr;
  if (!ahead_) {
    if (!reader_.Next()) return nullptr;
    Fill(single_, /*keep=*/false);
    return item_ = &single_;
  }
  do {
    item_ = NextOfBatches();
  } while (item_ != nullptr && item_->file == rejected_file_);
  return item_;
}

void LogAhead::Reject(const absl::Status& why) {
  if (item_ == nullptr) return;
  if (!ahead_) {
    reader_.Reject(why);
    return;
  }
  rejected_file_ = item_->file;
  rejected_.push_back({segments_[item_->file].path, item_->segment,
                       item_->offset, /*torn=*/false, /*records_follow=*/false,
                       std::string(Message(why))});
}

std::string_view LogAhead::path() const {
  return item_ == nullptr ? std::string_view() : segments_[item_->file].path;
}

// What lies behind a rejected record is part of its damage.
std::vector<Damage> LogAhead::TakeDamages() {
  std::vector<Damage> all = reader_.damages();
  for (Damage& rejected : rejected_) {
    std::erase_if(all, [&](const Damage& damage) {
      return damage.path == rejected.path && damage.offset > rejected.offset;
    });
    const auto behind =
        std::find_if(all.begin(), all.end(), [&](const Damage& damage) {
          return damage.segment > rejected.segment;
        });
    all.insert(behind, std::move(rejected));
  }
  rejected_.clear();
  return all;
}

}  // namespace narthex::tsdb::wal
