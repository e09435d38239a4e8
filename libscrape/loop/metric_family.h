// Which samples a family's metadata is about.
//
// Pure; any thread.

#pragma once

#include <string_view>

#include "narthex/model/metadata.h"

namespace narthex::scrape {

// `name` is `family` itself or has one of the suffixes of its type.
bool IsPartOfFamily(std::string_view name, std::string_view family,
                    MetricType type);

}  // namespace narthex::scrape
