// The dictionary of one Querier over several sources: one of them lends its
// numbers, the others' are translated, text that queries make gets numbers of
// its own.
//
// Text and Find are wait-free but for text that no source has; Translate is
// safe from any thread.  The lender's numbers count up to its bound at the time
// of construction; what it makes later is treated as a stranger's text, so that
// equal text stays one number.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/block/block_source.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

class QuerySymbols final : public Symbols {
public:
  // Numbers from here on are not the lender's.
  static constexpr SymbolId kOwn = 0x80000000u;

  // `sources[0]` lends: give the largest first, the head if it takes part.
  // Borrowed; they outlive this.
  explicit QuerySymbols(std::span<const SymbolSource *const> sources);
  ~QuerySymbols() override;

  std::string_view Text(SymbolId id) const override;
  SymbolId Find(std::string_view text) const override;
  SymbolId Intern(std::string_view text) override;

  // Replaces the numbers of `source` (its place in the constructor's list) by
  // this dictionary's, in place.
  void Translate(size_t source, std::span<LabelPair> labels);

private:
  struct Page;
  class Translation;

  SymbolId InternForeign(std::string_view text, bool copy);

  const SymbolSource *lender_ = nullptr;
  uint32_t lender_bound_ = 0;
  std::vector<std::unique_ptr<Translation>> translations_;

  // Own texts, in blocks that never move: block b holds 1024 << b of them.
  static constexpr size_t kBlocks = 21;
  std::atomic<std::string_view *> own_[kBlocks] = {};
  mutable absl::Mutex mu_;
  uint32_t own_count_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<std::string_view, SymbolId> own_ids_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<std::string>> texts_ ABSL_GUARDED_BY(mu_);
};

} // namespace narthex::tsdb
