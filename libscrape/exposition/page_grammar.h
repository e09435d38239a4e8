// The grammar of the text formats token by token, as Prometheus's lexers and
// parsers have it: slow, and asked only what is wrong with a page that the fast
// parsers have refused, so that the words are those that people know and search
// for.
//
// Pure function, any thread.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace narthex::scrape {

enum class PageGrammar : uint8_t { kText, kOpenMetrics };

// The first error of the page, in Prometheus's words; empty: there is none.
// What it quotes of the page is cut after 1 KiB.
std::string PageError(std::string_view page, PageGrammar grammar);

}  // namespace narthex::scrape
