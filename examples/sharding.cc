// Targets split over several programs without a coordinator: each keeps those
// whose address hashes to its number.  The hash is Prometheus's, so a fleet may
// be shared by narthex and Prometheus; sharding.yml is the same for servers.
//
//   sharding SHARD OF HOST:PORT...     prints the targets of this shard

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "narthex/narthex.h"

int main(int argc, char** argv) {
  using narthex::scrape::RelabelAction;
  if (argc < 4 || std::atoi(argv[2]) <= 0) {
    std::cerr << "usage: sharding SHARD OF HOST:PORT...\n";
    return 2;
  }
  narthex::scrape::Job job;
  job.name = "fleet";
  job.targets = std::vector<std::string>(argv + 3, argv + argc);
  job.relabel = {{.source_labels = {"__address__"},
                  .modulus = static_cast<uint64_t>(std::atoi(argv[2])),
                  .target_label = "__tmp_shard",
                  .action = RelabelAction::kHashMod},
                 {.source_labels = {"__tmp_shard"},
                  .regex = argv[1],
                  .action = RelabelAction::kKeep}};

  auto nx = narthex::Narthex::Open({});  // in memory
  if (!nx.ok()) {
    std::cerr << nx.status() << "\n";
    return 1;
  }
  if (auto status = (*nx)->SetJobs({job}); !status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  for (const auto& target : (*nx)->Targets()) {
    std::cout << target.discovered_labels.Get("__address__") << "\n";
  }
  return (*nx)->Close().ok() ? 0 : 1;
}
