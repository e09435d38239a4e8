// Any bytes as an OpenMetrics page, read in four ways; see
// exposition_check.h.

#include "test/fuzz/exposition_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto page = narthex::test::FuzzText(data, size);
  for (const bool converts : {false, true}) {
    for (const bool start_times : {false, true}) {
      narthex::test::CheckPage(page, narthex::scrape::PageFormat::kOpenMetrics,
                               {.convert_classic_histograms_to_nhcb = converts,
                                .keep_classic_histograms = start_times,
                                .start_times = start_times});
    }
  }
  return 0;
}
