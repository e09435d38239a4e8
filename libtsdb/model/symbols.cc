#include "libtsdb/model/symbols.h"

#include <algorithm>
#include <bit>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace narthex {

SymbolId ValueOf(LabelRow row, SymbolId name) {
  for (const LabelPair& pair : row) {
    if (pair.name == name) return pair.value;
  }
  return 0;
}

std::strong_ordering CompareRows(const Symbols& symbols, LabelRow a,
                                 LabelRow b) {
  const size_t n = std::min(a.size(), b.size());
  for (size_t i = 0; i < n; ++i) {
    if (a[i].name != b[i].name) {
      const auto order =
          symbols.Text(a[i].name).compare(symbols.Text(b[i].name)) <=> 0;
      if (order != 0) return order;
    }
    if (a[i].value != b[i].value) {
      const auto order =
          symbols.Text(a[i].value).compare(symbols.Text(b[i].value)) <=> 0;
      if (order != 0) return order;
    }
  }
  return a.size() <=> b.size();
}

Labels ToLabels(const Symbols& symbols, LabelRow row) {
  constexpr size_t kUsual = 32;
  std::array<Label, kUsual> usual;
  std::vector<Label> many;
  Label* labels = usual.data();
  if (row.size() > kUsual) {
    many.resize(row.size());
    labels = many.data();
  }
  size_t n = 0;
  for (const LabelPair& pair : row) {
    if (pair.value == 0) continue;
    labels[n++] = {symbols.Text(pair.name), symbols.Text(pair.value)};
  }
  return Labels::FromSorted({labels, n});
}

size_t SymbolTable::Hash::operator()(std::string_view text) const {
  return XXH3_64bits(text.data(), text.size());
}

SymbolTable::~SymbolTable() {
  for (auto& segment : segments_) {
    delete[] segment.load(std::memory_order_relaxed);
  }
}

SymbolTable::Place SymbolTable::PlaceOf(SymbolId ordinal) {
  const size_t x = size_t{ordinal} + kFirstSegment;
  const auto top = static_cast<size_t>(std::bit_width(x)) - 1;
  return {top - (std::bit_width(kFirstSegment) - 1), x - (size_t{1} << top)};
}

SymbolId SymbolTable::Find(std::string_view text, SymbolId absent) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto it = ids_.find(text);
  return it == ids_.end() ? absent : it->second;
}

SymbolId SymbolTable::Intern(std::string_view text, bool borrow) {
  absl::MutexLock lock(&mu_);
  const auto ordinal = static_cast<SymbolId>(ids_.size());
  const auto it = ids_.lazy_emplace(text, [&](const auto& construct) {
    mu_.AssertHeld();
    if (!borrow) text = Keep(text);
    construct(text, first_ + ordinal);
  });
  if (ids_.size() == ordinal) return it->second;
  const Place place = PlaceOf(ordinal);
  std::string_view* segment =
      segments_[place.segment].load(std::memory_order_relaxed);
  if (segment == nullptr) {
    segment = new std::string_view[kFirstSegment << place.segment];
    segments_[place.segment].store(segment, std::memory_order_release);
  }
  segment[place.slot] = text;
  size_.store(ids_.size(), std::memory_order_release);
  return first_ + ordinal;
}

std::string_view SymbolTable::Keep(std::string_view text) {
  if (text.size() > block_left_) {
    const size_t bytes = std::max(next_block_, text.size());
    next_block_ = std::min(2 * next_block_, kLargestBlock);
    blocks_.emplace_back(new char[bytes]);
    block_at_ = blocks_.back().get();
    block_left_ = bytes;
    block_bytes_ += bytes;
  }
  if (!text.empty()) std::memcpy(block_at_, text.data(), text.size());
  const std::string_view kept(block_at_, text.size());
  block_at_ += text.size();
  block_left_ -= text.size();
  return kept;
}

size_t SymbolTable::memory() const {
  absl::ReaderMutexLock lock(&mu_);
  size_t bytes = block_bytes_ + ids_.capacity() * (sizeof(std::string_view) +
                                                   sizeof(SymbolId) + 5);
  for (size_t k = 0; k < kSegments; ++k) {
    if (segments_[k].load(std::memory_order_relaxed) != nullptr) {
      bytes += (kFirstSegment << k) * sizeof(std::string_view);
    }
  }
  return bytes;
}

QuerierSymbols::QuerierSymbols(const SymbolLender* lender)
    : lender_(lender),
      lent_(lender == nullptr ? 1 : std::max<SymbolId>(lender->size(), 1)),
      own_(lent_) {}

SymbolId QuerierSymbols::Find(std::string_view text) const {
  if (text.empty()) return 0;
  if (lender_ != nullptr) {
    const SymbolId id = lender_->Find(text);
    // One that came after this Querier is no id of its.
    if (id != 0 && id < lent_) return id;
  }
  return own_.size() == 0 ? 0 : own_.Find(text, /*absent=*/0);
}

SymbolId QuerierSymbols::Intern(std::string_view text, bool borrow) {
  if (text.empty()) return 0;
  if (lender_ != nullptr) {
    const SymbolId id = lender_->Find(text);
    if (id != 0 && id < lent_) return id;
  }
  return own_.Intern(text, borrow);
}

SymbolTranslation::SymbolTranslation(QuerierSymbols& symbols, uint32_t count)
    : symbols_(symbols),
      count_(count),
      pages_(new std::atomic<std::atomic<SymbolId>*>[count / kPage + 1]()) {}

SymbolTranslation::~SymbolTranslation() {
  for (uint32_t i = 0; i <= count_ / kPage; ++i) {
    delete[] pages_[i].load(std::memory_order_relaxed);
  }
}

SymbolId SymbolTranslation::Fill(uint32_t ordinal, std::string_view text) {
  std::atomic<std::atomic<SymbolId>*>& slot = pages_[ordinal / kPage];
  std::atomic<SymbolId>* page = slot.load(std::memory_order_acquire);
  if (page == nullptr) {
    auto* fresh = new std::atomic<SymbolId>[kPage]();
    if (slot.compare_exchange_strong(page, fresh, std::memory_order_acq_rel)) {
      page = fresh;
    } else {
      delete[] fresh;  // another thread was faster; `page` is its
    }
  }
  const SymbolId id = symbols_.InternBorrowed(text);
  page[ordinal % kPage].store(id, std::memory_order_release);
  return id;
}

}  // namespace narthex
