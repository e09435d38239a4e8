// Any bytes as a text page: entries, then an end with or without an error.
// What an entry shows lies in the page, and a series' own text alone is parsed
// to the same labels (the scrape cache counts on it).

#include "test/fuzz/exposition_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  narthex::test::CheckPage(narthex::test::FuzzText(data, size),
                           narthex::scrape::PageFormat::kText, {});
  return 0;
}
