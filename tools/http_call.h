// One HTTP request for a verb that has nothing else to do meanwhile.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/scrape/http.h"

namespace narthex::tools {

absl::StatusOr<scrape::HttpResponse> CallHttp(scrape::HttpRequest request);

// "Name: value" or "Name=value", as --header has them.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseHeaders(
    const std::vector<std::string>& flags);

}  // namespace narthex::tools
