// Any text as a file of target groups, JSON and YAML: groups, or an error in
// words; a group's targets have an address each.

#include "narthex/base/status.h"
#include "narthex/config.h"
#include "narthex/scrape/discovery.h"
#include "test/support/fuzz_target.h"

namespace {

void Check(
    const absl::StatusOr<std::vector<narthex::scrape::TargetGroup>>& read) {
  if (!read.ok()) {
    NARTHEX_FUZZ_CHECK(!narthex::Message(read.status()).empty(),
                       "an error without words");
    return;
  }
  for (const auto& group : *read) {
    for (const narthex::Labels& target : group.targets) {
      NARTHEX_FUZZ_CHECK(target.size() <= 1, target.ToString());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = narthex::test::FuzzText(data, size);
  Check(narthex::scrape::DecodeTargetJson(text, "t.json"));
  Check(narthex::DecodeTargetYaml(text, "t.yml"));
  return 0;
}
