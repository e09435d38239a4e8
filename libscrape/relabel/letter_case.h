// Lower and upper case of UTF-8 text, one code point at a time, by Unicode's
// simple mappings (as Go's strings.ToLower and ToUpper do).
//
// Bytes that are no UTF-8 become U+FFFD, as in Go.

#pragma once

#include <string>
#include <string_view>

namespace narthex::scrape {

std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);

}  // namespace narthex::scrape
