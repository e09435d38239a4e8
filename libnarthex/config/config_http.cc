// How to talk to a server: authorization, TLS, proxies.

#include "libnarthex/config/config_parts.h"

namespace narthex::config {
namespace {

// Whether both are given is for ValidateHttpOptions to say.
void ReadSecret(MapReader& map, std::string_view file, std::string_view value,
                std::string_view path, scrape::Secret& out) {
  map.Read(value, out.value);
  map.Read(path, out.file);
  out.file = FromFolderOf(file, out.file);
}

absl::Status ReadBasicAuth(const YamlNode& node, std::string_view file,
                           scrape::HttpOptions& out) {
  MapReader map(node, file, "basic_auth");
  ReadSecret(map, file, "username", "username_file", out.basic_auth_user);
  ReadSecret(map, file, "password", "password_file", out.basic_auth_password);
  map.Refuse({"username_ref", "password_ref"});
  return map.Finish();
}

std::string Trimmed(const std::string& text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t start = text.find_first_not_of(kSpace);
  if (start == std::string::npos) return {};
  return text.substr(start, text.find_last_not_of(kSpace) - start + 1);
}

absl::Status ReadAuthorization(const YamlNode& node, std::string_view file,
                               scrape::HttpOptions& out) {
  MapReader map(node, file, "authorization");
  map.Read("type", out.auth_type);
  out.auth_type = Trimmed(out.auth_type);
  if (out.auth_type.empty()) out.auth_type = "Bearer";
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

void ReadProxy(MapReader& map, std::string_view file,
               scrape::ProxyOptions& out) {
  map.Read("proxy_url", out.url);
  map.Read("no_proxy", out.no_proxy);
  map.Read("proxy_from_environment", out.from_environment);
  map.Read("proxy_connect_header", [&](const YamlNode& node) -> absl::Status {
    if (node.kind != YamlNode::Kind::kMap) {
      return ErrorAt(file, node, "proxy_connect_header must be a map of lists");
    }
    MapReader headers(node, file, "proxy_connect_header");
    for (const YamlEntry& entry : node.entries) {
      std::vector<std::string> values;
      headers.Read(entry.key, values);
      for (std::string& value : values) {
        out.connect_headers.push_back({entry.key, {.value = std::move(value)}});
      }
    }
    return headers.Finish();
  });
}

absl::Status ReadOAuth2(const YamlNode& node, std::string_view file,
                        scrape::OAuth2Options& out) {
  MapReader map(node, file, "oauth2");
  map.Read("client_id", out.client_id);
  ReadSecret(map, file, "client_secret", "client_secret_file",
             out.client_secret);
  map.Read("scopes", out.scopes);
  map.Read("token_url", out.token_url);
  map.Read("endpoint_params", [&](const YamlNode& params) -> absl::Status {
    if (params.kind != YamlNode::Kind::kMap) {
      return ErrorAt(file, params, "endpoint_params must be a map of texts");
    }
    MapReader fields(params, file, "endpoint_params");
    for (const YamlEntry& entry : params.entries) {
      fields.Read(entry.key, out.endpoint_params[entry.key]);
    }
    return fields.Finish();
  });
  map.Read("tls_config",
           [&](const YamlNode& tls) { return ReadTls(tls, file, out.tls); });
  ReadProxy(map, file, out.proxy);
  // Credentials that are signed by the client, and secret managers.
  map.Refuse({"client_secret_ref", "grant_type", "client_certificate_key",
              "client_certificate_key_file", "client_certificate_key_ref",
              "client_certificate_key_id", "signature_algorithm", "iss",
              "audience", "claims"});
  return map.Finish();
}

absl::Status ReadHeaders(const YamlNode& node, std::string_view file,
                         scrape::HttpOptions& out) {
  if (node.kind != YamlNode::Kind::kMap) {
    return ErrorAt(file, node, "http_headers must be a map");
  }
  for (const YamlEntry& entry : node.entries) {
    MapReader map(entry.value, file, "http_headers entry");
    std::vector<std::string> values, secrets, files;
    map.Read("values", values);
    map.Read("secrets", secrets);
    map.Read("files", files);
    NARTHEX_RETURN_IF_ERROR(map.Finish());
    for (std::vector<std::string>* list : {&values, &secrets}) {
      for (std::string& value : *list) {
        out.headers.push_back({entry.key, {.value = std::move(value)}});
      }
    }
    for (const std::string& path : files) {
      out.headers.push_back({entry.key, {.file = FromFolderOf(file, path)}});
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
  map.Read("oauth2", [&](const YamlNode& node) {
    return ReadOAuth2(node, file, out.oauth2.emplace());
  });
  // The older spelling of authorization.
  const bool token = map.Has("bearer_token");
  const bool token_file = map.Has("bearer_token_file");
  if (token && token_file) {
    map.Fail(
        "at most one of bearer_token & bearer_token_file must be configured");
  }
  if (token || token_file) {
    if (map.Has("authorization")) {
      map.Fail(
          "authorization is not compatible with bearer_token & "
          "bearer_token_file");
    }
    if (map.Has("basic_auth") || map.Has("oauth2")) {
      map.Fail(
          "at most one of basic_auth, oauth2, bearer_token & "
          "bearer_token_file must be configured");
    }
  }
  if (token || token_file) {
    ReadSecret(map, file, "bearer_token", "bearer_token_file", out.credentials);
  }
  map.Read("tls_config",
           [&](const YamlNode& node) { return ReadTls(node, file, out.tls); });
  ReadProxy(map, file, out.proxy);
  map.Read("follow_redirects", out.follow_redirects);
  map.Read("enable_http2", out.enable_http2);
  map.Read("http_headers",
           [&](const YamlNode& node) { return ReadHeaders(node, file, out); });
}

}  // namespace narthex::config
