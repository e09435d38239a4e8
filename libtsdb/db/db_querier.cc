// One Querier over the head and the blocks.

#include <utility>

#include "libtsdb/db/db_impl.h"
#include "libtsdb/query/source_querier.h"

namespace narthex::tsdb {

// The blocks are looked at before and after the head, and all of it again if
// one has appeared or gone meanwhile: a block that is younger than the view of
// the head may have late samples of commits that the view does not show, and of
// one that is older the head may have forgotten what the view needs.
absl::StatusOr<std::unique_ptr<Querier>> Db::Impl::NewQuerier(TimeRange range) {
  std::vector<std::shared_ptr<const BlockSource>> sources;
  Blocks loaded = LoadedBlocks();
  while (head != nullptr) {
    if (head->MayShow(range)) {
      sources.push_back(head->NewSource(range, /*isolated=*/true));
    }
    Blocks now = LoadedBlocks();
    if (now == loaded) break;
    sources.clear();
    loaded = std::move(now);
  }
  for (size_t i = loaded.size(); i-- > 0;) {
    const BlockMeta& meta = loaded[i]->meta();
    if (meta.min_time <= range.max && range.min < meta.max_time) {
      sources.push_back(loaded[i]);
    }
  }
  return NewSourcesQuerier(std::move(sources), range,
                           head == nullptr ? nullptr : &head->exemplars());
}

}  // namespace narthex::tsdb
