// One Querier over the head and the blocks.

#include <utility>

#include "libtsdb/db/db_impl.h"
#include "libtsdb/query/source_querier.h"

namespace narthex::tsdb {

// The head comes first: a block that appears between the two looks then only
// repeats what the head still shows.  The other way about it would be missed.
absl::StatusOr<std::unique_ptr<Querier>> Db::Impl::NewQuerier(TimeRange range) {
  std::vector<std::shared_ptr<const BlockSource>> sources;
  if (head != nullptr && head->MayShow(range)) {
    sources.push_back(head->NewSource(range, /*isolated=*/true));
  }
  const Blocks loaded = LoadedBlocks();
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
