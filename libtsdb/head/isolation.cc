#include "libtsdb/head/isolation.h"

#include <utility>

namespace narthex::tsdb {

uint64_t Isolation::Begin() {
  absl::MutexLock lock(&mu_);
  return ++last_epoch_;
}

void Isolation::Publish(uint64_t epoch) {
  absl::MutexLock lock(&mu_);
  uint64_t mark = watermark_.load(std::memory_order_relaxed);
  if (epoch != mark + 1) {
    early_.insert(epoch);
    return;
  }
  ++mark;
  while (!early_.empty() && *early_.begin() == mark + 1) {
    early_.erase(early_.begin());
    ++mark;
  }
  watermark_.store(mark, std::memory_order_release);
  UpdateFloor();
}

void Isolation::AwaitBefore(uint64_t epoch) {
  const std::pair<const std::atomic<uint64_t>*, uint64_t> wait{&watermark_,
                                                               epoch - 1};
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(
      +[](const std::pair<const std::atomic<uint64_t>*, uint64_t>* w) {
        return w->first->load(std::memory_order_relaxed) >= w->second;
      },
      &wait));
}

void Isolation::UpdateFloor() {
  floor_.store(readers_.empty() ? watermark_.load(std::memory_order_relaxed)
                                : readers_.begin()->second,
               std::memory_order_release);
}

Isolation::Reader Isolation::OpenReader() {
  absl::MutexLock lock(&mu_);
  Reader reader{next_reader_++, watermark_.load(std::memory_order_relaxed)};
  readers_.emplace(reader.number, reader.watermark);
  UpdateFloor();
  return reader;
}

void Isolation::CloseReader(const Reader& reader) {
  absl::MutexLock lock(&mu_);
  readers_.erase(reader.number);
  UpdateFloor();
}

uint64_t Isolation::NextReader() const {
  absl::MutexLock lock(&mu_);
  return next_reader_;
}

bool Isolation::HasReaderBefore(uint64_t number) const {
  absl::MutexLock lock(&mu_);
  return !readers_.empty() && readers_.begin()->first < number;
}

uint64_t Isolation::OldestReader() const {
  absl::MutexLock lock(&mu_);
  return readers_.empty() ? next_reader_ : readers_.begin()->first;
}

size_t Isolation::readers() const {
  absl::MutexLock lock(&mu_);
  return readers_.size();
}

bool Isolation::WithoutReaders(absl::FunctionRef<void()> body) {
  absl::MutexLock lock(&mu_);
  if (!readers_.empty()) return false;
  body();
  return true;
}

}  // namespace narthex::tsdb
