// CRC-32C (Castagnoli), the checksum of every Prometheus file.  Uses the
// processor's instruction where there is one, else a table.

#pragma once

#include <cstdint>
#include <string_view>

namespace narthex {

uint32_t Crc32c(std::string_view bytes);
// The checksum of what `crc` covered followed by `bytes`.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes);

}  // namespace narthex
