// The answer section of a DNS message.  Pure functions; any bytes are legal
// input.

#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/scrape/dns.h"

namespace narthex::scrape {

// Records of the types that we know, in their order; others (a CNAME on the way
// to an address) are left out.
absl::StatusOr<std::vector<DnsRecord>> ParseDnsAnswer(std::string_view message);

}  // namespace narthex::scrape
