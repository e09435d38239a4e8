// What a query answers: a scalar, a string, an instant vector or a matrix, with
// labels as text and samples as plain columns.  Printing is Prometheus's own.
//
// Values; one thread each.  Histograms are shared and never changed.

#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "narthex/base/time.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/labels.h"
#include "narthex/model/sample.h"

namespace narthex::promql {

using HistogramPtr = std::shared_ptr<const FloatHistogram>;

struct HistogramSample {
  Timestamp t = 0;
  HistogramPtr histogram = {};
};

struct ScalarValue {
  Timestamp t = 0;
  double v = 0;
};

struct StringValue {
  Timestamp t = 0;
  std::string v = {};
};

// One element of an instant vector.
struct VectorElement {
  Labels labels = {};
  Timestamp t = 0;
  double v = 0;                 // says nothing if there is a histogram
  HistogramPtr histogram = {};  // null: a float
};
using Vector = std::vector<VectorElement>;

// One series of a matrix.  A time is in one of the two columns, never in both.
struct MatrixSeries {
  Labels labels = {};
  std::vector<Sample> floats = {};               // ascending
  std::vector<HistogramSample> histograms = {};  // ascending
};
using Matrix = std::vector<MatrixSeries>;  // sorted by labels

using Value = std::variant<ScalarValue, StringValue, Vector, Matrix>;

// As the HTTP API names it: "scalar", "string", "vector", "matrix".
std::string_view ResultType(const Value &value);

// Prometheus's text of a value, one element a line:
// `up{job="x"} => 1 @[60000]`, `scalar: 1 @[60000]`.
std::string ToString(const Value &value);
std::ostream &operator<<(std::ostream &out, const Value &value);

// Equal labels, times and bits of every number; the order of a vector counts.
bool SameBits(const Value &a, const Value &b);

}  // namespace narthex::promql
