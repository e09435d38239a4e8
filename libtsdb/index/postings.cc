#include "libtsdb/index/postings.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace narthex::tsdb {
namespace {

// Above this ratio of lengths the shorter list gallops through the longer one.
constexpr size_t kGallop = 8;
// Above this many lists a union goes through a bitmap of ids.
constexpr size_t kBitmapLists = 4;

struct Native {
  const SeriesId* p;
  SeriesId operator()(size_t i) const { return p[i]; }
};
struct BigEndianIds {
  const char* p;
  SeriesId operator()(size_t i) const { return LoadBE32(p + 4 * i); }
};

template <typename Body>
auto WithIds(const PostingsList& list, Body body) {
  return list.native() != nullptr ? body(Native{list.native()})
                                  : body(BigEndianIds{list.big_endian()});
}

// The first index in [from, n) whose id is not below `id`.
template <typename Ids>
size_t Seek(const Ids& ids, size_t from, size_t n, SeriesId id) {
  size_t step = 1;
  size_t low = from;
  size_t high = from;
  while (high < n && ids(high) < id) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  high = std::min(high, n);
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (ids(middle) < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Keeps the ids for which (list has it) == keep.
template <bool keep, typename Ids>
void Filter(std::vector<SeriesId>& ids, const Ids& list, size_t n) {
  size_t out = 0;
  size_t at = 0;
  if (n / kGallop > ids.size()) {
    for (SeriesId id : ids) {
      at = Seek(list, at, n, id);
      const bool has = at < n && list(at) == id;
      ids[out] = id;
      out += has == keep;
    }
  } else if (ids.size() / kGallop > n && keep) {
    const Native own{ids.data()};
    const size_t count = ids.size();
    size_t from = 0;
    for (size_t i = 0; i < n && from < count; ++i) {
      const SeriesId id = list(i);
      from = Seek(own, from, count, id);
      if (from < count && ids[from] == id) ids[out++] = id;
    }
  } else {
    for (size_t i = 0; i < ids.size(); ++i) {
      const SeriesId id = ids[i];
      while (at < n && list(at) < id) ++at;
      const bool has = at < n && list(at) == id;
      ids[out] = id;
      out += has == keep;
    }
  }
  ids.resize(out);
}

}  // namespace

void PostingsList::AppendTo(std::vector<SeriesId>& out) const {
  const size_t old = out.size();
  out.resize(old + size_);
  WithIds(*this, [&](const auto& ids) {
    for (size_t i = 0; i < size_; ++i) out[old + i] = ids(i);
  });
}

std::vector<SeriesId> PostingsList::ToVector() const {
  std::vector<SeriesId> out;
  AppendTo(out);
  return out;
}

void IntersectInto(std::vector<SeriesId>& ids, const PostingsList& list) {
  WithIds(list,
          [&](const auto& other) { Filter<true>(ids, other, list.size()); });
}

void Subtract(std::vector<SeriesId>& ids, const PostingsList& list) {
  WithIds(list,
          [&](const auto& other) { Filter<false>(ids, other, list.size()); });
}

std::vector<SeriesId> Intersect(std::vector<PostingsList> lists) {
  if (lists.empty()) return {};
  std::sort(lists.begin(), lists.end(),
            [](const PostingsList& a, const PostingsList& b) {
              return a.size() < b.size();
            });
  std::vector<SeriesId> ids = lists[0].ToVector();
  for (size_t i = 1; i < lists.size() && !ids.empty(); ++i) {
    IntersectInto(ids, lists[i]);
  }
  return ids;
}

std::vector<SeriesId> Union(std::span<const PostingsList> lists) {
  std::vector<SeriesId> ids;
  size_t total = 0;
  SeriesId least = ~SeriesId{0};
  SeriesId greatest = 0;
  for (const PostingsList& list : lists) {
    if (list.empty()) continue;
    total += list.size();
    least = std::min(least, list[0]);
    greatest = std::max(greatest, list[list.size() - 1]);
  }
  if (total == 0) return ids;
  ids.reserve(total);
  const size_t words = (size_t{greatest} - least) / 64 + 1;
  // A bitmap costs a pass over its words; it pays unless ids are very sparse.
  if (lists.size() <= kBitmapLists || words / 16 > total) {
    for (const PostingsList& list : lists) {
      const size_t middle = ids.size();
      list.AppendTo(ids);
      if (middle != 0 && middle != ids.size() &&
          ids[middle] <= ids[middle - 1]) {
        std::inplace_merge(ids.begin(),
                           ids.begin() + static_cast<ptrdiff_t>(middle),
                           ids.end());
      }
    }
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }
  std::vector<uint64_t> bits(words);
  for (const PostingsList& list : lists) {
    WithIds(list, [&](const auto& in) {
      for (size_t i = 0; i < list.size(); ++i) {
        const SeriesId id = in(i)-least;
        // A damaged list may hold ids outside its own ends: leave them out.
        if (id / 64 < words) bits[id / 64] |= uint64_t{1} << (id % 64);
      }
    });
  }
  for (size_t word = 0; word < words; ++word) {
    for (uint64_t rest = bits[word]; rest != 0; rest &= rest - 1) {
      ids.push_back(
          least + static_cast<SeriesId>(
                      word * 64 + static_cast<size_t>(std::countr_zero(rest))));
    }
  }
  return ids;
}

}  // namespace narthex::tsdb
