// Which proxy a request takes, as Go's net/http decides it.
//
// Pure but for the environment; any thread.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "narthex/scrape/http.h"

namespace narthex::scrape {

// `no_proxy` covers this host (without brackets, lower case) and port.  Hosts
// of this machine are always covered.
bool IsCovered(std::string_view no_proxy, std::string_view host,
               std::string_view port);

// The URL of the proxy for a request to scheme://host:port; empty: none.
// `getenv` gives "" for what is not set.
std::string ProxyFor(const ProxyOptions& options, std::string_view scheme,
                     std::string_view host, std::string_view port,
                     const std::function<std::string(const char*)>& getenv);

}  // namespace narthex::scrape
