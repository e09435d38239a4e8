// The part of a job that says whom to scrape, checked.  Pure; any thread.

#pragma once

#include "absl/status/status.h"
#include "narthex/scrape/job.h"

namespace narthex::scrape {

absl::Status ValidateDiscovery(const Job& job);

}  // namespace narthex::scrape
