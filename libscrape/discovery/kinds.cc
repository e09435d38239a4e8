#include "libscrape/discovery/kinds.h"

#include "narthex/base/status.h"

namespace narthex::scrape {

std::string JoinHostPort(std::string_view host, std::string_view port) {
  if (host.find_first_of(":%") != std::string_view::npos) {
    return StrCat("[", host, "]:", port);
  }
  return StrCat(host, ":", port);
}

std::string_view DiscoveryName(const DiscoveryConfig& config) {
  struct Name {
    std::string_view operator()(const std::vector<TargetGroup>&) const {
      return "static";
    }
    std::string_view operator()(const FileDiscovery&) const { return "file"; }
    std::string_view operator()(const HttpDiscovery&) const { return "http"; }
    std::string_view operator()(const DnsDiscovery&) const { return "dns"; }
    std::string_view operator()(const KubernetesDiscovery&) const {
      return "kubernetes";
    }
  };
  return std::visit(Name{}, config);
}

absl::StatusOr<std::unique_ptr<Discoverer>> NewDiscoverer(
    const DiscoveryConfig& config, const DiscoveryContext& context) {
  using Made = absl::StatusOr<std::unique_ptr<Discoverer>>;
  struct Maker {
    const DiscoveryContext& context;

    Made operator()(const std::vector<TargetGroup>& groups) const {
      return NewStaticDiscoverer(groups, context);
    }
    Made operator()(const FileDiscovery& files) const {
      return NewFileDiscoverer(files, context);
    }
    Made operator()(const HttpDiscovery& http) const {
      if (context.http == nullptr) return Unimplemented("no HTTP client here");
      NARTHEX_RETURN_IF_ERROR(CheckSecrets(http.http));
      return NewHttpDiscoverer(http, context);
    }
    Made operator()(const DnsDiscovery& dns) const {
      if (context.dns == nullptr) return Unimplemented("no DNS resolver here");
      return NewDnsDiscoverer(dns, context);
    }
    Made operator()(const KubernetesDiscovery& kubernetes) const {
      if (context.http == nullptr) return Unimplemented("no HTTP client here");
      NARTHEX_RETURN_IF_ERROR(CheckSecrets(kubernetes.http));
      return NewKubernetesDiscoverer(kubernetes, context);
    }
  };
  return std::visit(Maker{context}, config);
}

}  // namespace narthex::scrape
