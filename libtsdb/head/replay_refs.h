// The references of a log that is being replayed, and the series each of them
// means: its own, that of another reference with the same labels (a series that
// was forgotten and made again), or, for a reference that two series share, the
// one whose record came last.
//
// One thread, one replay.

#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "libtsdb/head/head.h"

namespace narthex::tsdb {

class Head::ReplayRefs {
 public:
  // `rules` gets the head's base.
  ReplayRefs(Head& head, StoreRules& rules) : head_(head), rules_(rules) {}

  // kNoId: it can't be.
  SeriesId IdOf(SeriesRef ref) {
    const uint64_t number = static_cast<uint64_t>(ref);
    if (!based_) SetBase(number);
    if (number <= head_.base_ ||
        number - head_.base_ >= SeriesShard::kNoId - 1) {
      return SeriesShard::kNoId;
    }
    return static_cast<SeriesId>(number - head_.base_);
  }
  // References are never given out twice.
  void Pass(SeriesId id) {
    absl::MutexLock lock(&head_.index_mu_);
    head_.next_id_ = std::max(head_.next_id_, id + 1);
  }
  SeriesId next() const {
    absl::MutexLock lock(&head_.index_mu_);
    return head_.next_id_;
  }

  // kNoSlot: no record has named it.
  Slot Find(SeriesId id) const {
    if (id == SeriesShard::kNoId) return kNoSlot;
    const Slot slot = head_.by_id_.Find(id);
    return slot != kNoSlot ? slot : FindAlias(id);
  }
  // The same, for what the log has of it at `t`: so long the log has to name
  // it, also when its series goes by another one.
  Slot Find(SeriesRef ref, int64_t t) {
    const SeriesId id = IdOf(ref);
    const Slot slot =
        id == SeriesShard::kNoId ? kNoSlot : head_.by_id_.Find(id);
    return slot != kNoSlot ? slot : FindAlias(ref, t);
  }
  Slot FindAlias(SeriesRef ref, int64_t t) {
    const Slot slot = FindAlias(IdOf(ref));
    if (slot == kNoSlot) return slot;
    int64_t& until = until_.try_emplace(static_cast<uint64_t>(ref), kMinMillis)
                         .first->second;
    until = std::max(until, t);
    return slot;
  }

  void SetAlias(SeriesId id, Slot slot) { aliases_[id] = slot; }
  void ForgetAliases(Slot slot) {
    absl::erase_if(aliases_, [slot](auto& a) { return a.second == slot; });
  }

  // Hands over to the head what is to be known from here on.
  void Finish() {
    // What only chunks_head still knows is not given out either: at the next
    // replay its chunks would be another series'.
    for (const auto* offered : {&head_.offered_, &head_.offered_late_}) {
      for (const auto& [ref, chunks] : *offered) {
        const SeriesId id = IdOf(SeriesRef{ref});
        if (id != SeriesShard::kNoId) Pass(id);
      }
    }
    {
      absl::MutexLock care(&head_.care_mu_);
      for (const auto& [ref, until] : until_) {
        int64_t& expiry = head_.log_expiries_[ref];
        expiry = std::max(expiry, until);
      }
      for (const auto& [id, slot] : aliases_) {
        head_.late_references_.insert(head_.RefOf(id));
      }
    }
    head_.logged_twice_ = !aliases_.empty();
    // The log of late samples does not say which of two series it means.
    for (const uint64_t ref : head_.options_.shared_refs) {
      aliases_.erase(IdOf(SeriesRef{ref}));
    }
    head_.aliases_ = std::move(aliases_);
  }

 private:
  // Numbers of series count from the first reference in the log less this much,
  // so that one that comes out of order has a number too.
  static constexpr uint64_t kBaseSlack = uint64_t{1} << 30;

  void SetBase(uint64_t number) {
    based_ = true;
    head_.base_ = number > kBaseSlack ? number - kBaseSlack : 0;
    rules_.base = head_.base_;
    if (head_.options_.next_ref == 0) return;
    const SeriesId last = IdOf(SeriesRef{head_.options_.next_ref - 1});
    if (last != SeriesShard::kNoId) Pass(last);
  }
  Slot FindAlias(SeriesId id) const {
    const auto it = aliases_.find(id);
    return it == aliases_.end() ? kNoSlot : it->second;
  }

  Head& head_;
  StoreRules& rules_;
  bool based_ = false;
  absl::flat_hash_map<SeriesId, Slot> aliases_;
  absl::flat_hash_map<uint64_t, int64_t> until_;  // by alias
};

}  // namespace narthex::tsdb
