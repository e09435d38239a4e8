// MD5, for the one thing that needs it: `hashmod`, whose buckets must be those
// of Prometheus.  Not for security.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace narthex::scrape {

std::array<uint8_t, 16> Md5(std::string_view text);

}  // namespace narthex::scrape
