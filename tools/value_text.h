// Query results as promtool prints them.
//
// Pure functions, any thread.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "narthex/model/labels.h"
#include "narthex/promql/value.h"

namespace narthex::tools {

// -o promql: `up{job="x"} => 1 @[1795177652.194]`; lines end in a newline.
std::string PromqlText(const promql::Value& value);
std::string PromqlText(std::span<const Labels> series);
std::string PromqlText(std::span<const std::string> values);

// A text as Go's encoding/json writes it, quotes included.
std::string JsonQuote(std::string_view text);

// -o json: the API's "result" in one line.
std::string JsonText(const promql::Value& value);
std::string JsonText(std::span<const Labels> series);
std::string JsonText(std::span<const std::string> values);

}  // namespace narthex::tools
