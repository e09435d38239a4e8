// The configuration as YAML, every default written out, secrets hidden.

#include <algorithm>
#include <map>
#include <utility>

#include "libnarthex/config/config_parts.h"
#include "libnarthex/config/yaml_text.h"
#include "narthex/operator.h"

namespace narthex {
namespace {

using config::Quoted;
using config::YamlText;

void WriteProtocols(YamlText& out,
                    const std::vector<scrape::ScrapeProtocol>& protocols) {
  std::vector<std::string> names;
  for (const scrape::ScrapeProtocol protocol : protocols) {
    names.emplace_back(scrape::ScrapeProtocolName(protocol));
  }
  out.List("scrape_protocols", names);
}

template <typename Limits>
void WriteLimits(YamlText& out, const Limits& limits) {
  if (limits.body_size_limit != 0) {
    out.Text("body_size_limit", StrCat(limits.body_size_limit, "B"));
  }
  out.LimitIf("sample_limit", limits.sample_limit);
  out.LimitIf("target_limit", limits.target_limit);
  out.LimitIf("label_limit", limits.label_limit);
  out.LimitIf("label_name_length_limit", limits.label_name_length_limit);
  out.LimitIf("label_value_length_limit", limits.label_value_length_limit);
  out.LimitIf("keep_dropped_targets", limits.keep_dropped_targets);
}

// What jobs have and `global` too.
template <typename Part>
void WriteCommon(YamlText& out, const Part& part) {
  if (part.name_escaping) {
    out.Text("metric_name_escaping_scheme",
             scrape::NameEscapingName(*part.name_escaping));
  }
  if (part.extra_scrape_metrics) out.Flag("extra_scrape_metrics", true);
  if (part.scrape_native_histograms) {
    out.Flag("scrape_native_histograms", true);
  }
  if (part.convert_classic_histograms_to_nhcb) {
    out.Flag("convert_classic_histograms_to_nhcb", true);
  }
  if (part.always_scrape_classic_histograms) {
    out.Flag("always_scrape_classic_histograms", true);
  }
  out.TextIf("scrape_failure_log_file", part.scrape_failure_log_file);
}

void WriteTls(YamlText& out, const scrape::TlsOptions& tls) {
  if (tls == scrape::TlsOptions{}) return;
  out.Open("tls_config");
  out.TextIf("ca", tls.ca.value);
  out.TextIf("ca_file", tls.ca.file);
  out.TextIf("ca_ref", tls.ca.ref);
  out.TextIf("cert", tls.cert.value);
  out.TextIf("cert_file", tls.cert.file);
  out.TextIf("cert_ref", tls.cert.ref);
  out.SecretIf("key", tls.key);
  out.TextIf("server_name", tls.server_name);
  out.Flag("insecure_skip_verify", tls.insecure_skip_verify);
  out.TextIf("min_version", tls.min_version);
  out.TextIf("max_version", tls.max_version);
  out.Close();
}

// A URL's password is nobody's business.
std::string Redacted(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const size_t begin = scheme + 3;
  const size_t at = url.substr(0, url.find('/', begin)).rfind('@');
  if (at == std::string::npos || at < begin) return url;
  const size_t colon = url.find(':', begin);
  if (colon > at) return url;
  return url.substr(0, colon + 1) + "xxxxx" + url.substr(at);
}

void WriteProxy(YamlText& out, const scrape::ProxyOptions& proxy) {
  out.TextIf("proxy_url", out.reveal() ? proxy.url : Redacted(proxy.url));
  out.TextIf("no_proxy", proxy.no_proxy);
  if (proxy.from_environment) out.Flag("proxy_from_environment", true);
  if (proxy.connect_headers.empty()) return;
  out.Open("proxy_connect_header");
  std::map<std::string_view, std::vector<std::string>> headers;
  for (const auto& [name, value] : proxy.connect_headers) {
    std::vector<std::string>& values = headers[name];
    if (values.empty() || out.reveal()) values.push_back(out.Shown(value));
  }
  for (const auto& [name, values] : headers) out.List(Quoted(name), values);
  out.Close();
}

void WriteOAuth2(YamlText& out, const scrape::OAuth2Options& oauth2) {
  out.Open("oauth2");
  out.Text("client_id", oauth2.client_id);
  out.SecretIf("client_secret", oauth2.client_secret);
  out.TextIf("client_certificate_key_id", oauth2.client_certificate_key_id);
  out.SecretIf("client_certificate_key", oauth2.client_certificate_key);
  out.TextIf("grant_type", oauth2.grant_type);
  out.TextIf("signature_algorithm", oauth2.signature_algorithm);
  out.TextIf("iss", oauth2.iss);
  out.TextIf("audience", oauth2.audience);
  if (!oauth2.claims.empty()) {
    out.Open("claims");
    // JSON is YAML too.
    for (const auto& [name, json] : oauth2.claims) out.Raw(Quoted(name), json);
    out.Close();
  }
  if (!oauth2.scopes.empty()) out.List("scopes", oauth2.scopes);
  out.Text("token_url", oauth2.token_url);
  if (!oauth2.endpoint_params.empty()) {
    out.Open("endpoint_params");
    for (const auto& [name, value] : oauth2.endpoint_params) {
      out.Text(Quoted(name), value);
    }
    out.Close();
  }
  WriteTls(out, oauth2.tls);
  WriteProxy(out, oauth2.proxy);
  out.Close();
}

// Whether a value is secret is not kept: all but paths of files are hidden.
void WriteHeaders(
    YamlText& out,
    const std::vector<std::pair<std::string, scrape::Secret>>& headers) {
  if (headers.empty()) return;
  out.Open("http_headers");
  for (size_t i = 0; i < headers.size();) {
    const std::string& name = headers[i].first;
    std::vector<std::string> hidden, files;
    for (; i < headers.size() && headers[i].first == name; ++i) {
      const scrape::Secret& value = headers[i].second;
      if (value.file.empty()) {
        hidden.push_back(out.Shown(value));
      } else {
        files.push_back(value.file);
      }
    }
    out.Open(Quoted(name));
    if (!hidden.empty()) out.List("secrets", hidden);
    if (!files.empty()) out.List("files", files);
    out.Close();
  }
  out.Close();
}

void WriteHttp(YamlText& out, const scrape::HttpOptions& http) {
  if (!http.basic_auth_user.empty() || !http.basic_auth_password.empty()) {
    out.Open("basic_auth");
    out.TextIf("username", http.basic_auth_user.value);
    out.TextIf("username_file", http.basic_auth_user.file);
    out.TextIf("username_ref", http.basic_auth_user.ref);
    out.SecretIf("password", http.basic_auth_password);
    out.Close();
  }
  if (!http.credentials.empty()) {
    out.Open("authorization");
    out.Text("type", http.auth_type);
    out.SecretIf("credentials", http.credentials);
    out.Close();
  }
  if (http.oauth2) WriteOAuth2(out, *http.oauth2);
  WriteTls(out, http.tls);
  WriteProxy(out, http.proxy);
  out.Flag("follow_redirects", http.follow_redirects);
  out.Flag("enable_http2", http.enable_http2);
  WriteHeaders(out, http.headers);
}

void WriteRelabel(YamlText& out, std::string_view key,
                  const std::vector<scrape::RelabelRule>& rules) {
  if (rules.empty()) return;
  out.Open(key);
  for (const scrape::RelabelRule& rule : rules) {
    out.Item();
    if (!rule.source_labels.empty()) {
      std::string list;
      for (const std::string& label : rule.source_labels) {
        StrAppend(&list, list.empty() ? "" : ", ", Quoted(label));
      }
      out.Raw("source_labels", StrCat("[", list, "]"));
    }
    out.Text("separator", rule.separator);
    out.Text("regex", rule.regex);
    out.LimitIf("modulus", rule.modulus);
    out.TextIf("target_label", rule.target_label);
    out.Text("replacement", rule.replacement);
    out.Text("action", scrape::RelabelActionName(rule.action));
  }
  out.Close();
}

void WriteHttpDiscovery(YamlText& out, const scrape::HttpDiscovery& sd) {
  out.Item();
  WriteHttp(out, sd.http);
  out.Span("refresh_interval", sd.refresh_interval);
  out.Text("url", sd.url);
}

void WriteDnsDiscovery(YamlText& out, const scrape::DnsDiscovery& sd) {
  out.Item();
  out.List("names", sd.names);
  out.Span("refresh_interval", sd.refresh_interval);
  out.Text("type", scrape::DnsTypeName(sd.type));
  out.Raw("port", std::to_string(sd.port));
}

void WriteKubernetesDiscovery(YamlText& out,
                              const scrape::KubernetesDiscovery& sd) {
  out.Item();
  out.TextIf("api_server", sd.api_server);
  out.Text("role", scrape::KubernetesRoleName(sd.role));
  out.Raw("kubeconfig_file", Quoted(sd.kubeconfig_file));
  WriteHttp(out, sd.http);
  if (sd.own_namespace || !sd.namespaces.empty()) {
    out.Open("namespaces");
    out.Flag("own_namespace", sd.own_namespace);
    if (!sd.namespaces.empty()) out.List("names", sd.namespaces);
    out.Close();
  }
  if (!sd.selectors.empty()) {
    out.Open("selectors");
    for (const scrape::KubernetesSelector& selector : sd.selectors) {
      out.Item();
      out.Text("role", scrape::KubernetesRoleName(selector.role));
      out.TextIf("label", selector.label);
      out.TextIf("field", selector.field);
    }
    out.Close();
  }
  const bool owners =
      sd.attach_deployment || sd.attach_job || sd.attach_cronjob;
  if (sd.attach_node || sd.attach_namespace || owners) {
    out.Open("attach_metadata");
    out.Flag("node", sd.attach_node);
    out.Flag("namespace", sd.attach_namespace);
    if (owners) {  // older Prometheus does not know them
      out.Flag("deployment", sd.attach_deployment);
      out.Flag("job", sd.attach_job);
      out.Flag("cronjob", sd.attach_cronjob);
    }
    out.Close();
  }
}

// `key:` and what `write` makes of each item.
template <typename Item>
void WriteEach(YamlText& out, std::string_view key,
               const std::vector<Item>& items,
               void (*write)(YamlText&, const Item&)) {
  if (items.empty()) return;
  out.Open(key);
  for (const Item& item : items) write(out, item);
  out.Close();
}

void WriteJobFields(YamlText& out, const scrape::Job& job) {
  out.Text("job_name", job.name);
  if (job.honor_labels) out.Flag("honor_labels", true);
  out.Flag("honor_timestamps", job.honor_timestamps);
  out.Flag("track_timestamps_staleness", job.track_timestamps_staleness);
  if (!job.params.empty()) {
    out.Open("params");
    for (const auto& [key, values] : job.params) out.List(Quoted(key), values);
    out.Close();
  }
  out.Span("scrape_interval", job.interval);
  out.Span("scrape_timeout", job.timeout);
  WriteProtocols(out, job.protocols);
  if (job.fallback_protocol) {
    out.Text("fallback_scrape_protocol",
             scrape::ScrapeProtocolName(*job.fallback_protocol));
  }
  out.Text("metrics_path", job.metrics_path);
  out.Text("scheme", job.scheme);
  out.Flag("enable_compression", job.enable_compression);
  WriteLimits(out, job);
  out.LimitIf("native_histogram_bucket_limit",
              job.native_histogram_bucket_limit);
  if (job.native_histogram_min_bucket_factor != 0) {
    out.Raw("native_histogram_min_bucket_factor",
            FormatFloat(job.native_histogram_min_bucket_factor));
  }
  if (job.name_validation == scrape::NameValidation::kLegacy) {
    out.Text("metric_name_validation_scheme", "legacy");
  }
  WriteCommon(out, job);
  WriteHttp(out, job.http);
  WriteRelabel(out, "relabel_configs", job.relabel);
  WriteRelabel(out, "metric_relabel_configs", job.metric_relabel);
  if (!job.static_groups.empty() || !job.targets.empty()) {
    out.Open("static_configs");
    auto write = [&](const scrape::TargetGroup& group) {
      std::vector<std::string> addresses;
      for (const Labels& target : group.targets) {
        addresses.emplace_back(target.Get(scrape::kAddressLabel));
      }
      out.Item();
      out.List("targets", addresses);
      out.Map("labels", group.labels);
    };
    if (!job.targets.empty()) write(scrape::MakeTargetGroup(job.targets));
    for (const scrape::TargetGroup& group : job.static_groups) write(group);
    out.Close();
  }
  if (!job.file_discovery.empty()) {
    out.Open("file_sd_configs");
    for (const scrape::FileDiscovery& sd : job.file_discovery) {
      out.Item();
      out.List("files", sd.files);
      out.Span("refresh_interval", sd.refresh_interval);
    }
    out.Close();
  }
  WriteEach(out, "http_sd_configs", job.http_discovery, &WriteHttpDiscovery);
  WriteEach(out, "dns_sd_configs", job.dns_discovery, &WriteDnsDiscovery);
  WriteEach(out, "kubernetes_sd_configs", job.kubernetes_discovery,
            &WriteKubernetesDiscovery);
}

void WriteJob(YamlText& out, const scrape::Job& job) {
  out.Item();
  WriteJobFields(out, job);
}

}  // namespace

std::string FormatConfig(const Config& config) {
  YamlText out;
  const GlobalConfig& global = config.global;
  out.Open("global");
  out.Span("scrape_interval", global.scrape_interval);
  out.Span("scrape_timeout", global.scrape_timeout);
  if (!global.scrape_protocols.empty()) {
    WriteProtocols(out, global.scrape_protocols);
  }
  out.Span("evaluation_interval", global.evaluation_interval);
  out.Map("external_labels", global.external_labels);
  WriteLimits(out, global);
  if (global.name_validation == scrape::NameValidation::kLegacy) {
    out.Text("metric_name_validation_scheme", "legacy");
  }
  WriteCommon(out, global);
  out.Close();
  if (!config.scrape_config_files.empty()) {
    out.List("scrape_config_files", config.scrape_config_files);
  }
  std::vector<scrape::Job> own = config.jobs;
  own.resize(own.size() - std::min(own.size(), config.jobs_of_files));
  WriteEach(out, "scrape_configs", own, &WriteJob);
  const StorageConfig& storage = config.storage;
  const bool sized = storage.retention.has_value() ||
                     storage.retention_bytes.has_value() ||
                     storage.retention_percent.has_value();
  const bool late = storage.out_of_order_time_window.ms != 0;
  const bool exemplars = storage.max_exemplars != StorageConfig().max_exemplars;
  const bool chunks = storage.float_chunks.has_value();
  const bool stale = storage.stale_series_compaction_threshold != 0;
  if (sized || late || exemplars || chunks || stale) {
    out.Open("storage");
    if (sized || late || chunks || stale) {
      out.Open("tsdb");
      if (late) {
        out.Span("out_of_order_time_window", storage.out_of_order_time_window);
      }
      if (stale) {
        out.Raw("stale_series_compaction_threshold",
                StrCat(storage.stale_series_compaction_threshold));
      }
      if (chunks) {
        out.Open("chunk_encoding");
        out.Text("floats", *storage.float_chunks == tsdb::FloatChunks::kXor2
                               ? "xor2"
                               : "xor");
        out.Close();
      }
      if (sized) {
        out.Open("retention");
        if (storage.retention.has_value()) out.Span("time", *storage.retention);
        if (storage.retention_bytes.has_value()) {
          out.Raw("size", StrCat(*storage.retention_bytes, "B"));
        }
        if (storage.retention_percent.has_value()) {
          out.Raw("percentage", StrCat(*storage.retention_percent));
        }
        out.Close();
      }
      out.Close();
    }
    if (exemplars) {
      out.Open("exemplars");
      out.Raw("max_exemplars", StrCat(storage.max_exemplars));
      out.Close();
    }
    out.Close();
  }
  return out.Take();
}

std::string FormatJob(const scrape::Job& job) {
  YamlText out;
  WriteJobFields(out, job);
  return out.Take();
}

std::string FormatJobs(const std::vector<scrape::Job>& jobs) {
  YamlText out;
  WriteEach(out, "scrape_configs", jobs, &WriteJob);
  return out.Take();
}
std::string FormatJobsWithSecrets(const std::vector<scrape::Job>& jobs) {
  YamlText out(/*reveal=*/true);
  WriteEach(out, "scrape_configs", jobs, &WriteJob);
  return out.Take();
}

}  // namespace narthex
