#include "narthex/instrument/metrics.h"

#include <algorithm>
#include <cmath>

#include "narthex/base/status.h"

namespace narthex::instrument {
namespace {

constexpr size_t kMaxExemplarCharacters = 128;
// Beyond it, whole numbers are no longer exact in a double.
constexpr double kMaxWhole = 9007199254740992.0;

size_t Characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(),
      [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void AddTo(std::atomic<double>& sum, double by) {
  double was = sum.load(std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(was, was + by, std::memory_order_relaxed)) {
  }
}

}  // namespace

size_t ShardOfThread(size_t shards) {
  static std::atomic<size_t> threads{0};
  thread_local const size_t mine =
      threads.fetch_add(1, std::memory_order_relaxed);
  return mine & (shards - 1);
}

Exemplar MetricBase::MakeExemplar(const Labels& labels, double value) const {
  Exemplar exemplar;
  size_t characters = 0;
  for (const Label& label : labels) {
    characters += Characters(label.name) + Characters(label.value);
  }
  if (characters <= kMaxExemplarCharacters) exemplar.labels = labels;
  exemplar.value = value;
  exemplar.t = clock_->Now();
  exemplar.has_timestamp = true;
  return exemplar;
}

void Counter::Inc(double by) {
  if (!(by >= 0)) return;
  Cell& cell = cells_[ShardOfThread(cells_.size())];
  const auto whole = static_cast<uint64_t>(std::min(by, kMaxWhole));
  if (static_cast<double>(whole) == by) {
    cell.whole.fetch_add(whole, std::memory_order_relaxed);
  } else {
    AddTo(cell.rest, by);
  }
  Touch();
}

void Counter::Inc(double by, const Labels& exemplar) {
  if (!(by >= 0)) return;
  Inc(by);
  Exemplar made = MakeExemplar(exemplar, by);
  absl::MutexLock lock(&mu_);
  exemplar_ = std::move(made);
}

double Counter::value() const {
  double sum = 0;
  for (const Cell& cell : cells_) {
    sum += static_cast<double>(cell.whole.load(std::memory_order_relaxed)) +
           cell.rest.load(std::memory_order_relaxed);
  }
  return sum;
}

void Counter::Fill(Metric& out) const {
  out.value = value();
  out.created = created();
  absl::MutexLock lock(&mu_);
  out.exemplar = exemplar_;
}

void Gauge::Inc(double by) {
  AddTo(value_, by);
  Touch();
}

void Gauge::SetToCurrentTime() {
  Set(static_cast<double>(clock_->Now().ms) / 1000);
}

void Gauge::Fill(Metric& out) const { out.value = value(); }

std::vector<double> DefaultBounds() {
  return {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
}

std::vector<double> LinearBounds(double start, double width, size_t count) {
  std::vector<double> bounds(count);
  for (double& bound : bounds) {
    bound = start;
    start += width;
  }
  return bounds;
}

std::vector<double> ExponentialBounds(double start, double factor,
                                      size_t count) {
  std::vector<double> bounds(count);
  for (double& bound : bounds) {
    bound = start;
    start *= factor;
  }
  return bounds;
}

}  // namespace narthex::instrument
