#include "libtsdb/head/exemplar_ring.h"

#include <algorithm>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// OpenMetrics: of all names and values together.
constexpr size_t kMaxLabelRunes = 128;

size_t Runes(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

bool LabelsTooLong(const Labels& labels) {
  size_t n = 0;
  for (const Label& label : labels) n += Runes(label.name) + Runes(label.value);
  return n > kMaxLabelRunes;
}

// One without a time of its own has that of its scrape: the next scrape shows
// the same one.
bool SameExemplar(const Exemplar& a, const Exemplar& b) {
  if (a.labels != b.labels || a.value != b.value) return false;
  return (!a.has_timestamp && !b.has_timestamp) || a.t == b.t;
}

bool MatchesAny(const Labels& labels, std::span<const Matchers> selectors) {
  return std::any_of(
      selectors.begin(), selectors.end(), [&](const Matchers& all) {
        return std::all_of(all.begin(), all.end(), [&](const auto& matcher) {
          return matcher->Matches(labels.Get(matcher->name()));
        });
      });
}

}  // namespace

ExemplarRing::ExemplarRing(size_t capacity, MetricRegistry& r)
    : appended_(
          r.NewCounter("prometheus_tsdb_exemplar_exemplars_appended_total",
                       "Total number of appended exemplars.")),
      out_of_order_(r.NewCounter(
          "prometheus_tsdb_exemplar_out_of_order_exemplars_total",
          "Total number of out of order exemplar ingestion failed attempts.")),
      in_storage_(
          r.NewGauge("prometheus_tsdb_exemplar_exemplars_in_storage",
                     "Number of exemplars currently in circular storage.")),
      series_in_storage_(r.NewGauge(
          "prometheus_tsdb_exemplar_series_with_exemplars_in_storage",
          "Number of series with exemplars currently in circular storage.")),
      oldest_(r.NewGauge(
          "prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds",
          "The timestamp of the oldest exemplar stored in circular storage.")),
      max_(r.NewGauge("prometheus_tsdb_exemplar_max_exemplars",
                      "Total number of exemplars the exemplar storage can "
                      "store, resizeable.")),
      ring_(capacity) {
  max_.Set(static_cast<double>(capacity));
}

bool ExemplarRing::enabled() const {
  absl::ReaderMutexLock lock(&mu_);
  return !ring_.empty();
}

void ExemplarRing::SetWindow(int64_t window) {
  absl::MutexLock lock(&mu_);
  window_ = std::max<int64_t>(window, 0);
}

const ExemplarRing::Chain* ExemplarRing::Find(const Labels& series) const {
  const auto it = chains_.find(series.packed());
  return it == chains_.end() ? nullptr : &it->second;
}

// Of equal times the greater value counts as the later one, then the greater
// hash of the labels: so the exemplars of all buckets of a histogram go in, and
// those that are there already are told without a look at all of them.
Appended ExemplarRing::Judge(const Chain* chain, const Exemplar& e,
                             bool& same) const {
  same = false;
  if (LabelsTooLong(e.labels)) return Appended::kInvalid;
  if (chain == nullptr) return Appended::kStored;
  const Exemplar& newest = ring_[chain->slots.back()].exemplar;
  if (SameExemplar(newest, e)) {
    same = true;
    return Appended::kStored;
  }
  const bool late =
      e.t < newest.t && e.t.ms <= SaturatingSub(newest.t.ms, window_);
  const bool before =
      e.t == newest.t &&
      (e.value < newest.value ||
       (e.value == newest.value && e.labels.Hash() < newest.labels.Hash()));
  return late || before ? Appended::kOutOfOrder : Appended::kStored;
}

Appended ExemplarRing::Check(const Labels& series, const Exemplar& e,
                             bool* same) const {
  absl::ReaderMutexLock lock(&mu_);
  if (ring_.empty()) return Appended::kStored;
  bool found = false;
  const Appended outcome = Judge(Find(series), e, found);
  if (same != nullptr) *same = found;
  return outcome;
}

Appended ExemplarRing::Add(const Labels& series, const Exemplar& e) {
  absl::MutexLock lock(&mu_);
  if (ring_.empty()) return Appended::kStored;
  bool same;
  const Chain* const chain = Find(series);
  const Appended outcome = Judge(chain, e, same);
  if (outcome == Appended::kOutOfOrder) out_of_order_.Inc();
  if (outcome != Appended::kStored || same) return outcome;
  if (chain != nullptr && e.t < ring_[chain->slots.back()].exemplar.t) {
    // A late one: of its time there is one as a rule, which it would repeat.
    const bool there = std::any_of(chain->slots.begin(), chain->slots.end(),
                                   [&e, ring = ring_.data()](uint32_t slot) {
                                     return ring[slot].exemplar.t == e.t;
                                   });
    if (there) return outcome;
  }
  Put(series, e);
  appended_.Inc();
  Report();
  return outcome;
}

void ExemplarRing::Put(const Labels& series, Exemplar exemplar) {
  Free(next_);
  Chain& chain = chains_[series.packed()];
  if (chain.slots.empty()) chain.series = series;
  const auto at =
      std::upper_bound(chain.slots.begin(), chain.slots.end(), exemplar.t,
                       [ring = ring_.data()](Timestamp t, uint32_t slot) {
                         return t < ring[slot].exemplar.t;
                       });
  chain.slots.insert(at, next_);
  ring_[next_] = {std::move(exemplar), &chain};
  ++used_;
  next_ = next_ + 1 == ring_.size() ? 0 : next_ + 1;
}

void ExemplarRing::Free(uint32_t slot) {
  Chain* const chain = ring_[slot].chain;
  if (chain == nullptr) return;
  chain->slots.erase(std::find(chain->slots.begin(), chain->slots.end(), slot));
  ring_[slot] = {};
  --used_;
  if (chain->slots.empty()) chains_.erase(std::string(chain->series.packed()));
}

void ExemplarRing::Report() {
  in_storage_.Set(static_cast<double>(used_));
  series_in_storage_.Set(static_cast<double>(chains_.size()));
  // Full: what is to be overwritten next is the oldest.
  const Slot& oldest =
      used_ == ring_.size() && used_ != 0 ? ring_[next_] : ring_.front();
  if (used_ != 0) {
    oldest_.Set(static_cast<double>(oldest.exemplar.t.ms) / 1000);
  }
}

void ExemplarRing::Resize(size_t capacity) {
  absl::MutexLock lock(&mu_);
  if (capacity == ring_.size()) return;
  std::vector<std::pair<Labels, Exemplar>> kept;
  for (size_t i = 0; i < ring_.size(); ++i) {
    const Slot& slot = ring_[(next_ + i) % ring_.size()];
    if (slot.chain != nullptr) {
      kept.emplace_back(slot.chain->series, slot.exemplar);
    }
  }
  chains_.clear();
  ring_ = std::vector<Slot>(capacity);
  next_ = 0;
  used_ = 0;
  max_.Set(static_cast<double>(capacity));
  const size_t skip = kept.size() > capacity ? kept.size() - capacity : 0;
  for (size_t i = skip; i < kept.size(); ++i) {
    Put(kept[i].first, std::move(kept[i].second));
  }
  if (capacity != 0) Report();
}

void ExemplarRing::Select(std::span<const Matchers> selectors, TimeRange range,
                          std::vector<ExemplarSeries>& out) const {
  absl::ReaderMutexLock lock(&mu_);
  const size_t before = out.size();
  for (const auto& [packed, chain] : chains_) {
    if (ring_[chain.slots.front()].exemplar.t > range.max ||
        ring_[chain.slots.back()].exemplar.t < range.min ||
        !MatchesAny(chain.series, selectors)) {
      continue;
    }
    ExemplarSeries found;
    for (const uint32_t slot : chain.slots) {
      const Exemplar& e = ring_[slot].exemplar;
      if (range.Contains(e.t)) found.exemplars.push_back(e);
    }
    if (found.exemplars.empty()) continue;
    found.labels = chain.series;
    out.push_back(std::move(found));
  }
  std::sort(out.begin() + static_cast<ptrdiff_t>(before), out.end(),
            [](const ExemplarSeries& a, const ExemplarSeries& b) {
              return a.labels < b.labels;
            });
}

void ExemplarRing::Visit(
    absl::FunctionRef<void(const Labels& series, const Exemplar&)> visit)
    const {
  absl::ReaderMutexLock lock(&mu_);
  for (size_t i = 0; i < ring_.size(); ++i) {
    const Slot& slot = ring_[(next_ + i) % ring_.size()];
    if (slot.chain != nullptr) visit(slot.chain->series, slot.exemplar);
  }
}

}  // namespace narthex::tsdb
