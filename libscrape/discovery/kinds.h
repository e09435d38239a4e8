// The Discoverers by kind, for kinds.cc; what their addresses are made with.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "narthex/scrape/discovery.h"
#include "narthex/scrape/discovery_kinds.h"

namespace narthex::scrape {

std::unique_ptr<Discoverer> NewHttpDiscoverer(HttpDiscovery config,
                                              const DiscoveryContext& context);
std::unique_ptr<Discoverer> NewDnsDiscoverer(DnsDiscovery config,
                                             const DiscoveryContext& context);
absl::StatusOr<std::unique_ptr<Discoverer>> NewKubernetesDiscoverer(
    KubernetesDiscovery config, const DiscoveryContext& context);

// "host:port"; what has colons of its own gets brackets.
std::string JoinHostPort(std::string_view host, std::string_view port);

}  // namespace narthex::scrape
