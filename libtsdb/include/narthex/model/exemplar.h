// A sample that stands for others, with labels of its own (a trace id, say).

#pragma once

#include "narthex/base/time.h"
#include "narthex/model/labels.h"

namespace narthex {

struct Exemplar {
  Labels labels = {};  // at most 128 runes in all, as OpenMetrics says
  double value = 0;
  Timestamp t = 0;
  bool has_timestamp = false;
};

}  // namespace narthex
