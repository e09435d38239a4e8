// narthex-bench: narthex on the workloads by which time-series databases are
// compared; one JSON object per result line.

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "benchmarks/bench.h"
#include "benchmarks/fleet.h"
#include "narthex/base/status.h"

namespace narthex::bench {
namespace {

constexpr std::string_view kUsage =
    "usage: narthex-bench [flags] checksum|w1|w2|w3|w4|w4f|w5|w6|w7 [page...]\n"
    "  -fleet FILE    series templates (default data/fleet.tsv)\n"
    "  -dir DIR       database directory\n"
    "  -targets N     scrape targets, 1000 series each (default 10)\n"
    "  -scrapes N     scrapes of each target (default 480)\n"
    "  -par N         appending threads of w1 and w7; of w6, those of the\n"
    "                 executor (default 1)\n"
    "  -threads N     threads of one query (default 1)\n"
    "  -seconds S     time that every query is repeated for (default 0.25)\n"
    "  -only TEXT     only queries that contain TEXT ($: their end)\n"
    "w2, w3, w4f and w6 want what w1 left in DIR (w3 and w4f after w2); w1, w5\n"
    "and w7 want it empty or missing.  w5 reads the pages named; *.om are\n"
    "OpenMetrics.\n";

absl::Status RunChecksum(const BenchFlags& flags) {
  NARTHEX_ASSIGN_OR_RETURN(Fleet fleet,
                           Fleet::Load(flags.fleet, flags.targets));
  const Fleet::Checksum sum = fleet.Sum(static_cast<int64_t>(flags.scrapes));
  std::printf(
      "targets=%zu scrapes=%zu samples=%llu series=%llu checksum=%016llx\n",
      flags.targets, flags.scrapes,
      static_cast<unsigned long long>(sum.samples),
      static_cast<unsigned long long>(sum.series),
      static_cast<unsigned long long>(sum.sum));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  BenchFlags flags;
  std::string command;
  for (int i = 1; i < argc; ++i) {
    std::string_view arg = argv[i];
    if (!arg.starts_with("-")) {
      if (command == "w5") {
        flags.files.emplace_back(arg);
      } else if (!command.empty()) {
        return std::cerr << kUsage, 2;
      } else {
        command = arg;
      }
      continue;
    }
    // Both -flag value and --flag=value, as the peers' programs take them.
    arg.remove_prefix(arg.starts_with("--") ? 2 : 1);
    std::string value;
    const size_t equals = arg.find('=');
    if (equals != std::string_view::npos) {
      value = arg.substr(equals + 1);
      arg = arg.substr(0, equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    const auto number = [&value] {
      return static_cast<size_t>(std::strtoull(value.c_str(), nullptr, 10));
    };
    if (arg == "fleet") {
      flags.fleet = value;
    } else if (arg == "dir") {
      flags.dir = value;
    } else if (arg == "targets") {
      flags.targets = number();
    } else if (arg == "scrapes") {
      flags.scrapes = number();
    } else if (arg == "par") {
      flags.par = static_cast<int>(number());
    } else if (arg == "threads") {
      flags.threads = static_cast<int>(number());
    } else if (arg == "seconds") {
      flags.seconds = std::strtod(value.c_str(), nullptr);
    } else if (arg == "only") {
      flags.only = value;
    } else {
      return std::cerr << kUsage, 2;
    }
  }
  absl::Status status;
  if (command == "checksum") {
    status = RunChecksum(flags);
  } else if (command == "w1" || command == "w7") {
    status = RunIngest(command == "w1" ? "W1" : "W7", flags);
  } else if (command == "w2") {
    status = RunCompact(flags);
  } else if (command == "w3") {
    status = RunSelect(flags);
  } else if (command == "w4") {
    status = RunQueries(flags);
  } else if (command == "w4f") {
    status = RunFleetQueries(flags);
  } else if (command == "w5") {
    status = RunParse(flags);
  } else if (command == "w6") {
    status = RunReplay(flags);
  } else {
    return std::cerr << kUsage, 2;
  }
  if (!status.ok()) {
    std::cerr << "narthex-bench: " << Message(status) << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace narthex::bench

int main(int argc, char** argv) {
  // Debian's Abseil looks for deadlocks at every lock; that is for tests.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return narthex::bench::Main(argc, argv);
}
