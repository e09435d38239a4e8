// The order in which people expect numbered names: node2 before node10.
//
// Pure; any thread.

#pragma once

#include <string_view>

namespace narthex::promql {

// Less than, equal to, or greater than zero.  Runs of digits are compared as
// numbers, everything else byte by byte.
int NaturalCompare(std::string_view a, std::string_view b);

}  // namespace narthex::promql
