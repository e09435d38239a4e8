// A native histogram as the HTTP API writes it, {"count":"3","sum":"4.5",
// "buckets":[[0,"1","2","3"]]}: bounds and counts of the populated buckets, no
// schema.
//
// Pure; any thread.

#pragma once

#include <nlohmann/json_fwd.hpp>

#include "narthex/model/float_histogram.h"

namespace narthex::api {

// A histogram that is written as `json` says: of the schema that the bounds fit
// or, if there is none, with custom buckets.  Hints, empty buckets and which
// bounds a zero bucket has cut aren't in the JSON, so they are not in `out`.
// False: it is none, or its buckets overlap.
bool ReadHistogram(const nlohmann::json& json, FloatHistogram& out);

}  // namespace narthex::api
