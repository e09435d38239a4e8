#include "libtsdb/compact/retention.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "absl/container/flat_hash_set.h"

namespace narthex::tsdb {
namespace {

std::vector<size_t> NewestFirst(const std::vector<RetainedBlock>& blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&blocks](size_t a, size_t b) {
    return blocks[a].meta.max_time > blocks[b].meta.max_time;
  });
  return order;
}

}  // namespace

std::vector<size_t> BlocksBeyondTime(const std::vector<RetainedBlock>& blocks,
                                     Duration retention) {
  std::vector<size_t> out;
  if (blocks.empty() || retention.ms == 0) return out;
  const std::vector<size_t> order = NewestFirst(blocks);
  const Timestamp newest = blocks[order[0]].meta.max_time;
  for (size_t i = 1; i < order.size(); ++i) {
    if (newest - blocks[order[i]].meta.max_time >= retention) {
      out.push_back(order[i]);
    }
  }
  return out;
}

std::vector<size_t> BlocksBeyondSize(const std::vector<RetainedBlock>& blocks,
                                     uint64_t other_bytes, uint64_t limit) {
  std::vector<size_t> out;
  if (limit == 0) return out;
  uint64_t sum = other_bytes;
  for (size_t i : NewestFirst(blocks)) {
    sum += blocks[i].bytes;
    if (sum > limit) out.push_back(i);
  }
  return out;
}

std::vector<size_t> BlocksReplaced(const std::vector<RetainedBlock>& blocks) {
  absl::flat_hash_set<std::string_view> parents;
  for (const RetainedBlock& block : blocks) {
    for (const BlockParent& parent : block.meta.parents) {
      parents.insert(parent.ulid);
    }
  }
  std::vector<size_t> out;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].meta.deletable || parents.contains(blocks[i].meta.ulid)) {
      out.push_back(i);
    }
  }
  return out;
}

}  // namespace narthex::tsdb
