// What is wrong with some options.

#include <algorithm>
#include <cctype>
#include <string>

#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {
namespace {

// What the connection needs, or what is set in another way.
constexpr std::string_view kReservedHeaders[] = {
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256"};

// "x-my-header" as Go writes it: "X-My-Header".
std::string CanonicalHeader(std::string_view name) {
  std::string out = AsciiLower(name);
  bool begins = true;
  for (char& c : out) {
    if (begins) {
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    begins = c == '-';
  }
  return out;
}

bool IsTwice(const Secret& secret) {
  return !secret.value.empty() + !secret.file.empty() + !secret.ref.empty() > 1;
}

constexpr std::string_view kTlsVersions[] = {"", "TLS10", "TLS11", "TLS12",
                                             "TLS13"};

absl::Status ValidateTls(const TlsOptions& tls) {
  const auto at_most_one = [](std::string_view what) {
    return InvalidArgument(StrCat("at most one of ", what, ", ", what,
                                  "_file & ", what, "_ref must be configured"));
  };
  if (IsTwice(tls.ca)) return at_most_one("ca");
  if (IsTwice(tls.cert)) return at_most_one("cert");
  if (IsTwice(tls.key)) {
    return InvalidArgument(
        "at most one of key and key_file must be configured");
  }
  if (tls.key.empty() && !tls.cert.empty()) {
    return InvalidArgument(
        "exactly one of key or key_file must be configured when a client "
        "certificate is configured");
  }
  if (tls.cert.empty() && !tls.key.empty()) {
    return InvalidArgument(
        "exactly one of cert or cert_file must be configured when a client key "
        "is configured");
  }
  for (const std::string& version : {tls.min_version, tls.max_version}) {
    if (std::find(std::begin(kTlsVersions), std::end(kTlsVersions), version) ==
        std::end(kTlsVersions)) {
      return InvalidArgument(StrCat("unknown TLS version: ", version));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateProxy(const ProxyOptions& proxy) {
  if (!proxy.connect_headers.empty() && !proxy.from_environment &&
      proxy.url.empty()) {
    return InvalidArgument(
        "if proxy_connect_header is configured, proxy_url or "
        "proxy_from_environment must also be configured");
  }
  if (proxy.from_environment && !proxy.url.empty()) {
    return InvalidArgument(
        "if proxy_from_environment is configured, proxy_url must not be "
        "configured");
  }
  if (proxy.from_environment && !proxy.no_proxy.empty()) {
    return InvalidArgument(
        "if proxy_from_environment is configured, no_proxy must not be "
        "configured");
  }
  if (proxy.url.empty() && !proxy.no_proxy.empty()) {
    return InvalidArgument(
        "if no_proxy is configured, proxy_url must also be configured");
  }
  return absl::OkStatus();
}

absl::Status ValidateOAuth2(const OAuth2Options& oauth2) {
  if (oauth2.client_id.empty()) {
    return InvalidArgument("oauth2 client_id must be configured");
  }
  if (oauth2.token_url.empty()) {
    return InvalidArgument("oauth2 token_url must be configured");
  }
  if (oauth2.grant_type == kJwtBearer) {
    if (IsTwice(oauth2.client_certificate_key)) {
      return InvalidArgument(StrCat(
          "at most one of oauth2 client_certificate_key, "
          "client_certificate_key_file & client_certificate_key_ref must be "
          "configured using grant-type=",
          kJwtBearer));
    }
    const std::string& algorithm = oauth2.signature_algorithm;
    if (!algorithm.empty() && algorithm != "RS256" && algorithm != "RS384" &&
        algorithm != "RS512") {
      return InvalidArgument(
          "valid signature algorithms are RS256, RS384 and RS512");
    }
  } else if (IsTwice(oauth2.client_secret)) {
    return InvalidArgument(
        "at most one of oauth2 client_secret, client_secret_file & "
        "client_secret_ref must be configured using "
        "grant-type=client_credentials");
  }
  NARTHEX_RETURN_IF_ERROR(ValidateTls(oauth2.tls));
  return ValidateProxy(oauth2.proxy);
}

}  // namespace

absl::Status ValidateHttpOptions(const HttpOptions& options) {
  const bool basic =
      !options.basic_auth_user.empty() || !options.basic_auth_password.empty();
  if (basic + !options.credentials.empty() + options.oauth2.has_value() > 1) {
    return InvalidArgument(
        "at most one of basic_auth, oauth2 & authorization must be configured");
  }
  if (IsTwice(options.credentials)) {
    return InvalidArgument(
        "at most one of authorization credentials & credentials_file must be "
        "configured");
  }
  if (AsciiLower(options.auth_type) == "basic") {
    return InvalidArgument(
        "authorization type cannot be set to \"basic\", use \"basic_auth\" "
        "instead");
  }
  if (IsTwice(options.basic_auth_user)) {
    return InvalidArgument(
        "at most one of basic_auth username, username_file & username_ref must "
        "be configured");
  }
  if (IsTwice(options.basic_auth_password)) {
    return InvalidArgument(
        "at most one of basic_auth password, password_file & password_ref must "
        "be configured");
  }
  if (options.oauth2) {
    NARTHEX_RETURN_IF_ERROR(ValidateOAuth2(*options.oauth2));
  }
  NARTHEX_RETURN_IF_ERROR(ValidateProxy(options.proxy));
  for (const auto& [name, value] : options.headers) {
    const std::string lower = AsciiLower(name);
    if (std::find(std::begin(kReservedHeaders), std::end(kReservedHeaders),
                  lower) != std::end(kReservedHeaders)) {
      return InvalidArgument(StrCat("setting header ",
                                    GoQuote(CanonicalHeader(name)),
                                    " is not allowed"));
    }
  }
  return ValidateTls(options.tls);
}

absl::Status CheckSecrets(const HttpOptions& options) {
  const auto check = [](const Secret& secret, std::string_view what) {
    if (secret.ref.empty()) return absl::OkStatus();
    return FailedPrecondition(StrCat(
        "unable to use ", what, ": cannot use secret ref without manager"));
  };
  const auto version = [](const std::string& text) {
    return std::find(std::begin(kTlsVersions), std::end(kTlsVersions), text) -
           std::begin(kTlsVersions);
  };
  const TlsOptions& tls = options.tls;
  if (!tls.min_version.empty() && !tls.max_version.empty() &&
      version(tls.max_version) < version(tls.min_version)) {
    return InvalidArgument(
        "tls_config.max_version must be greater than or equal to "
        "tls_config.min_version if both are specified");
  }
  NARTHEX_RETURN_IF_ERROR(check(tls.ca, "CA cert"));
  NARTHEX_RETURN_IF_ERROR(check(tls.cert, "client cert"));
  NARTHEX_RETURN_IF_ERROR(check(tls.key, "client key"));
  NARTHEX_RETURN_IF_ERROR(check(options.credentials, "credentials"));
  NARTHEX_RETURN_IF_ERROR(check(options.basic_auth_user, "username"));
  NARTHEX_RETURN_IF_ERROR(check(options.basic_auth_password, "password"));
  if (!options.oauth2) return absl::OkStatus();
  return options.oauth2->grant_type == kJwtBearer
             ? check(options.oauth2->client_certificate_key,
                     "client certificate")
             : check(options.oauth2->client_secret, "client secret");
}

}  // namespace narthex::scrape
