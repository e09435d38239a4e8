// The texts of an index, by number: whoever has series also has the texts that
// their labels' numbers mean.

#pragma once

#include <cstdint>
#include <string_view>

namespace narthex::tsdb {

// A source's own symbols.  0 is "" in every source; a number once given keeps
// its text.  Any thread.
class SymbolSource {
 public:
  virtual ~SymbolSource() = default;
  // All numbers in use are below.  The head's grows.
  virtual uint32_t symbol_bound() const = 0;
  // Wait-free.  "" for a number that is not in use.
  virtual std::string_view SymbolText(uint32_t own) const = 0;
  // 0 if there is none (or `text` is "").
  virtual uint32_t FindSymbol(std::string_view text) const = 0;
};

}  // namespace narthex::tsdb
