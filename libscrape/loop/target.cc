// Jobs and targets: what is legal, and how a discovered address becomes a
// target.

#include "narthex/scrape/target.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "libscrape/loop/job_discovery.h"
#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kReserved = "__";
constexpr std::string_view kMeta = "__meta_";
constexpr std::string_view kParam = "__param_";
constexpr std::string_view kUnixSocket = "__unix_socket__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kMetricsPath = "__metrics_path__";
constexpr std::string_view kInterval = "__scrape_interval__";
constexpr std::string_view kTimeout = "__scrape_timeout__";
constexpr std::string_view kJob = "job";
constexpr std::string_view kInstance = "instance";
// How errors name the switches.
constexpr std::pair<std::string_view, std::string_view> kSwitches[] = {
    {kConvertClassicHistogramsLabel, "convert classic histograms to nhcb"},
    {kAlwaysScrapeClassicHistogramsLabel, "always scrape classic histograms"},
    {kScrapeNativeHistogramsLabel, "scrape native histograms"}};

constexpr uint64_t kFnvBasis = 14695981039346656037u;

// Go's strconv.ParseBool; nothing if it is none.
std::optional<bool> ParseBool(std::string_view text) {
  constexpr std::string_view kTrue[] = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::string_view kFalse[] = {"0",     "f",     "F",
                                         "false", "FALSE", "False"};
  for (std::string_view yes : kTrue) {
    if (text == yes) return true;
  }
  for (std::string_view no : kFalse) {
    if (text == no) return false;
  }
  return std::nullopt;
}

uint64_t Fnv1a(uint64_t hash, std::string_view text) {
  for (char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return hash;
}

// What Go's net/url leaves as it is, beside letters and digits.
constexpr std::string_view kKeptInPath = "-_.~$&+,/:;=@";
constexpr std::string_view kKeptInHost = "-_.~!$&'()*+,;=:[]<>\"";

std::string Escape(std::string_view text, std::string_view kept) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') ||
                       kept.find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

std::string MakeUrl(const Job& job, const LabelsBuilder& labels) {
  std::map<std::string, std::vector<std::string>> params = job.params;
  for (const Label& label : labels.Pairs()) {
    if (!label.name.starts_with(kParam)) continue;
    auto& values = params[std::string(label.name.substr(kParam.size()))];
    if (values.empty()) values.emplace_back();
    values[0] = std::string(label.value);
  }
  std::string host(labels.Get(kAddressLabel));
  if (host.empty()) host = "localhost";  // behind a socket
  const std::string_view scheme = labels.Get(kScheme);
  std::string url =
      StrCat(scheme, scheme.empty() ? "//" : "://", Escape(host, kKeptInHost));
  const std::string path = Escape(labels.Get(kMetricsPath), kKeptInPath);
  if (!path.empty() && path[0] != '/') url.push_back('/');
  url += path;
  char separator = '?';
  for (const auto& [name, values] : params) {
    for (const std::string& value : values) {
      url.push_back(separator);
      StrAppend(&url, QueryEscape(name), "=", QueryEscape(value));
      separator = '&';
    }
  }
  return url;
}

void AddDefaults(const Job& job, LabelsBuilder& labels) {
  const auto add = [&](std::string_view name, std::string_view value) {
    if (labels.Get(name).empty()) labels.Set(name, value);
  };
  add(kJob, job.name);
  add(kInterval, FormatDuration(job.interval));
  add(kTimeout, FormatDuration(job.timeout));
  add(kMetricsPath, job.metrics_path);
  add(kScheme, job.scheme);
  const auto add_switch = [&](std::string_view name, bool on) {
    add(name, on ? "true" : "false");
  };
  add_switch(kConvertClassicHistogramsLabel,
             job.convert_classic_histograms_to_nhcb);
  add_switch(kAlwaysScrapeClassicHistogramsLabel,
             job.always_scrape_classic_histograms);
  add_switch(kScrapeNativeHistogramsLabel, job.scrape_native_histograms);
  for (const auto& [name, values] : job.params) {
    if (!values.empty()) add(StrCat(kParam, name), values[0]);
  }
}

absl::StatusOr<Duration> ReadDuration(const LabelsBuilder& labels,
                                      std::string_view label,
                                      std::string_view what) {
  auto duration = ParseDuration(labels.Get(label));
  if (!duration.ok()) {
    return Annotate(duration.status(), StrCat("error parsing ", what));
  }
  if (duration->ms == 0) return InvalidArgument(StrCat(what, " cannot be 0"));
  return *duration;
}

// `host:port` of a URL's authority; false if there is no port.
bool SplitHostPort(std::string_view authority, std::string_view& host,
                   std::string_view& port) {
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return false;
  host = authority.substr(0, colon);
  port = authority.substr(colon + 1);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return true;
}

}  // namespace

Labels Target::PublicLabels() const {
  std::vector<Label> pairs;
  for (const Label& label : labels) {
    if (!label.name.starts_with(kReserved)) pairs.push_back(label);
  }
  return Labels::FromSorted(pairs);
}

bool Target::Switch(std::string_view label, bool otherwise) const {
  return ParseBool(labels.Get(label)).value_or(otherwise);
}

uint64_t Target::Hash() const {
  std::array<char, 32> digits = {};
  const int n = std::snprintf(digits.data(), digits.size(), "%016llu",
                              static_cast<unsigned long long>(labels.Hash()));
  const uint64_t hash =
      Fnv1a(kFnvBasis, {digits.data(), static_cast<size_t>(n)});
  return Fnv1a(hash, url);
}

Labels DiscoveredLabels(const Job& job, const Labels& target_labels,
                        const Labels& group_labels) {
  LabelsBuilder labels(group_labels);
  for (const Label& label : target_labels) labels.Set(label.name, label.value);
  AddDefaults(job, labels);
  return labels.Build();
}

absl::StatusOr<TargetOutcome> MakeTarget(const Job& job, const Relabeler& rules,
                                         const Labels& target_labels,
                                         const Labels& group_labels) {
  TargetOutcome outcome;
  Target& target = outcome.target;
  target.discovered = DiscoveredLabels(job, target_labels, group_labels);
  LabelsBuilder labels(target.discovered);

  outcome.dropped = !rules.Process(labels);
  if (outcome.dropped) return outcome;
  const std::string address(labels.Get(kAddressLabel));
  if (address.empty() && labels.Get(kUnixSocket).empty()) {
    return InvalidArgument("no address");
  }
  if (address.find('/') != std::string::npos) {
    return InvalidArgument(
        StrCat(GoQuote(address), " is not a valid hostname"));
  }
  NARTHEX_ASSIGN_OR_RETURN(target.interval,
                           ReadDuration(labels, kInterval, "scrape interval"));
  NARTHEX_ASSIGN_OR_RETURN(target.timeout,
                           ReadDuration(labels, kTimeout, "scrape timeout"));
  if (target.timeout > target.interval) {
    return InvalidArgument(
        StrCat("scrape timeout cannot be greater than scrape interval (",
               GoQuote(labels.Get(kTimeout)), " > ",
               GoQuote(labels.Get(kInterval)), ")"));
  }
  for (const auto& [label, what] : kSwitches) {
    const std::string_view value = labels.Get(label);
    if (value.empty() || ParseBool(value).has_value()) continue;
    return InvalidArgument(StrCat("error parsing ", what,
                                  ": strconv.ParseBool: parsing ",
                                  GoQuote(value), ": invalid syntax"));
  }
  std::vector<std::string> meta;
  for (const Label& label : labels.Pairs()) {
    if (label.name.starts_with(kMeta)) meta.emplace_back(label.name);
  }
  for (const std::string& name : meta) labels.Del(name);
  if (labels.Get(kInstance).empty()) labels.Set(kInstance, address);
  target.labels = labels.Build();
  for (const Label& label : target.labels) {
    if (!IsValidUtf8(label.value)) {
      return InvalidArgument(StrCat("invalid label value for ",
                                    GoQuote(label.name), ": ",
                                    GoQuote(label.value)));
    }
  }
  target.url = MakeUrl(job, labels);
  return outcome;
}

std::string GlobalUrl(std::string_view url, const OwnAddress& own) {
  constexpr std::string_view kLocal[] = {"127.0.0.1", "localhost", "::1"};
  const size_t scheme_end = url.find("://");
  std::string_view own_host;
  std::string_view own_port;
  if (scheme_end == std::string_view::npos ||
      !SplitHostPort(own.host, own_host, own_port)) {
    return std::string(url);
  }
  const std::string_view scheme = url.substr(0, scheme_end);
  const std::string_view behind = url.substr(scheme_end + 3);
  const size_t path = std::min(behind.find_first_of("/?"), behind.size());
  std::string_view host;
  std::string_view port;
  if (!SplitHostPort(behind.substr(0, path), host, port) ||
      std::find(std::begin(kLocal), std::end(kLocal), host) ==
          std::end(kLocal)) {
    return std::string(url);
  }
  const std::string_view rest = behind.substr(path);
  if (port == own.listen_port) {
    return StrCat(own.scheme, "://", own.host, rest);
  }
  return StrCat(scheme, "://", own_host, ":", port, rest);
}

std::string_view TargetHealthName(TargetHealth health) {
  switch (health) {
    case TargetHealth::kUnknown:
      return "unknown";
    case TargetHealth::kUp:
      return "up";
    case TargetHealth::kDown:
      return "down";
  }
  return "unknown";
}

absl::Status ValidateJob(const Job& job) {
  if (job.name.empty()) return InvalidArgument("job_name is empty");
  const auto refuse = [&](std::string_view what) {
    return InvalidArgument(
        StrCat(what, " for scrape config with job name ", GoQuote(job.name)));
  };
  if (job.interval.ms <= 0) return refuse("scrape interval must be above 0");
  if (job.timeout.ms <= 0) return refuse("scrape timeout must be above 0");
  if (job.timeout > job.interval) {
    return refuse("scrape timeout greater than scrape interval");
  }
  if (job.scheme != "http" && job.scheme != "https") {
    return refuse(StrCat("unknown scheme ", GoQuote(job.scheme)));
  }
  if (job.protocols.empty()) return refuse("scrape_protocols cannot be empty");
  if (std::set(job.protocols.begin(), job.protocols.end()).size() !=
      job.protocols.size()) {
    return refuse("duplicated protocol in scrape_protocols");
  }
  if (job.name_escaping == NameEscaping::kAllowUtf8 &&
      job.name_validation != NameValidation::kUtf8) {
    return refuse(
        "utf8 metric names requested but validation scheme is not set to UTF8");
  }
  if (const absl::Status status = ValidateDiscovery(job); !status.ok()) {
    return refuse(Message(status));
  }
  NARTHEX_RETURN_IF_ERROR(ValidateHttpOptions(job.http));
  NARTHEX_RETURN_IF_ERROR(
      Relabeler::Make(job.relabel, job.name_validation).status());
  return Relabeler::Make(job.metric_relabel, job.name_validation).status();
}

}  // namespace narthex::scrape
