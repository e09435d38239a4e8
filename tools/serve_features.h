// Prometheus's --enable-feature names: what each of them switches on here, and
// what is said of it, in Prometheus's words where it has the same effect.
//
// Pure function, any thread.

#pragma once

#include <string_view>

#include "tools/serve_flags.h"

namespace narthex::tools {

// `list`: names with commas between them.  Every name leaves a notice.
void TakeFeatures(std::string_view list, ServeSettings& out);

}  // namespace narthex::tools
