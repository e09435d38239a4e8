#include "libtsdb/head/isolation.h"

namespace narthex::tsdb {

uint64_t Isolation::Begin() {
  absl::MutexLock lock(&mu_);
  return ++last_epoch_;
}

void Isolation::Done::Add(uint64_t epoch) {
  if (epoch != mark_ + 1) {
    early_.insert(epoch);
    return;
  }
  ++mark_;
  while (!early_.empty() && *early_.begin() == mark_ + 1) {
    early_.erase(early_.begin());
    ++mark_;
  }
}

void Isolation::Publish(uint64_t epoch) {
  absl::MutexLock lock(&mu_);
  if (!logged_.Has(epoch)) logged_.Add(epoch);
  published_.Add(epoch);
  watermark_.store(published_.mark(), std::memory_order_release);
  UpdateFloor();
}

void Isolation::MarkLogged(uint64_t epoch) {
  absl::MutexLock lock(&mu_);
  logged_.Add(epoch);
}

void Isolation::AwaitLogged(uint64_t epoch) {
  struct Wait {
    const Done& logged;
    uint64_t before;
  };
  absl::MutexLock lock(&mu_);
  Wait wait{logged_, epoch - 1};
  mu_.Await(absl::Condition(
      +[](Wait* w) { return w->logged.mark() >= w->before; }, &wait));
}

void Isolation::UpdateFloor() {
  floor_.store(readers_.empty() ? watermark_.load(std::memory_order_relaxed)
                                : readers_.begin()->second,
               std::memory_order_release);
}

Isolation::Reader Isolation::OpenReader() {
  absl::MutexLock lock(&mu_);
  if (published_.mark() < published_.last()) {
    struct Wait {
      const Done& published;
      uint64_t last;
    };
    Wait wait{published_, published_.last()};
    mu_.Await(absl::Condition(
        +[](Wait* w) { return w->published.mark() >= w->last; }, &wait));
  }
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

uint64_t Isolation::LastBegun() const {
  absl::MutexLock lock(&mu_);
  return last_epoch_;
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
