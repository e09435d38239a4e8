// scrape_configs and relabel rules.

#include <algorithm>
#include <charconv>

#include "libnarthex/config/config_parts.h"
#include "narthex/model/labels.h"

namespace narthex::config {
namespace {

// Discovery that Prometheus has.
constexpr std::string_view kRefused[] = {
    "aws_sd_configs",          "azure_sd_configs",     "consul_sd_configs",
    "digitalocean_sd_configs", "docker_sd_configs",    "dockerswarm_sd_configs",
    "ec2_sd_configs",          "eureka_sd_configs",    "gce_sd_configs",
    "hetzner_sd_configs",      "ionos_sd_configs",     "kuma_sd_configs",
    "lightsail_sd_configs",    "linode_sd_configs",    "marathon_sd_configs",
    "nerve_sd_configs",        "nomad_sd_configs",     "openstack_sd_configs",
    "ovhcloud_sd_configs",     "outscale_sd_configs",  "puppetdb_sd_configs",
    "scaleway_sd_configs",     "serverset_sd_configs", "stackit_sd_configs",
    "triton_sd_configs",       "uyuni_sd_configs",     "vultr_sd_configs"};

// What is not said here is as `global` says, and of that what is not said is as
// validation or histograms need it.
void ReadNames(MapReader& map, const GlobalConfig& global, scrape::Job& job) {
  const bool own = map.Has("metric_name_validation_scheme");
  ReadNameValidation(map, job.name_validation);
  if (!own) job.name_escaping = global.name_escaping;
  ReadNameEscaping(map, "scrape config", job.name_escaping);
}

void ReadHistograms(MapReader& map, const GlobalConfig& global,
                    scrape::Job& job) {
  map.Read("scrape_native_histograms", job.scrape_native_histograms);
  map.Read("convert_classic_histograms_to_nhcb",
           job.convert_classic_histograms_to_nhcb);
  map.Read("always_scrape_classic_histograms",
           job.always_scrape_classic_histograms);
  if (!global.scrape_protocols.empty()) {
    job.protocols = global.scrape_protocols;
  } else if (job.scrape_native_histograms) {
    job.protocols = scrape::ProtobufFirstScrapeProtocols();
  }
  ReadScrapeProtocols(map,
                      StrCat("scrape config with job name ", GoQuote(job.name)),
                      job.protocols);
}

scrape::Job FromGlobal(const GlobalConfig& global) {
  scrape::Job job;
  job.interval = global.scrape_interval;
  job.name_validation = global.name_validation;
  job.extra_scrape_metrics = global.extra_scrape_metrics;
  job.scrape_native_histograms = global.scrape_native_histograms;
  job.convert_classic_histograms_to_nhcb =
      global.convert_classic_histograms_to_nhcb;
  job.always_scrape_classic_histograms =
      global.always_scrape_classic_histograms;
  job.scrape_failure_log_file = global.scrape_failure_log_file;
  job.body_size_limit = global.body_size_limit;
  job.sample_limit = global.sample_limit;
  job.target_limit = global.target_limit;
  job.label_limit = global.label_limit;
  job.label_name_length_limit = global.label_name_length_limit;
  job.label_value_length_limit = global.label_value_length_limit;
  job.keep_dropped_targets = global.keep_dropped_targets;
  return job;
}

}  // namespace

absl::Status ReadParams(const YamlNode& node, std::string_view file,
                        std::map<std::string, std::vector<std::string>>& out) {
  if (node.kind != YamlNode::Kind::kMap) {
    return ErrorAt(file, node, "params must be a map of lists");
  }
  MapReader map(node, file, "params");
  for (const YamlEntry& entry : node.entries) {
    map.Read(entry.key, out[entry.key]);
  }
  return map.Finish();
}

void ReadRelabelRules(MapReader& map, std::string_view key,
                      std::string_view file, scrape::NameValidation validation,
                      std::vector<scrape::RelabelRule>& out) {
  map.ReadEach(key, [&](const YamlNode& node) -> absl::Status {
    if (node.kind == YamlNode::Kind::kNull) {
      const bool targets = key == "relabel_configs";
      return ErrorAt(file, node,
                     StrCat("empty or null ", targets ? "target" : "metric",
                            " relabeling rule in scrape config"));
    }
    NARTHEX_ASSIGN_OR_RETURN(
        scrape::RelabelRule rule,
        ReadRelabelRule(node, file, validation, map.keys()));
    out.push_back(std::move(rule));
    return absl::OkStatus();
  });
}

// 0 is as good as not said: then `global` counts.
void ReadLimits(MapReader& map, scrape::Job& job) {
  const auto read = [&](std::string_view key, size_t& out) {
    size_t limit = 0;
    map.Read(key, limit);
    if (limit != 0) out = limit;
  };
  uint64_t body_size = 0;
  map.ReadBytes("body_size_limit", body_size);
  if (body_size != 0) job.body_size_limit = body_size;
  read("sample_limit", job.sample_limit);
  read("target_limit", job.target_limit);
  read("label_limit", job.label_limit);
  read("label_name_length_limit", job.label_name_length_limit);
  read("label_value_length_limit", job.label_value_length_limit);
  read("keep_dropped_targets", job.keep_dropped_targets);
  read("native_histogram_bucket_limit", job.native_histogram_bucket_limit);
  map.Read("native_histogram_min_bucket_factor",
           job.native_histogram_min_bucket_factor);
}

void ReadFallbackProtocol(MapReader& map, std::string_view key,
                          scrape::Job& job) {
  map.ReadText(key, [&](const std::string& text) -> absl::Status {
    if (text.empty()) return absl::OkStatus();
    const auto read = scrape::ParseScrapeProtocol(text);
    if (!read.ok()) {
      return InvalidArgument(
          StrCat("invalid fallback_scrape_protocol for scrape config with job "
                 "name ",
                 GoQuote(job.name), ": ", Message(read.status())));
    }
    job.fallback_protocol = *read;
    return absl::OkStatus();
  });
}

absl::StatusOr<scrape::RelabelRule> ReadRelabelRule(
    const YamlNode& node, std::string_view file,
    scrape::NameValidation validation, KeyCase keys) {
  if (node.kind != YamlNode::Kind::kMap) {
    return ErrorAt(file, node, "empty or null relabel config");
  }
  scrape::RelabelRule rule;
  MapReader map(node, file, "relabel config", keys);
  map.Read("source_labels", rule.source_labels);
  map.Read("separator", rule.separator);
  map.Read("regex", rule.regex);
  map.ReadText("modulus", [&](const std::string& text) -> absl::Status {
    const char* end = text.data() + text.size();
    const auto [p, error] = std::from_chars(text.data(), end, rule.modulus);
    if (error == std::errc() && p == end) return absl::OkStatus();
    return InvalidArgument(
        StrCat("must be a whole number, not \"", text, "\""));
  });
  map.Read("target_label", rule.target_label);
  map.Read("replacement", rule.replacement);
  map.ReadText("action", [&](const std::string& text) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(rule.action, scrape::ParseRelabelAction(text));
    return absl::OkStatus();
  });
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  auto checked = scrape::Relabeler::Make({&rule, 1}, validation);
  if (!checked.ok()) return ErrorAt(file, node, Message(checked.status()));
  return rule;
}

absl::StatusOr<scrape::Job> ReadJob(const YamlNode& node, std::string_view file,
                                    const GlobalConfig& global) {
  if (node.kind != YamlNode::Kind::kMap) {
    return ErrorAt(file, node, "empty or null scrape config section");
  }
  scrape::Job job = FromGlobal(global);
  MapReader map(node, file, "scrape config");
  map.Read("job_name", job.name);
  if (job.name.empty()) map.Fail("job_name is empty");

  Duration interval = {}, timeout = {};
  map.Read("scrape_interval", interval);
  if (interval.ms != 0) job.interval = interval;
  job.timeout = std::min(global.scrape_timeout, job.interval);
  map.Read("scrape_timeout", timeout);
  if (timeout.ms != 0) job.timeout = timeout;

  map.Read("metrics_path", job.metrics_path);
  map.Read("scheme", job.scheme);
  map.Read("params", [&](const YamlNode& params) {
    return ReadParams(params, file, job.params);
  });
  ReadHttpOptions(map, file, job.http);
  map.Read("enable_compression", job.enable_compression);
  ReadHistograms(map, global, job);
  ReadFallbackProtocol(map, "fallback_scrape_protocol", job);

  map.Read("honor_labels", job.honor_labels);
  map.Read("honor_timestamps", job.honor_timestamps);
  map.Read("track_timestamps_staleness", job.track_timestamps_staleness);
  map.Read("extra_scrape_metrics", job.extra_scrape_metrics);
  ReadNames(map, global, job);
  ReadFailureLog(map, file, job.scrape_failure_log_file);
  ReadLimits(map, job);
  ReadRelabelRules(map, "relabel_configs", file, job.name_validation,
                   job.relabel);
  ReadRelabelRules(map, "metric_relabel_configs", file, job.name_validation,
                   job.metric_relabel);

  ReadDiscovery(map, file, job);
  map.Refuse(kRefused);
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  const absl::Status valid = scrape::ValidateJob(job);
  if (!valid.ok()) return ErrorAt(file, node, Message(valid));
  return job;
}

}  // namespace narthex::config
