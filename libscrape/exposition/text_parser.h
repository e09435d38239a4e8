// The text format: 0.0.4, and 1.0.0 whose names may be quoted.
//
// One thread; borrows the page.

#pragma once

#include "libscrape/exposition/lexer.h"

namespace narthex::scrape {

class TextParser : public PageLexer {
 public:
  explicit TextParser(std::string_view page, const ParserOptions& options = {})
      : PageLexer(page, PageGrammar::kText, options) {}

  Entry Next();
  bool GetExemplar(Exemplar&) const { return false; }
  Timestamp start_time() const { return 0; }

 private:
  Entry NextSeries();
  Entry NextComment();
  bool ParseTimestamp();
};

}  // namespace narthex::scrape
