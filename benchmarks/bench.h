// What the workloads of narthex-bench share: flags, the clocks, memory, and the
// one line per result.  The flags, the sub-commands and the lines are those of
// the peers' programs, so that the two can be run in turn.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace narthex::bench {

struct BenchFlags {
  std::string fleet = "data/fleet.tsv";
  std::string dir = {};
  size_t targets = 10;
  size_t scrapes = 480;
  int par = 1;            // appending threads
  int threads = 1;        // that a query may use
  double seconds = 0.25;  // that every query is repeated for
  std::string only = {};  // queries that contain this
  std::vector<std::string> files = {};  // pages for w5
};

// {"workload":"W1","case":"...","metric":"...","value":1.5,"unit":"ns"}
void Emit(std::string_view workload, std::string_view which,
          std::string_view metric, double value, std::string_view unit);

double ProcessCpuSeconds();  // user + system, all threads
double ThreadCpuSeconds();   // of the calling thread
double WallSeconds();        // monotonic

struct MemoryUse {
  double resident = 0, peak = 0;  // bytes
};
MemoryUse ReadMemoryUse();
double DirBytes(const std::string& dir);  // of all files below

// W1 and W7: ingest of the fleet, `scrapes` scrapes of `targets` targets.
absl::Status RunIngest(std::string_view workload, const BenchFlags& flags);
// W2: the head of the directory that W1 left becomes a block.
absl::Status RunCompact(const BenchFlags& flags);
// W3: open the first block under `dir`, select from it, read all of it.
absl::Status RunSelect(const BenchFlags& flags);
// W4: queries over made-up series; W4F: over the directory that W2 left.
absl::Status RunQueries(const BenchFlags& flags);
absl::Status RunFleetQueries(const BenchFlags& flags);
// W5: `files` parsed and scraped; `dir` must be empty or missing.
absl::Status RunParse(const BenchFlags& flags);
// W6: replay of the directory that W1 left.
absl::Status RunReplay(const BenchFlags& flags);

}  // namespace narthex::bench
