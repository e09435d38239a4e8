// Any text as prometheus.yml: a Config, or an error in words.

#include "narthex/base/status.h"
#include "narthex/config.h"
#include "test/support/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config =
      narthex::ParseConfig(narthex::test::FuzzText(data, size), "p.yml");
  NARTHEX_FUZZ_CHECK(config.ok() || !narthex::Message(config.status()).empty(),
                     "an error without words");
  return 0;
}
