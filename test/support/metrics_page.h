// A page of metrics as a busy machine's agent shows it: gauges and counters in
// families of one to a hundred series, a histogram, a summary, help and types.
//
// Made of a seed: equal arguments give equal pages, another `round` other
// values of the same series.

#pragma once

#include <cstdint>
#include <string>

namespace narthex::test {

std::string MetricsPage(uint64_t seed, int round = 0, int cpus = 8);

}  // namespace narthex::test
