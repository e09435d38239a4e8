// How to talk to a server: authorization, TLS, proxies.

#include <charconv>
#include <cmath>
#include <utility>

#include "libnarthex/config/config_parts.h"
#include "narthex/model/labels.h"

namespace narthex::config {
namespace {

// A secret's three fields.
struct SecretKeys {
  std::string_view value, file, ref;
};

// Whether several are given is for ValidateHttpOptions to say.
void ReadSecret(MapReader& map, std::string_view file, const SecretKeys& keys,
                scrape::Secret& out) {
  map.Read(keys.value, out.value);
  map.Read(keys.file, out.file);
  map.Read(keys.ref, out.ref);
  out.file = FromFolderOf(file, out.file);
}

absl::Status ReadBasicAuth(const YamlNode& node, std::string_view file,
                           scrape::HttpOptions& out) {
  MapReader map(node, file, "basic_auth");
  ReadSecret(map, file, {"username", "username_file", "username_ref"},
             out.basic_auth_user);
  ReadSecret(map, file, {"password", "password_file", "password_ref"},
             out.basic_auth_password);
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
  ReadSecret(map, file, {"credentials", "credentials_file", "credentials_ref"},
             out.credentials);
  return map.Finish();
}

absl::Status ReadTls(const YamlNode& node, std::string_view file,
                     scrape::TlsOptions& out) {
  MapReader map(node, file, "tls_config");
  ReadSecret(map, file, {"ca", "ca_file", "ca_ref"}, out.ca);
  ReadSecret(map, file, {"cert", "cert_file", "cert_ref"}, out.cert);
  ReadSecret(map, file, {"key", "key_file", "key_ref"}, out.key);
  map.Read("server_name", out.server_name);
  map.Read("insecure_skip_verify", out.insecure_skip_verify);
  map.Read("min_version", out.min_version);
  map.Read("max_version", out.max_version);
  return map.Finish();
}

void AppendJsonText(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20) {
      out += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  out += '"';
}

void AppendJsonScalar(const YamlNode& node, std::string& out) {
  std::string_view text = node.text;
  if (!node.plain) return AppendJsonText(text, out);
  bool boolean = false;
  if (AsBool(node, boolean)) {
    out += boolean ? "true" : "false";
    return;
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* const end = text.data() + text.size();
  int64_t whole = 0;
  double number = 0;
  const bool digits =
      !text.empty() && text.find_first_not_of("0123456789.eE+-") == text.npos;
  if (const auto [p, error] = std::from_chars(text.data(), end, whole);
      error == std::errc() && p == end) {
    StrAppend(&out, whole);
  } else if (digits && ParseGoFloat(text, number) && std::isfinite(number)) {
    out += FormatFloat(number, 'g');
  } else {
    AppendJsonText(node.text, out);
  }
}

// Appends `node` as JSON.  What YAML says of an unquoted text decides whether
// it is a number, a boolean or a text.
void AppendJson(const YamlNode& node, std::string& out) {
  std::string_view between;
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      out += "null";
      break;
    case YamlNode::Kind::kScalar:
      AppendJsonScalar(node, out);
      break;
    case YamlNode::Kind::kSequence:
      out += '[';
      for (const YamlNode& item : node.items) {
        out += std::exchange(between, ",");
        AppendJson(item, out);
      }
      out += ']';
      break;
    case YamlNode::Kind::kMap:
      out += '{';
      for (const YamlEntry& entry : node.entries) {
        out += std::exchange(between, ",");
        AppendJsonText(entry.key, out);
        out += ':';
        AppendJson(entry.value, out);
      }
      out += '}';
      break;
  }
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
  ReadSecret(map, file,
             {"client_secret", "client_secret_file", "client_secret_ref"},
             out.client_secret);
  map.Read("grant_type", out.grant_type);
  scrape::Secret& key = out.client_certificate_key;
  map.Read("client_certificate_key", key.value);
  // Unlike every other path this one is meant from where the process runs, in
  // Prometheus too.
  map.Read("client_certificate_key_file", key.file);
  map.Read("client_certificate_key_ref", key.ref);
  map.Read("client_certificate_key_id", out.client_certificate_key_id);
  map.Read("signature_algorithm", out.signature_algorithm);
  map.Read("iss", out.iss);
  map.Read("audience", out.audience);
  map.Read("claims", [&](const YamlNode& claims) -> absl::Status {
    if (claims.kind != YamlNode::Kind::kMap) {
      return ErrorAt(file, claims, "claims must be a map");
    }
    for (const YamlEntry& entry : claims.entries) {
      AppendJson(entry.value, out.claims[entry.key]);
    }
    return absl::OkStatus();
  });
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

// Two kinds of authorization, even empty ones.
void CheckOneAuthorization(MapReader& map, const scrape::Secret& bearer) {
  const bool basic = map.Has("basic_auth"), oauth2 = map.Has("oauth2");
  if (!bearer.value.empty() && !bearer.file.empty()) {
    map.Fail(
        "at most one of bearer_token & bearer_token_file must be configured");
  }
  if (!bearer.empty() && (basic || oauth2)) {
    map.Fail(
        "at most one of basic_auth, oauth2, bearer_token & bearer_token_file "
        "must be configured");
  }
  if (!bearer.empty() && map.Has("authorization")) {
    map.Fail(
        "authorization is not compatible with bearer_token & "
        "bearer_token_file");
  }
  if (basic + oauth2 + map.Has("authorization") > 1) {
    map.Fail(
        "at most one of basic_auth, oauth2 & authorization must be "
        "configured");
  }
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
  scrape::Secret bearer;
  map.Read("bearer_token", bearer.value);
  map.Read("bearer_token_file", bearer.file);
  bearer.file = FromFolderOf(file, bearer.file);
  CheckOneAuthorization(map, bearer);
  if (!bearer.empty()) out.credentials = std::move(bearer);
  map.Read("tls_config",
           [&](const YamlNode& node) { return ReadTls(node, file, out.tls); });
  ReadProxy(map, file, out.proxy);
  map.Read("follow_redirects", out.follow_redirects);
  map.Read("enable_http2", out.enable_http2);
  map.Read("http_headers",
           [&](const YamlNode& node) { return ReadHeaders(node, file, out); });
}

}  // namespace narthex::config
