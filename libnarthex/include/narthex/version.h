// Which narthex this is.  Any thread.

#pragma once

#include <string_view>

namespace narthex {

struct BuildInfo {
  std::string_view version = {};   // "0.1.0"
  std::string_view compiler = {};  // "gcc 12.2.0"
};

BuildInfo GetBuildInfo();

}  // namespace narthex
