// Names of blocks: 48 bits of time and 80 random ones, in 26 letters of
// Crockford's base 32.

#pragma once

#include <string>
#include <string_view>

#include "narthex/base/env.h"
#include "narthex/base/time.h"

namespace narthex::tsdb {

inline constexpr std::string_view kHeadUlid = "0000000000XXXXXXXXXXXXHEAD";
inline constexpr std::string_view kOutOfOrderHeadUlid =
    "0000000000XX000COMPACTHEAD";

std::string NewUlid(Env &env, Timestamp now);
// Is it one, strictly?  (A directory is a block if its name is.)
bool IsUlid(std::string_view text);
Timestamp UlidTime(std::string_view ulid);

}  // namespace narthex::tsdb
