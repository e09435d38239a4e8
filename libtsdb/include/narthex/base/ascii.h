// Letters of ASCII, whatever the locale says: Abseil's functions for
// std::string_view.
//
// Pure functions, any thread.

#pragma once

#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "narthex/base/status.h"

namespace narthex {

// The same bytes with A-Z in lower case.
inline std::string AsciiLower(std::string_view text) {
  return absl::AsciiStrToLower(View(text));
}

}  // namespace narthex
