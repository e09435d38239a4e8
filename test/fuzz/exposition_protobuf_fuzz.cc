// Any bytes as a page of delimited MetricFamily messages, read in four ways;
// see exposition_check.h.

#include "test/fuzz/exposition_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto page = narthex::test::FuzzText(data, size);
  for (const bool ignores : {false, true}) {
    for (const bool converts : {false, true}) {
      narthex::test::CheckPage(page, narthex::scrape::PageFormat::kProtobuf,
                               {.ignore_native_histograms = ignores,
                                .convert_classic_histograms_to_nhcb = converts,
                                .keep_classic_histograms = ignores});
    }
  }
  return 0;
}
