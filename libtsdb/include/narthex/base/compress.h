// Whole-buffer compression behind two functions.  Decompressing has a limit, so
// that a few bytes from outside can't ask for gigabytes.
//
// Any thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace narthex {

// kSnappy is the block format (no framing).
enum class Compression : uint8_t { kNone, kSnappy, kZstd, kGzip };

// Replaces `out`.
void Compress(Compression kind, std::string_view data, std::string& out);
// Replaces `out`.  kDataLoss if `data` is damaged, kResourceExhausted if the
// result would be larger than `limit` bytes.
absl::Status Decompress(Compression kind, std::string_view data, size_t limit,
                        std::string& out);

}  // namespace narthex
