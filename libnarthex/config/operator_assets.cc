// What monitors refer to and what holds for all of them: Secrets, ConfigMaps,
// the Prometheus object.

#include <algorithm>

#include "libnarthex/config/operator_parts.h"

namespace narthex::config {
namespace {

std::string KeyOf(std::string_view kind, std::string_view name_space,
                  std::string_view name) {
  return StrCat(kind, "/", name_space, "/", name);
}

absl::Status ReadData(const OperatorObject& object, std::string_view field,
                      bool base64, std::map<std::string, std::string>& out) {
  const YamlNode* data = FindMember(*object.node, field);
  if (data == nullptr) return absl::OkStatus();
  for (const YamlEntry& entry : data->entries) {
    std::string text = TextOf(&entry.value);
    std::string bytes;
    if (base64 && !DecodeBase64(text, bytes)) {
      return ErrorAt(object.file, entry.value,
                     StrCat(entry.key, " is no base64"));
    }
    out.insert_or_assign(entry.key, base64 ? std::move(bytes) : text);
  }
  return absl::OkStatus();
}

// Reads what a field of a monitor refers to.
class AssetReader {
 public:
  AssetReader(const OperatorObject& monitor, const OperatorAssets& assets)
      : monitor_(monitor), assets_(assets) {}

  // {name, key}
  absl::Status Secret(const YamlNode& node, std::string& out) const {
    return Find(node, "Secret", out);
  }
  // {secret: {name, key}} or {configMap: {name, key}}; neither: nothing.
  absl::Status SecretOrConfigMap(const YamlNode& node, std::string& out) const {
    MapReader map(node, monitor_.file, "reference");
    map.Read("secret", [&](const YamlNode& n) { return Secret(n, out); });
    map.Read("configMap",
             [&](const YamlNode& n) { return Find(n, "ConfigMap", out); });
    return map.Finish();
  }

  std::string_view file() const { return monitor_.file; }

 private:
  absl::Status Find(const YamlNode& node, std::string_view kind,
                    std::string& out) const {
    std::string name, key;
    bool optional = false;
    MapReader map(node, file(), "reference");
    map.Read("name", name);
    map.Read("key", key);
    map.Read("optional", optional);
    NARTHEX_RETURN_IF_ERROR(map.Finish());
    if (name.empty()) return absl::OkStatus();  // as good as not there
    const std::string path = KeyOf(kind, monitor_.name_space, name);
    const auto asset = assets_.find(path);
    if (asset == assets_.end()) {
      return ErrorAt(file(), node,
                     StrCat(path, " is not among the objects given"));
    }
    const auto value = asset->second.find(key);
    if (value == asset->second.end()) {
      return ErrorAt(file(), node, StrCat(path, " has no key ", GoQuote(key)));
    }
    out = value->second;
    return absl::OkStatus();
  }

  const OperatorObject& monitor_;
  const OperatorAssets& assets_;
};

absl::Status ReadTls(const YamlNode& node, const AssetReader& assets,
                     scrape::TlsOptions& out) {
  MapReader map(node, assets.file(), "tlsConfig");
  const auto reference = [&](std::string& into) {
    return [&](const YamlNode& n) { return assets.SecretOrConfigMap(n, into); };
  };
  map.Read("ca", reference(out.ca.value));
  map.Read("cert", reference(out.cert.value));
  map.Read("keySecret",
           [&](const YamlNode& n) { return assets.Secret(n, out.key.value); });
  map.Read("caFile", out.ca.file);
  map.Read("certFile", out.cert.file);
  map.Read("keyFile", out.key.file);
  map.Read("serverName", out.server_name);
  map.Read("insecureSkipVerify", out.insecure_skip_verify);
  map.Read("minVersion", out.min_version);
  map.Read("maxVersion", out.max_version);
  return map.Finish();
}

void ReadProxy(MapReader& map, const AssetReader& assets,
               scrape::ProxyOptions& out) {
  map.Read("proxyUrl", out.url);
  map.Read("noProxy", out.no_proxy);
  map.Read("proxyFromEnvironment", out.from_environment);
  map.Read("proxyConnectHeader", [&](const YamlNode& node) -> absl::Status {
    for (const YamlEntry& header : node.entries) {
      for (const YamlNode& item : header.value.items) {
        std::string value;
        NARTHEX_RETURN_IF_ERROR(assets.Secret(item, value));
        out.connect_headers.push_back(
            {header.key, {.value = std::move(value)}});
      }
    }
    return absl::OkStatus();
  });
}

absl::Status ReadOAuth2(const YamlNode& node, const AssetReader& assets,
                        scrape::OAuth2Options& out) {
  MapReader map(node, assets.file(), "oauth2");
  map.Read("clientId", [&](const YamlNode& n) {
    return assets.SecretOrConfigMap(n, out.client_id);
  });
  map.Read("clientSecret", [&](const YamlNode& n) {
    return assets.Secret(n, out.client_secret.value);
  });
  map.Read("tokenUrl", out.token_url);
  map.Read("scopes", out.scopes);
  map.Read("endpointParams", [&](const YamlNode& params) -> absl::Status {
    MapReader inner(params, assets.file(), "endpointParams");
    for (const YamlEntry& entry : params.entries) {
      inner.Read(entry.key, out.endpoint_params[entry.key]);
    }
    return inner.Finish();
  });
  map.Read("tlsConfig",
           [&](const YamlNode& n) { return ReadTls(n, assets, out.tls); });
  ReadProxy(map, assets, out.proxy);
  return map.Finish();
}

absl::Status ReadAuthorization(const YamlNode& node, const AssetReader& assets,
                               scrape::HttpOptions& out) {
  std::string type;
  MapReader map(node, assets.file(), "authorization");
  map.Read("type", type);
  map.Read("credentials", [&](const YamlNode& n) {
    return assets.Secret(n, out.credentials.value);
  });
  map.Read("credentialsFile", out.credentials.file);
  if (!type.empty()) out.auth_type = type;
  return map.Finish();
}

absl::Status ReadBasicAuth(const YamlNode& node, const AssetReader& assets,
                           scrape::HttpOptions& out) {
  MapReader map(node, assets.file(), "basicAuth");
  map.Read("username", [&](const YamlNode& n) {
    return assets.Secret(n, out.basic_auth_user.value);
  });
  map.Read("password", [&](const YamlNode& n) {
    return assets.Secret(n, out.basic_auth_password.value);
  });
  return map.Finish();
}

}  // namespace

absl::Status ReadAssets(const OperatorObject& object, OperatorAssets& out) {
  auto& keys = out[KeyOf(object.kind, object.name_space, object.name)];
  if (object.kind == "Secret") {
    NARTHEX_RETURN_IF_ERROR(ReadData(object, "data", /*base64=*/true, keys));
    return ReadData(object, "stringData", /*base64=*/false, keys);
  }
  NARTHEX_RETURN_IF_ERROR(ReadData(object, "data", /*base64=*/false, keys));
  return ReadData(object, "binaryData", /*base64=*/true, keys);
}

absl::Status ReadSettings(const OperatorObject& object, OperatorSettings& out) {
  out.shards = out.shards.value_or(1);
  out.interval = Seconds(30);  // the operator's default
  const YamlNode* spec = FindMember(*object.node, "spec");
  if (spec == nullptr) return absl::OkStatus();
  // Most of such an object is about pods and storage: no Finish, which would
  // refuse it.
  MapReader map(*spec, object.file, "spec");
  size_t shards = 0;
  map.Read("shards", shards);
  if (shards != 0) out.shards = shards;
  scrape::Job& limits = out.enforced;
  map.Read("enforcedSampleLimit", limits.sample_limit);
  map.Read("enforcedTargetLimit", limits.target_limit);
  map.Read("enforcedLabelLimit", limits.label_limit);
  map.Read("enforcedLabelNameLengthLimit", limits.label_name_length_limit);
  map.Read("enforcedLabelValueLengthLimit", limits.label_value_length_limit);
  map.Read("enforcedKeepDroppedTargets", limits.keep_dropped_targets);
  map.ReadBytes("enforcedBodySizeLimit", limits.body_size_limit);
  map.Read("enforcedNamespaceLabel", out.enforced_namespace_label);
  map.ReadEach("excludedFromEnforcement",
               [&](const YamlNode& item) -> absl::Status {
                 out.excluded.push_back({TextAt(item, "resource"),
                                         TextAt(item, "namespace"),
                                         TextAt(item, "name")});
                 return absl::OkStatus();
               });
  map.Read("overrideHonorLabels", out.override_honor_labels);
  map.Read("overrideHonorTimestamps", out.override_honor_timestamps);
  map.Read("ignoreNamespaceSelectors", out.ignore_namespace_selectors);
  map.Read("podTargetLabels", out.pod_target_labels);
  std::string role;
  map.Read("serviceDiscoveryRole", role);
  out.slices = role == "EndpointSlice";
  Duration interval = {}, timeout = {};
  map.Read("scrapeInterval", interval);
  map.Read("scrapeTimeout", timeout);
  if (interval.ms != 0) out.interval = interval;
  if (timeout.ms != 0) out.timeout = timeout;
  return map.status();
}

void ReadMonitorHttp(MapReader& map, const OperatorObject& monitor,
                     const OperatorAssets& assets, scrape::HttpOptions& out) {
  const AssetReader reader(monitor, assets);
  map.Read("followRedirects", out.follow_redirects);
  map.Read("enableHttp2", out.enable_http2);
  map.Read("tlsConfig",
           [&](const YamlNode& n) { return ReadTls(n, reader, out.tls); });
  map.Read("bearerTokenFile", out.credentials.file);
  map.Read("bearerTokenSecret", [&](const YamlNode& n) {
    return reader.Secret(n, out.credentials.value);
  });
  map.Read("basicAuth",
           [&](const YamlNode& n) { return ReadBasicAuth(n, reader, out); });
  map.Read("oauth2", [&](const YamlNode& n) {
    return ReadOAuth2(n, reader, out.oauth2.emplace());
  });
  map.Read("authorization", [&](const YamlNode& n) {
    return ReadAuthorization(n, reader, out);
  });
}

void ReadMonitorProxy(MapReader& map, const OperatorObject& monitor,
                      const OperatorAssets& assets, scrape::ProxyOptions& out) {
  ReadProxy(map, AssetReader(monitor, assets), out);
}

}  // namespace narthex::config
