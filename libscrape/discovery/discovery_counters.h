// What discovery counts, under Prometheus's names.
//
// Any thread.  What is returned lives as long as the context's registry, or
// forever if it has none.

#pragma once

#include <string_view>

#include "narthex/base/metrics.h"
#include "narthex/scrape/discovery.h"

namespace narthex::scrape {

inline MetricRegistry& RegistryOf(const DiscoveryContext& context) {
  static MetricRegistry* const nobodys = new MetricRegistry;
  return context.metrics != nullptr ? *context.metrics : *nobodys;
}

inline Counter& HttpFailures(const DiscoveryContext& context) {
  return RegistryOf(context).NewCounter(
      "prometheus_sd_http_failures_total",
      "Number of HTTP service discovery refresh failures.");
}

inline Counter& DnsLookups(const DiscoveryContext& context) {
  return RegistryOf(context).NewCounter("prometheus_sd_dns_lookups_total",
                                        "The number of DNS-SD lookups.");
}
inline Counter& DnsLookupFailures(const DiscoveryContext& context) {
  return RegistryOf(context).NewCounter(
      "prometheus_sd_dns_lookup_failures_total",
      "The number of DNS-SD lookup failures.");
}

inline Counter& FileReadErrors(const DiscoveryContext& context) {
  return RegistryOf(context).NewCounter("prometheus_sd_file_read_errors_total",
                                        "The number of File-SD read errors.");
}

// `event`: "add", "update", "delete".
inline Counter& KubeEvents(const DiscoveryContext& context,
                           std::string_view role, std::string_view event) {
  return RegistryOf(context).NewCounter(
      "prometheus_sd_kubernetes_events_total",
      "The number of Kubernetes events handled.",
      {{"role", role}, {"event", event}});
}
inline Counter& KubeFailures(const DiscoveryContext& context) {
  return RegistryOf(context).NewCounter(
      "prometheus_sd_kubernetes_failures_total",
      "The number of failed WATCH/LIST requests.");
}

// Of a mechanism that asks again and again, all ways in which it may fail.
inline Counter& RefreshFailures(const DiscoveryContext& context,
                                std::string_view mechanism) {
  return RegistryOf(context).NewCounter(
      "prometheus_sd_refresh_failures_total",
      "Number of refresh failures for the given SD mechanism.",
      {{"mechanism", mechanism}, {"config", context.set_name}});
}

}  // namespace narthex::scrape
