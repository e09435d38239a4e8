#include "libtsdb/head/series_map.h"

namespace narthex::tsdb {

Slot SlotsById::Find(SeriesId id) const {
  absl::ReaderMutexLock lock(&mu_);
  return FindLocked(id);
}

void SlotsById::FindAll(std::span<const SeriesRef> refs, uint64_t base,
                        Slot* slots) const {
  absl::ReaderMutexLock lock(&mu_);
  // Those of a scrape lie in the same page, one after the other.
  uint64_t number = ~uint64_t{0};
  const Page* page = nullptr;
  for (size_t i = 0; i < refs.size(); ++i) {
    const uint64_t id = static_cast<uint64_t>(refs[i]) - base;
    if (id >> kPageBits != number) {
      number = id >> kPageBits;
      page = number < pages_.size() ? pages_[number].get() : nullptr;
    }
    slots[i] = page != nullptr ? page->slots[id & (kPageSize - 1)] : kNoSlot;
  }
}

void SlotsById::FindAll(std::span<const SeriesId> ids, Slot* slots) const {
  absl::ReaderMutexLock lock(&mu_);
  for (size_t i = 0; i < ids.size(); ++i) slots[i] = FindLocked(ids[i]);
}

void SlotsById::Set(SeriesId id, Slot slot) {
  absl::MutexLock lock(&mu_);
  const uint32_t page = id >> kPageBits;
  if (page >= pages_.size()) pages_.resize(page + 1);
  if (pages_[page] == nullptr) {
    pages_[page] = std::make_unique<Page>();
    pages_[page]->slots.fill(kNoSlot);
  }
  Slot& at = pages_[page]->slots[id & (kPageSize - 1)];
  if (at == kNoSlot) ++pages_[page]->used;
  at = slot;
}

void SlotsById::Erase(SeriesId id) {
  absl::MutexLock lock(&mu_);
  const uint32_t page = id >> kPageBits;
  if (page >= pages_.size() || pages_[page] == nullptr) return;
  Slot& at = pages_[page]->slots[id & (kPageSize - 1)];
  if (at == kNoSlot) return;
  at = kNoSlot;
  if (--pages_[page]->used == 0) pages_[page] = nullptr;
}

size_t SlotsById::bytes() const {
  absl::ReaderMutexLock lock(&mu_);
  size_t n = pages_.capacity() * sizeof(pages_[0]);
  for (const std::unique_ptr<Page>& page : pages_) {
    if (page != nullptr) n += sizeof(Page);
  }
  return n;
}

Slot SlotsByHash::Stripe::Find(uint64_t hash,
                               absl::FunctionRef<bool(Slot)> is) const {
  if (entries_.empty()) return kNoSlot;
  const uint32_t upper = static_cast<uint32_t>(hash >> 32);
  for (size_t i = Place(upper);; i = After(i)) {
    const Entry& entry = entries_[i];
    if (entry.slot == kNoSlot) return kNoSlot;
    if (entry.hash == upper && entry.slot != kErased && is(entry.slot)) {
      return entry.slot;
    }
  }
}

void SlotsByHash::Stripe::Add(uint64_t hash, Slot slot) {
  if ((used_ + 1) * 5 > entries_.size() * 4) Grow();
  const uint32_t upper = static_cast<uint32_t>(hash >> 32);
  size_t i = Place(upper);
  while (entries_[i].slot != kNoSlot && entries_[i].slot != kErased) {
    i = After(i);
  }
  if (entries_[i].slot == kNoSlot) ++used_;
  entries_[i] = {slot, upper};
  ++series_;
}

void SlotsByHash::Stripe::Erase(uint64_t hash, Slot slot) {
  if (entries_.empty()) return;
  const uint32_t upper = static_cast<uint32_t>(hash >> 32);
  for (size_t i = Place(upper); entries_[i].slot != kNoSlot; i = After(i)) {
    if (entries_[i].slot == slot) {
      entries_[i].slot = kErased;
      --series_;
      return;
    }
  }
}

void SlotsByHash::Stripe::Grow() {
  std::vector<Entry> old(16 + series_ / 3 * 5);  // six tenths full at most
  old.swap(entries_);
  used_ = series_;
  for (const Entry& entry : old) {
    if (entry.slot == kNoSlot || entry.slot == kErased) continue;
    size_t i = Place(entry.hash);
    while (entries_[i].slot != kNoSlot) i = After(i);
    entries_[i] = entry;
  }
}

size_t SlotsByHash::bytes() {
  size_t n = 0;
  for (Stripe& stripe : stripes_) {
    absl::ReaderMutexLock lock(&stripe.mu);
    n += stripe.bytes();
  }
  return n;
}

}  // namespace narthex::tsdb
