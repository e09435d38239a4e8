// Targets that the DNS lists: a group for each name.  A name that can't be
// resolved keeps its last group; one that does not exist has an empty one.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "libscrape/discovery/discovery_counters.h"
#include "libscrape/discovery/kinds.h"
#include "libscrape/discovery/refresh.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kNameLabel = "__meta_dns_name";
constexpr std::string_view kSrvTargetLabel = "__meta_dns_srv_record_target";
constexpr std::string_view kSrvPortLabel = "__meta_dns_srv_record_port";
constexpr std::string_view kMxTargetLabel = "__meta_dns_mx_record_target";
constexpr std::string_view kNsTargetLabel = "__meta_dns_ns_record_target";

struct TypeName {
  DnsType type;
  std::string_view name;
};
constexpr TypeName kTypes[] = {{DnsType::kSrv, "SRV"},
                               {DnsType::kA, "A"},
                               {DnsType::kAaaa, "AAAA"},
                               {DnsType::kMx, "MX"},
                               {DnsType::kNs, "NS"}};

Labels TargetOf(const DnsRecord& record, const DnsDiscovery& config,
                std::string_view name) {
  std::string_view host = record.target;
  while (host.ends_with('.')) host.remove_suffix(1);
  const int port = record.type == DnsType::kSrv ? record.port : config.port;
  const std::string port_text = std::to_string(port);
  const std::string address = JoinHostPort(host, port_text);
  std::vector<Label> labels = {{kAddressLabel, address}, {kNameLabel, name}};
  switch (record.type) {
    case DnsType::kSrv:
      labels.push_back({kSrvTargetLabel, record.target});
      labels.push_back({kSrvPortLabel, port_text});
      break;
    case DnsType::kMx:
      labels.push_back({kMxTargetLabel, record.target});
      break;
    case DnsType::kNs:
      labels.push_back({kNsTargetLabel, record.target});
      break;
    case DnsType::kA:
    case DnsType::kAaaa:
      break;
  }
  return Labels::FromPairs(labels);
}

class DnsRefresher final : public Refresher {
 public:
  DnsRefresher(DnsDiscovery config, const DiscoveryContext& context)
      : Refresher(context, config.refresh_interval),
        config_(std::move(config)) {}

 private:
  void Ask() override {
    waiting_ = config_.names.size();
    groups_.clear();
    auto self = std::static_pointer_cast<DnsRefresher>(shared_from_this());
    for (const std::string& name : config_.names) {
      context_.dns->Resolve(
          name, config_.type,
          [self, &name](absl::StatusOr<std::vector<DnsRecord>> records) {
            self->strand_->Post([self, &name, records = std::move(records)] {
              self->Take(name, records);
            });
          });
    }
  }

  void Take(const std::string& name,
            const absl::StatusOr<std::vector<DnsRecord>>& records) {
    DnsLookups(context_).Inc();
    if (records.ok()) {
      TargetGroup group;
      group.source = name;
      for (const DnsRecord& record : *records) {
        group.targets.push_back(TargetOf(record, config_, name));
      }
      groups_.push_back(std::move(group));
    } else {
      DnsLookupFailures(context_).Inc();
      Log(context_.logger, LogLevel::kError, "Error refreshing DNS targets",
          {{"discovery", "dns"}, {"err", Message(records.status())}});
    }
    if (--waiting_ != 0) return;
    Done();
    Report(std::move(groups_));
  }

  const DnsDiscovery config_;
  size_t waiting_ = 0;  // names without an answer
  std::vector<TargetGroup> groups_;
};

}  // namespace

absl::StatusOr<DnsType> ParseDnsType(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c;
  for (const auto& [type, name] : kTypes) {
    if (name == upper) return type;
  }
  return InvalidArgument(StrCat("invalid DNS-SD records type ", text));
}

std::string_view DnsTypeName(DnsType type) {
  for (const TypeName& known : kTypes) {
    if (known.type == type) return known.name;
  }
  return "";
}

absl::Status ValidateDnsDiscovery(const DnsDiscovery& config) {
  if (config.names.empty()) {
    return InvalidArgument(
        "DNS-SD config must contain at least one SRV record name");
  }
  if (config.type != DnsType::kSrv && config.port == 0) {
    return InvalidArgument(
        "a port is required in DNS-SD configs for all record types except "
        "SRV");
  }
  if (config.refresh_interval.ms <= 0) {
    return InvalidArgument("refresh interval must be above 0");
  }
  return absl::OkStatus();
}

std::unique_ptr<Discoverer> NewDnsDiscoverer(DnsDiscovery config,
                                             const DiscoveryContext& context) {
  return std::make_unique<RefreshDiscoverer>(
      std::make_shared<DnsRefresher>(std::move(config), context));
}

}  // namespace narthex::scrape
