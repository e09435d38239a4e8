// A graph in the terminal: braille dots, an axis of values, an axis of times, a
// legend.
//
// A pure function.

#pragma once

#include <string>

#include "narthex/promql/value.h"

namespace narthex::tools {

struct PlotOptions {
  int width = 80;   // columns in all
  int height = 15;  // rows of the picture
  bool colors = false;
};

// What has no number (NaN, histograms) is left out.  Without colours several
// series are told apart by letters instead of dots.
std::string Plot(const promql::Matrix& matrix, TimeRange range,
                 const PlotOptions& options);

}  // namespace narthex::tools
