#include "libtsdb/index/mem_postings.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/coding.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kLeastBlock = 12;
constexpr size_t kGreatestBlock = 4096;

// Bytes behind each other; a number never straddles two blocks.
struct Block {
  std::atomic<Block*> next{nullptr};
  std::atomic<uint32_t> used{0};
  uint32_t capacity = 0;
  char* data() { return reinterpret_cast<char*>(this + 1); }

  static Block* New(size_t capacity) {
    void* memory = ::operator new(sizeof(Block) + capacity);
    Block* block = new (memory) Block;
    block->capacity = static_cast<uint32_t>(capacity);
    return block;
  }
  static void Delete(Block* block) {
    block->~Block();
    ::operator delete(block);
  }
};

// One writer appends; readers see the first count() ids.
class IdList {
 public:
  IdList() = default;
  ~IdList() {
    for (Block* block = first_.load(std::memory_order_relaxed);
         block != nullptr;) {
      Block* next = block->next.load(std::memory_order_relaxed);
      Block::Delete(block);
      block = next;
    }
  }
  IdList(const IdList&) = delete;
  IdList& operator=(const IdList&) = delete;

  size_t count() const { return count_.load(std::memory_order_acquire); }
  size_t bytes() const { return sizeof(*this) + bytes_; }

  void Append(SeriesId id) {
    const uint32_t count = count_.load(std::memory_order_relaxed);
    const uint32_t used =
        last_ == nullptr ? 0 : last_->used.load(std::memory_order_relaxed);
    if (last_ == nullptr || last_->capacity - used < kMaxVarintLen32) {
      Extend();
    }
    char* begin = last_->data() + last_->used.load(std::memory_order_relaxed);
    char* end = StoreUvarint(begin, count == 0 ? id : id - last_id_);
    last_->used.store(static_cast<uint32_t>(end - last_->data()),
                      std::memory_order_relaxed);
    last_id_ = id;
    count_.store(count + 1, std::memory_order_release);
  }

  // Calls visit for each id; false from it ends the walk.
  template <typename Visit>
  void Walk(Visit visit) const {
    size_t left = count();
    SeriesId id = 0;
    for (Block* block = first_.load(std::memory_order_acquire); left != 0;
         block = block->next.load(std::memory_order_acquire)) {
      const uint32_t used = block->used.load(std::memory_order_relaxed);
      const char* p = block->data();
      // Of the block that is being appended to, only what was counted.
      for (const char* end = p + used; p != end && left != 0; --left) {
        uint32_t x = 0;
        uint32_t shift = 0;
        uint8_t b;
        do {
          b = static_cast<uint8_t>(*p++);
          x |= static_cast<uint32_t>(b & 0x7f) << shift;
          shift += 7;
        } while (b >= 0x80);
        id += x;
        if (!visit(id)) return;
      }
    }
  }

 private:
  void Extend() {
    const size_t capacity = std::clamp(bytes_ / 4, kLeastBlock, kGreatestBlock);
    Block* block = Block::New(capacity);
    bytes_ += sizeof(Block) + capacity;
    if (last_ == nullptr) {
      first_.store(block, std::memory_order_release);
    } else {
      last_->next.store(block, std::memory_order_release);
    }
    last_ = block;
  }

  std::atomic<Block*> first_{nullptr};
  std::atomic<uint32_t> count_{0};
  // The writer's.
  SeriesId last_id_ = 0;
  Block* last_ = nullptr;
  size_t bytes_ = 0;
};

constexpr uint64_t Key(LabelPair pair) {
  return uint64_t{pair.name} << 32 | pair.value;
}

// All lists; replaced as a whole when series go.
class State {
 public:
  // What a name has; values in the order of their birth.
  struct Name {
    std::vector<std::pair<SymbolId, IdList*>> values = {};
    std::shared_ptr<const LabelValueList> sorted = nullptr;  // or out of date
  };

  ~State() {
    for (auto& [key, list] : lists_) delete list;
  }

  // The writer's.  Its own reading of lists_ needs no lock: nobody else writes.
  void Add(SeriesId id, LabelRow row) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (LabelPair pair : row) {
      const auto it = lists_.find(Key(pair));
      if (it != lists_.end()) {
        it->second->Append(id);
      } else {
        AddPair(pair)->Append(id);
      }
    }
    all_.Append(id);
  }

  IdList* AddPair(LabelPair pair) {
    IdList* list = new IdList;
    absl::MutexLock lock(&mu_);
    lists_[Key(pair)] = list;
    names_[pair.name].values.emplace_back(pair.value, list);
    return list;
  }

  IdList& mutable_all() { return all_; }
  const IdList& all() const { return all_; }

  const IdList* Find(LabelPair pair) const {
    absl::ReaderMutexLock lock(&mu_);
    const auto it = lists_.find(Key(pair));
    return it == lists_.end() ? nullptr : it->second;
  }

  std::shared_ptr<const LabelValueList> Values(SymbolId name,
                                               const SymbolSource& texts) {
    std::vector<std::pair<SymbolId, IdList*>> values;
    {
      absl::ReaderMutexLock lock(&mu_);
      const auto it = names_.find(name);
      if (it == names_.end()) return nullptr;
      const auto& sorted = it->second.sorted;
      if (sorted != nullptr &&
          sorted->texts.size() == it->second.values.size()) {
        return sorted;
      }
      values = it->second.values;
    }
    std::vector<std::pair<std::string_view, IdList*>> rows;
    rows.reserve(values.size());
    for (const auto& [value, list] : values) {
      rows.emplace_back(texts.SymbolText(value), list);
    }
    std::sort(rows.begin(), rows.end());
    auto made = std::make_shared<LabelValueList>();
    made->texts.reserve(rows.size());
    made->lists.reserve(rows.size());
    for (const auto& [text, list] : rows) {
      made->texts.push_back(text);
      made->lists.push_back(reinterpret_cast<uintptr_t>(list));
    }
    absl::MutexLock lock(&mu_);
    std::shared_ptr<const LabelValueList>& kept = names_[name].sorted;
    if (kept == nullptr || kept->texts.size() < made->texts.size()) {
      kept = made;
    }
    return made;
  }

  std::vector<SymbolId> Names() const {
    absl::ReaderMutexLock lock(&mu_);
    std::vector<SymbolId> names;
    names.reserve(names_.size());
    for (const auto& [name, values] : names_) names.push_back(name);
    return names;
  }

  size_t pairs() const {
    absl::ReaderMutexLock lock(&mu_);
    return lists_.size();
  }

  template <typename Visit>
  void ForEachPair(Visit visit) const {
    absl::ReaderMutexLock lock(&mu_);
    for (const auto& [key, list] : lists_) {
      visit(LabelPair{static_cast<SymbolId>(key >> 32),
                      static_cast<SymbolId>(key)},
            *list);
    }
  }

 private:
  IdList all_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<uint64_t, IdList*> lists_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<SymbolId, Name> names_ ABSL_GUARDED_BY(mu_);
};

PostingsList ToPostings(const IdList& list) {
  std::vector<SeriesId> ids;
  ids.reserve(list.count());
  list.Walk([&ids](SeriesId id) {
    ids.push_back(id);
    return true;
  });
  return PostingsList::Own(std::move(ids));
}

class Reader final : public PostingsIndex {
 public:
  Reader(std::shared_ptr<State> state, const SymbolSource& texts)
      : state_(std::move(state)), texts_(texts) {}

  absl::StatusOr<PostingsList> All() const override {
    return ToPostings(state_->all());
  }
  absl::StatusOr<PostingsList> Find(std::string_view name,
                                    std::string_view value) const override {
    LabelPair pair;
    pair.name = texts_.FindSymbol(name);
    pair.value = texts_.FindSymbol(value);
    const IdList* list =
        pair.name == 0 || pair.value == 0 ? nullptr : state_->Find(pair);
    return list == nullptr ? PostingsList() : ToPostings(*list);
  }
  absl::StatusOr<std::shared_ptr<const LabelValueList>> Values(
      std::string_view name) const override {
    const SymbolId id = texts_.FindSymbol(name);
    if (id == 0) return nullptr;
    return state_->Values(id, texts_);
  }
  absl::StatusOr<PostingsList> List(uint64_t list) const override {
    return ToPostings(
        *reinterpret_cast<const IdList*>(static_cast<uintptr_t>(list)));
  }
  absl::StatusOr<std::vector<std::string_view>> Names() const override {
    std::vector<std::string_view> names;
    for (SymbolId name : state_->Names()) {
      names.push_back(texts_.SymbolText(name));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  const std::shared_ptr<State> state_;
  const SymbolSource& texts_;
};

}  // namespace

struct MemPostings::Impl {
  explicit Impl(const SymbolSource& texts) : texts(texts) {}

  std::shared_ptr<State> Current() const {
    absl::ReaderMutexLock lock(&mu);
    return state;
  }

  const SymbolSource& texts;
  mutable absl::Mutex mu;
  std::shared_ptr<State> state ABSL_GUARDED_BY(mu) = std::make_shared<State>();
};

MemPostings::MemPostings(const SymbolSource& texts)
    : impl_(std::make_unique<Impl>(texts)) {}
MemPostings::~MemPostings() = default;

void MemPostings::Add(SeriesId id, LabelRow row) {
  impl_->Current()->Add(id, row);
}

void MemPostings::Remove(absl::FunctionRef<bool(SeriesId)> dead) {
  const std::shared_ptr<State> old = impl_->Current();
  auto fresh = std::make_shared<State>();
  const auto copy = [&dead](const IdList& from, IdList& to) {
    from.Walk([&](SeriesId id) {
      if (!dead(id)) to.Append(id);
      return true;
    });
  };
  copy(old->all(), fresh->mutable_all());
  old->ForEachPair([&](LabelPair pair, const IdList& list) {
    bool any = false;
    list.Walk([&](SeriesId id) {
      any = !dead(id);
      return !any;
    });
    if (any) copy(list, *fresh->AddPair(pair));
  });
  absl::MutexLock lock(&impl_->mu);
  impl_->state = std::move(fresh);
}

std::unique_ptr<PostingsIndex> MemPostings::NewReader() const {
  return std::make_unique<Reader>(impl_->Current(), impl_->texts);
}

std::vector<SymbolId> MemPostings::SortedSymbols() const {
  std::vector<SymbolId> ids = {0};
  impl_->Current()->ForEachPair([&ids](LabelPair pair, const IdList&) {
    ids.push_back(pair.name);
    ids.push_back(pair.value);
  });
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<std::pair<std::string_view, SymbolId>> rows;
  rows.reserve(ids.size());
  for (SymbolId id : ids) rows.emplace_back(impl_->texts.SymbolText(id), id);
  std::sort(rows.begin(), rows.end());
  for (size_t i = 0; i < rows.size(); ++i) ids[i] = rows[i].second;
  return ids;
}

size_t MemPostings::pairs() const { return impl_->Current()->pairs(); }

size_t MemPostings::bytes() const {
  const std::shared_ptr<State> state = impl_->Current();
  // The hash tables: a slot and a control byte a pair, an eighth left free.
  size_t sum = state->all().bytes() + state->pairs() * (17 + 16) * 8 / 7;
  state->ForEachPair(
      [&sum](LabelPair, const IdList& list) { sum += list.bytes(); });
  return sum;
}

std::vector<MemPostings::PairCount> MemPostings::PairCounts() const {
  std::vector<PairCount> counts;
  impl_->Current()->ForEachPair([&counts](LabelPair pair, const IdList& list) {
    counts.push_back({pair.name, pair.value, list.count()});
  });
  return counts;
}

}  // namespace narthex::tsdb
