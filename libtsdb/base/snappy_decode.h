// The snappy block format back to bytes, made for blocks of short pieces: those
// of the log are a few bytes each, where a call of memcpy costs more than what
// it copies.
//
// Any thread.  Any input is safe: nothing is read outside of it, nothing is
// written outside of the output, and a copy never begins before the output.

#pragma once

#include <cstddef>
#include <string_view>

namespace narthex {

// `pieces`: the block behind its length.  Fills out[0, n); false if they don't
// come to n bytes exactly, or are damaged.
bool UnpackSnappyPieces(std::string_view pieces, char* out, size_t n);

}  // namespace narthex
