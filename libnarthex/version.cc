#include "narthex/version.h"

namespace narthex {

BuildInfo GetBuildInfo() {
  BuildInfo info;
  info.version = NARTHEX_VERSION;
#if defined(__clang__)
  info.compiler = "clang " __clang_version__;
#else
  info.compiler = "gcc " __VERSION__;
#endif
  return info;
}

}  // namespace narthex
