#include "libtsdb/head/head_symbols.h"

#include <cstring>
#include <string>
#include <utility>

namespace narthex::tsdb {
namespace {

// More than this many labels would not fit a page of rows.
constexpr size_t kMaxLabels = 60'000;

}  // namespace

size_t HeadSymbols::NamesHash::operator()(
    const std::vector<SymbolId>& names) const {
  return std::hash<std::string_view>{}(
      std::string_view(reinterpret_cast<const char*>(names.data()),
                       names.size() * sizeof(SymbolId)));
}

HeadSymbols::HeadSymbols()
    : pages_(std::make_unique<std::atomic<Page*>[]>(kMaxPages)) {
  // Number 0, "".
  auto page = std::make_unique<Page>();
  page->texts[0] = std::make_unique<char[]>(sizeof(uint32_t));
  pages_[0].store(page.release(), std::memory_order_release);
}

HeadSymbols::~HeadSymbols() {
  for (uint32_t i = 0; i < kMaxPages; ++i) {
    Page* page = pages_[i].load(std::memory_order_relaxed);
    if (page == nullptr) break;
    delete page;
  }
}

std::string_view HeadSymbols::SymbolText(SymbolId id) const {
  if (id >> kPageBits >= kMaxPages) return {};
  const Page* page = pages_[id >> kPageBits].load(std::memory_order_acquire);
  if (page == nullptr) return {};
  const char* text = page->texts[id & (kPageSize - 1)].get();
  if (text == nullptr) return {};
  uint32_t size;
  std::memcpy(&size, text, sizeof(size));
  return {text + sizeof(size), size};
}

SymbolId HeadSymbols::FindSymbol(std::string_view text) const {
  if (text.empty()) return 0;
  absl::ReaderMutexLock lock(&mu_);
  const auto it = ids_.find(text);
  return it == ids_.end() ? 0 : it->second;
}

absl::StatusOr<SymbolId> HeadSymbols::InternLocked(std::string_view text) {
  if (const auto it = ids_.find(text); it != ids_.end()) return it->second;
  if (text.size() > 0xffffffffu) {
    return InvalidArgument("a label's text is longer than 4 GiB");
  }
  SymbolId id;
  if (!free_ids_.empty()) {
    id = free_ids_.back();
    free_ids_.pop_back();
  } else {
    id = bound_.load(std::memory_order_relaxed);
    if (id >> kPageBits >= kMaxPages) {
      return ResourceExhausted("too many distinct label texts in the head");
    }
    if (id % kPageSize == 0) {
      pages_[id >> kPageBits].store(new Page, std::memory_order_release);
    }
  }
  const uint32_t size = static_cast<uint32_t>(text.size());
  auto bytes = std::make_unique_for_overwrite<char[]>(sizeof(size) + size);
  std::memcpy(bytes.get(), &size, sizeof(size));
  std::memcpy(bytes.get() + sizeof(size), text.data(), size);
  text_bytes_ += sizeof(size) + size;
  ids_.emplace(std::string_view(bytes.get() + sizeof(size), size), id);
  Page* page = pages_[id >> kPageBits].load(std::memory_order_relaxed);
  page->texts[id & (kPageSize - 1)] = std::move(bytes);
  if (id == bound_.load(std::memory_order_relaxed)) {
    bound_.store(id + 1, std::memory_order_release);
  }
  unused_.push_back(id);  // until a row uses it
  return id;
}

void HeadSymbols::Use(SymbolId id) {
  ++pages_[id >> kPageBits]
        .load(std::memory_order_relaxed)
        ->uses[id & (kPageSize - 1)];
}

void HeadSymbols::Unuse(SymbolId id) {
  Page* page = pages_[id >> kPageBits].load(std::memory_order_relaxed);
  if (--page->uses[id & (kPageSize - 1)] == 0) unused_.push_back(id);
}

absl::StatusOr<RowHandle> HeadSymbols::AllocateRow(uint32_t words) {
  if (words < free_rows_.size() && !free_rows_[words].empty()) {
    const RowHandle row = free_rows_[words].back();
    free_rows_[words].pop_back();
    return row;
  }
  if (row_end_ + words > kRowPageWords) {
    if (rows_.size() >= 1u << (32 - kRowPageBits)) {
      return ResourceExhausted("too many label rows in the head");
    }
    rows_.push_back(std::make_unique_for_overwrite<uint32_t[]>(kRowPageWords));
    row_end_ = 0;
  }
  const RowHandle row =
      static_cast<uint32_t>(rows_.size() - 1) << kRowPageBits | row_end_;
  row_end_ += words;
  return row;
}

absl::StatusOr<RowHandle> HeadSymbols::AddRow(const Labels& labels,
                                              std::vector<LabelPair>& pairs) {
  absl::MutexLock lock(&mu_);
  const size_t begin = pairs.size();
  scratch_.clear();
  for (const Label& label : labels) {
    NARTHEX_ASSIGN_OR_RETURN(const SymbolId name, InternLocked(label.name));
    NARTHEX_ASSIGN_OR_RETURN(const SymbolId value, InternLocked(label.value));
    pairs.push_back({name, value});
    scratch_.push_back(name);
  }
  const size_t n = pairs.size() - begin;
  if (n > kMaxLabels) {
    return InvalidArgument(StrCat("a series with ", n, " labels"));
  }
  NARTHEX_ASSIGN_OR_RETURN(const RowHandle row,
                           AllocateRow(static_cast<uint32_t>(n + 1)));
  uint32_t set;
  if (const auto it = name_set_ids_.find(scratch_); it != name_set_ids_.end()) {
    set = it->second;
  } else {
    if (free_name_sets_.empty()) {
      set = static_cast<uint32_t>(name_sets_.size());
      name_sets_.emplace_back();
    } else {
      set = free_name_sets_.back();
      free_name_sets_.pop_back();
    }
    name_sets_[set] = {scratch_, 0};
    name_set_ids_.emplace(scratch_, set);
  }
  ++name_sets_[set].uses;
  uint32_t* words = Row(row);
  *words++ = set;
  for (size_t i = begin; i < pairs.size(); ++i) {
    Use(pairs[i].name);
    Use(pairs[i].value);
    *words++ = pairs[i].value;
  }
  return row;
}

void HeadSymbols::DropRow(RowHandle row, uint64_t readers) {
  absl::MutexLock lock(&mu_);
  dropped_.push_back({row, readers});
}

void HeadSymbols::FreeRows(uint64_t oldest_reader) {
  absl::MutexLock lock(&mu_);
  size_t done = 0;
  for (; done < dropped_.size() && dropped_[done].readers <= oldest_reader;
       ++done) {
    const uint32_t* words = Row(dropped_[done].row);
    const uint32_t set = words[0];
    NameSet& names = name_sets_[set];
    const size_t n = names.names.size();
    for (size_t i = 0; i < n; ++i) {
      Unuse(names.names[i]);
      Unuse(words[i + 1]);
    }
    if (--names.uses == 0) {
      name_set_ids_.erase(names.names);
      names.names = {};
      free_name_sets_.push_back(set);
    }
    if (free_rows_.size() <= n + 1) free_rows_.resize(n + 2);
    free_rows_[n + 1].push_back(dropped_[done].row);
  }
  dropped_.erase(dropped_.begin(),
                 dropped_.begin() + static_cast<ptrdiff_t>(done));
}

void HeadSymbols::CopyLocked(RowHandle row, std::vector<LabelPair>& out) const {
  const uint32_t* words = Row(row);
  const std::vector<SymbolId>& names = name_sets_[words[0]].names;
  const size_t begin = out.size();
  out.resize(begin + names.size());
  LabelPair* pair = out.data() + begin;
  for (size_t i = 0; i < names.size(); ++i) {
    pair[i] = {names[i], words[i + 1]};
  }
}

void HeadSymbols::CopyRow(RowHandle row, std::vector<LabelPair>& out) const {
  absl::ReaderMutexLock lock(&mu_);
  CopyLocked(row, out);
}

bool HeadSymbols::RowIs(RowHandle row, const Labels& labels) const {
  absl::ReaderMutexLock lock(&mu_);
  const uint32_t* words = Row(row);
  const std::vector<SymbolId>& names = name_sets_[words[0]].names;
  size_t i = 0;
  for (const Label& label : labels) {
    if (i == names.size() || SymbolText(names[i]) != label.name ||
        SymbolText(words[i + 1]) != label.value) {
      return false;
    }
    ++i;
  }
  return i == names.size();
}

Labels HeadSymbols::RowLabels(RowHandle row) const {
  std::vector<LabelPair> pairs;
  CopyRow(row, pairs);
  std::vector<Label> labels;
  labels.reserve(pairs.size());
  for (const LabelPair pair : pairs) {
    labels.push_back({SymbolText(pair.name), SymbolText(pair.value)});
  }
  return Labels::FromSorted(labels);
}

void HeadSymbols::Reclaim() {
  absl::MutexLock lock(&mu_);
  for (const SymbolId id : unused_) {
    Page* page = pages_[id >> kPageBits].load(std::memory_order_relaxed);
    const uint32_t at = id & (kPageSize - 1);
    // In use again, or in the list twice.
    if (page->uses[at] != 0 || page->texts[at] == nullptr) continue;
    const std::string_view text = SymbolText(id);
    text_bytes_ -= sizeof(uint32_t) + text.size();
    ids_.erase(text);
    page->texts[at] = nullptr;
    free_ids_.push_back(id);
  }
  unused_ = {};
}

size_t HeadSymbols::symbols() const {
  absl::ReaderMutexLock lock(&mu_);
  return ids_.size();
}

size_t HeadSymbols::bytes() const {
  absl::ReaderMutexLock lock(&mu_);
  constexpr size_t kMallocSlack = 16;
  size_t n = text_bytes_ + ids_.size() * kMallocSlack;
  n += ids_.capacity() * (sizeof(std::string_view) + sizeof(SymbolId) * 2 + 1);
  n += (bound_.load(std::memory_order_relaxed) / kPageSize + 1) * sizeof(Page);
  n += rows_.size() * kRowPageWords * sizeof(uint32_t);
  n += dropped_.capacity() * sizeof(DroppedRow);
  for (const std::vector<RowHandle>& rows : free_rows_) {
    n += rows.capacity() * sizeof(RowHandle);
  }
  for (const NameSet& set : name_sets_) {
    n += sizeof(set) + 2 * set.names.size() * sizeof(SymbolId);
  }
  return n;
}

}  // namespace narthex::tsdb
