// Bytes as tests write them down: two hexadecimal digits each.

#pragma once

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "narthex/base/status.h"

namespace narthex {

inline std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString(View(bytes));
}

}  // namespace narthex
