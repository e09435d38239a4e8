// Lists of series ids, ascending: what an index keeps for every label pair, and
// how matchers combine them.
//
// A PostingsList is a view of ids that lie elsewhere (a mapped block: big
// endian; memory: native), or owns them; reading is safe from many threads.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "narthex/base/coding.h"

namespace narthex::tsdb {

// A series within one index.  In a block: the place of its entry.  In the head:
// its reference minus the head's first one.
using SeriesId = uint32_t;

class PostingsList {
 public:
  PostingsList() = default;
  // `bytes` holds 4 * n bytes and outlives this.
  static PostingsList BigEndian(std::string_view bytes) {
    PostingsList list;
    list.big_endian_ = bytes.data();
    list.size_ = bytes.size() / 4;
    return list;
  }
  static PostingsList View(std::span<const SeriesId> ids) {
    PostingsList list;
    list.native_ = ids.data();
    list.size_ = ids.size();
    return list;
  }
  static PostingsList Own(std::vector<SeriesId> ids) {
    PostingsList list;
    list.owned_ = std::make_shared<const std::vector<SeriesId>>(std::move(ids));
    list.native_ = list.owned_->data();
    list.size_ = list.owned_->size();
    return list;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  SeriesId operator[](size_t i) const {
    return native_ != nullptr ? native_[i] : LoadBE32(big_endian_ + 4 * i);
  }
  // Null if the list is big endian.
  const SeriesId *native() const { return native_; }
  const char *big_endian() const { return big_endian_; }

  void AppendTo(std::vector<SeriesId> &out) const;
  std::vector<SeriesId> ToVector() const;

 private:
  const SeriesId *native_ = nullptr;
  const char *big_endian_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<const std::vector<SeriesId>> owned_;
};

// What is in all of them.  Begins with the shortest; gallops where lengths
// differ much.
std::vector<SeriesId> Intersect(std::vector<PostingsList> lists);
// Keeps of `ids` what `list` has too.
void IntersectInto(std::vector<SeriesId> &ids, const PostingsList &list);
// Keeps of `ids` what `list` has not.
void Subtract(std::vector<SeriesId> &ids, const PostingsList &list);
// What is in any of them, once.
std::vector<SeriesId> Union(std::span<const PostingsList> lists);

}  // namespace narthex::tsdb
