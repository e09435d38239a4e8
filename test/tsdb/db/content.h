// What a database shows, as plain data that is compared by bits: every series,
// every sample.
//
// Functions; any thread.

#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/querier.h"

namespace narthex::test {

// A sample as a text that says all its bits.  Of a histogram: without its hint
// and without empty buckets, which depend on how it is stored.
std::string SampleText(double v);
std::string SampleText(const FloatHistogram& h);

using Samples = std::map<int64_t, std::string>;  // by time
using Content = std::map<std::string, Samples>;  // by labels

// Adds all that the querier shows; an error: some of it can't be read, the rest
// is there.
absl::Status ReadContent(Querier& querier, Content& out);
absl::Status ReadContent(Queryable& store, Content& out);

// The first thing that only one of them has; empty if they are the same.
std::string Difference(const Content& expected, const Content& got);

}  // namespace narthex::test
