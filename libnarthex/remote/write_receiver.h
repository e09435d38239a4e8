// What others write here: the receiving end of remote write, protocol 1.0, with
// native histograms and exemplars.
//
// Functions; any thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"

namespace narthex {

struct RemoteWriteStats {
  size_t samples = 0;
  size_t histograms = 0;
  size_t exemplars = 0;
  // Left out without an error, as Prometheus does: of series whose labels are
  // not valid; exemplars that were refused.
  size_t invalid_labels = 0;
  size_t refused_exemplars = 0;
};

// Appends a WriteRequest (protobuf, no longer compressed) and commits it: all
// of it or, after an error, nothing.  kInvalidArgument, with Prometheus's text,
// for what must not be sent again (damaged bytes, samples out of order or out
// of bounds, crooked histograms); any other error may be tried again.  `now`:
// samples more than ten minutes ahead of it are out of bounds.
absl::Status ReceiveWrite(std::string_view request, Timestamp now,
                          Appendable& to, RemoteWriteStats& stats);

}  // namespace narthex
