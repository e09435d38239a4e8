// A page of metrics as a request of remote write 1.0: what `push metrics`
// sends.
//
// Pure functions; any thread.

#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"

namespace narthex::remote {

// The message prometheus.WriteRequest, not compressed: every sample of the page
// (text format) with `extra` labels, at its own time or at `now`; the page's
// `job` labels become `exported_job`, its other labels win over `extra`.
absl::StatusOr<std::string> MakePageRequest(std::string_view page,
                                            const Labels& extra, Timestamp now);

}  // namespace narthex::remote
