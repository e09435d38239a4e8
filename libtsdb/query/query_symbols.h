// The dictionary of one Querier over several BlockSources: the first lends its
// numbers, the others' are translated as they are met.
//
// Any thread; Text is wait-free.

#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "libtsdb/block/block_source.h"
#include "libtsdb/model/symbols.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

class QuerySymbols final : public Symbols {
 public:
  // `sources[0]` lends: the head if it takes part, else the largest block.
  // They are borrowed and outlive this; none: an empty dictionary.
  explicit QuerySymbols(std::span<const SymbolSource* const> sources);
  ~QuerySymbols() override;

  std::string_view Text(SymbolId id) const override;
  SymbolId Find(std::string_view text) const override;
  SymbolId Intern(std::string_view text) override;

  // Replaces the numbers of `source` (its place in the constructor's list) by
  // this dictionary's, in place.  Numbers that a source gave out since then
  // (the head's grow) are understood as well.
  void Translate(size_t source, std::span<LabelPair> labels);

 private:
  class Lender;

  std::vector<const SymbolSource*> sources_;
  std::unique_ptr<Lender> lender_;
  QuerierSymbols symbols_;
  std::vector<std::unique_ptr<SymbolTranslation>> translations_;
};

}  // namespace narthex::tsdb
