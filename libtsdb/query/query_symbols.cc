#include "libtsdb/query/query_symbols.h"

namespace narthex::tsdb {

class QuerySymbols::Lender final : public SymbolLender {
 public:
  explicit Lender(const SymbolSource& source) : source_(source) {}
  SymbolId size() const override { return source_.symbol_bound(); }
  std::string_view Text(SymbolId id) const override {
    return source_.SymbolText(id);
  }
  SymbolId Find(std::string_view text) const override {
    return source_.FindSymbol(text);
  }

 private:
  const SymbolSource& source_;
};

QuerySymbols::QuerySymbols(std::span<const SymbolSource* const> sources)
    : sources_(sources.begin(), sources.end()),
      lender_(sources.empty() ? nullptr
                              : std::make_unique<Lender>(*sources[0])),
      symbols_(lender_.get()),
      translations_(sources.size()) {
  for (size_t i = 1; i < sources_.size(); ++i) {
    translations_[i] = std::make_unique<SymbolTranslation>(
        symbols_, sources_[i]->symbol_bound());
  }
}

QuerySymbols::~QuerySymbols() = default;

std::string_view QuerySymbols::Text(SymbolId id) const {
  return symbols_.Text(id);
}
SymbolId QuerySymbols::Find(std::string_view text) const {
  return symbols_.Find(text);
}
SymbolId QuerySymbols::Intern(std::string_view text) {
  return symbols_.Intern(text);
}

void QuerySymbols::Translate(size_t source, std::span<LabelPair> labels) {
  const SymbolSource& from = *sources_[source];
  if (source == 0) {
    const SymbolId lent = symbols_.lent();
    for (LabelPair& pair : labels) {
      // Younger than this dictionary.
      if (pair.name >= lent) {
        pair.name = symbols_.InternBorrowed(from.SymbolText(pair.name));
      }
      if (pair.value >= lent) {
        pair.value = symbols_.InternBorrowed(from.SymbolText(pair.value));
      }
    }
    return;
  }
  SymbolTranslation& translation = *translations_[source];
  const auto text = [&from](uint32_t own) { return from.SymbolText(own); };
  const auto id = [&](uint32_t own) {
    if (own == 0) return SymbolId{0};
    return own < translation.count() ? translation.Id(own, text)
                                     : symbols_.InternBorrowed(text(own));
  };
  for (LabelPair& pair : labels) {
    pair.name = id(pair.name);
    pair.value = id(pair.value);
  }
}

}  // namespace narthex::tsdb
