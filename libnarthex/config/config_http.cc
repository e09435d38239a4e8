// How to talk to a server: authorization, TLS, proxies.

#include "libnarthex/config/config_parts.h"

namespace narthex::config {
namespace {

void ReadSecret(MapReader& map, std::string_view file, std::string_view value,
                std::string_view path, scrape::Secret& out) {
  map.Read(value, out.value);
  map.Read(path, out.file);
  out.file = FromFolderOf(file, out.file);
  if (!out.value.empty() && !out.file.empty()) {
    map.Fail(
        StrCat("at most one of ", value, " & ", path, " must be configured"));
  }
}

absl::Status ReadBasicAuth(const YamlNode& node, std::string_view file,
                           scrape::HttpOptions& out) {
  MapReader map(node, file, "basic_auth");
  map.Read("username", out.basic_auth_user);
  ReadSecret(map, file, "password", "password_file", out.basic_auth_password);
  map.Refuse({"username_file", "username_ref", "password_ref"});
  return map.Finish();
}

absl::Status ReadAuthorization(const YamlNode& node, std::string_view file,
                               scrape::HttpOptions& out) {
  MapReader map(node, file, "authorization");
  map.Read("type", out.auth_type);
  ReadSecret(map, file, "credentials", "credentials_file", out.credentials);
  map.Refuse({"credentials_ref"});
  return map.Finish();
}

absl::Status ReadTls(const YamlNode& node, std::string_view file,
                     scrape::TlsOptions& out) {
  MapReader map(node, file, "tls_config");
  ReadSecret(map, file, "ca", "ca_file", out.ca);
  ReadSecret(map, file, "cert", "cert_file", out.cert);
  ReadSecret(map, file, "key", "key_file", out.key);
  map.Read("server_name", out.server_name);
  map.Read("insecure_skip_verify", out.insecure_skip_verify);
  map.Read("min_version", out.min_version);
  map.Read("max_version", out.max_version);
  map.Refuse({"ca_ref", "cert_ref", "key_ref"});
  return map.Finish();
}

absl::Status ReadHeaders(const YamlNode& node, std::string_view file,
                         scrape::HttpOptions& out) {
  if (node.kind != YamlNode::Kind::kMap) {
    return ErrorAt(file, node, "http_headers must be a map");
  }
  for (const YamlEntry& entry : node.entries) {
    MapReader map(entry.value, file, "http_headers entry");
    std::vector<std::string> values, secrets;
    map.Read("values", values);
    map.Read("secrets", secrets);
    map.Refuse({"files"});
    NARTHEX_RETURN_IF_ERROR(map.Finish());
    for (std::string& value : values) {
      out.headers.emplace_back(entry.key, std::move(value));
    }
    for (std::string& value : secrets) {
      out.headers.emplace_back(entry.key, std::move(value));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void ReadHttpOptions(MapReader& map, std::string_view file,
                     scrape::HttpOptions& out) {
  map.Read("basic_auth", [&](const YamlNode& node) {
    return ReadBasicAuth(node, file, out);
  });
  map.Read("authorization", [&](const YamlNode& node) {
    return ReadAuthorization(node, file, out);
  });
  // The older spelling of authorization.
  if (map.Has("bearer_token") || map.Has("bearer_token_file")) {
    if (map.Has("authorization")) {
      map.Fail(
          "authorization is not compatible with bearer_token & "
          "bearer_token_file");
    }
    ReadSecret(map, file, "bearer_token", "bearer_token_file", out.credentials);
  }
  map.Read("tls_config",
           [&](const YamlNode& node) { return ReadTls(node, file, out.tls); });
  map.Read("proxy_url", out.proxy_url);
  map.Read("no_proxy", out.no_proxy);
  map.Read("proxy_from_environment", out.proxy_from_environment);
  map.Read("follow_redirects", out.follow_redirects);
  map.Read("enable_http2", out.enable_http2);
  map.Read("http_headers",
           [&](const YamlNode& node) { return ReadHeaders(node, file, out); });
  map.Refuse({"oauth2", "proxy_connect_header"});
}

}  // namespace narthex::config
