// A whole XOR chunk from columns, byte for byte what XorPut (chunk_codec.h)
// writes sample by sample, at half the time: bits are put together in a
// register, and memory is only written to.
//
// A function without state; any thread.

#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace narthex::tsdb {

// Replaces what is in `out`; the sample count is in front.  `values` are bits,
// as many as `times`, at most kMaxSamplesPerChunk.
void EncodeXorChunk(std::span<const int64_t> times,
                    std::span<const uint64_t> values, std::string& out);

}  // namespace narthex::tsdb
