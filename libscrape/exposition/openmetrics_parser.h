// OpenMetrics 1.0 (and 0.0.1) text.
//
// One thread; borrows the page.

#pragma once

#include <vector>

#include "libscrape/exposition/lexer.h"
#include "narthex/model/exemplar.h"

namespace narthex::scrape {

class OpenMetricsParser : public PageLexer {
 public:
  using PageLexer::PageLexer;

  Entry Next();
  bool has_exemplar() const { return has_exemplar_; }
  bool GetExemplar(Exemplar& out) const;

 private:
  Entry NextSeries();
  Entry NextComment();
  // A blank and a word of other bytes, which it returns; empty: failed.
  std::string_view ParseWord(std::string_view what);
  bool ParseSeconds(std::string_view what, int64_t& millis);
  bool ParseExemplar();

  bool has_exemplar_ = false;
  std::vector<RawLabel> exemplar_labels_;
  double exemplar_value_ = 0;
  bool exemplar_has_timestamp_ = false;
  int64_t exemplar_timestamp_ = 0;
};

}  // namespace narthex::scrape
