// The HTTP client that scrapes, service discovery, remote write and the
// notifier share: an interface, and an implementation over libcurl's multi
// interface with one thread that only moves bytes.
//
// Any thread may call Send and Cancel.  Tests pass a client of their own that
// answers at once.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"

namespace narthex::scrape {

// A text given directly, or the path of a file that is read anew for every
// request (so that it can be rotated), or its name in a secret manager.  All
// empty: not given.
struct Secret {
  std::string value = {};
  std::string file = {};
  // Valid, as in Prometheus; and as in Prometheus's own server there is no
  // manager to ask: whoever needs the secret fails (CheckSecrets).
  std::string ref = {};

  bool empty() const { return value.empty() && file.empty() && ref.empty(); }
  friend bool operator==(const Secret &, const Secret &) = default;
};

struct TlsOptions {
  Secret ca = {};  // PEM; none: the system's
  Secret cert = {};
  Secret key = {};
  std::string server_name = {};
  bool insecure_skip_verify = false;
  std::string min_version = {};  // "TLS10".."TLS13"; "": TLS 1.2
  std::string max_version = {};

  friend bool operator==(const TlsOptions &, const TlsOptions &) = default;
};

// Which proxy to take, if any: one that is named, or what HTTP_PROXY,
// HTTPS_PROXY and NO_PROXY say.
struct ProxyOptions {
  std::string url = {};
  // Comma-separated, as in NO_PROXY: hosts, .domains, addresses, networks, each
  // maybe with a port; `*`: all.
  std::string no_proxy = {};
  bool from_environment = false;
  // For the proxy alone, when it makes a tunnel.
  std::vector<std::pair<std::string, Secret>> connect_headers = {};

  friend bool operator==(const ProxyOptions &, const ProxyOptions &) = default;
};

// OAuth2Options::grant_type of RFC 7523.
inline constexpr std::string_view kJwtBearer =
    "urn:ietf:params:oauth:grant-type:jwt-bearer";

// A token asked for with the client's credentials, and kept while it is good.
struct OAuth2Options {
  std::string client_id = {};
  Secret client_secret = {};
  std::vector<std::string> scopes = {};
  std::string token_url = {};
  // Added to the request's form; may replace grant_type in it, nothing else.
  std::map<std::string, std::string> endpoint_params = {};
  // kJwtBearer: instead of a secret the client sends a token that it has signed
  // itself.  Anything else: client_credentials.
  std::string grant_type = {};

  // --- Of kJwtBearer alone.

  Secret client_certificate_key = {};  // RSA, PEM
  std::string client_certificate_key_id = {};
  std::string signature_algorithm = {};  // RS256 (the default), RS384, RS512
  std::string iss = {};                  // empty: client_id
  std::string audience = {};             // empty: token_url
  // More of them, and instead of those above: name to value as JSON.
  std::map<std::string, std::string> claims = {};

  // --- Of both.

  // How the token's server is asked.
  TlsOptions tls = {};
  ProxyOptions proxy = {};

  friend bool operator==(const OAuth2Options &,
                         const OAuth2Options &) = default;
};

// How to talk to a server: http_config of Prometheus.  At most one of basic
// authorization, credentials and oauth2 is given.
struct HttpOptions {
  // A user's name is no secret, but it may stand in a file too.
  Secret basic_auth_user = {};
  Secret basic_auth_password = {};
  std::string auth_type = "Bearer";  // goes before the credentials
  Secret credentials = {};
  std::optional<OAuth2Options> oauth2 = std::nullopt;
  TlsOptions tls = {};
  ProxyOptions proxy = {};
  bool follow_redirects = true;
  bool enable_http2 = true;
  std::vector<std::pair<std::string, Secret>> headers = {};

  friend bool operator==(const HttpOptions &, const HttpOptions &) = default;
};

// What cannot work, in Prometheus's words: two kinds of authorization, a key
// without certificate, an unknown TLS version, headers that are not the user's
// to set.
absl::Status ValidateHttpOptions(const HttpOptions &options);
// What is valid and yet no client can be made of, in Prometheus's words:
// secrets of a manager, TLS versions that leave none.
absl::Status CheckSecrets(const HttpOptions &options);

struct HttpRequest {
  std::string method = "GET";
  std::string url = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  Duration timeout = Seconds(10);  // of the whole exchange
  // Of the body after decompression; 0: no limit.  At the limit the exchange
  // fails with kResourceExhausted "body size limit exceeded".
  uint64_t body_limit = 0;
  bool accept_gzip = true;       // offers gzip and unpacks it
  std::string unix_socket = {};  // connects to this path instead of the host
  std::shared_ptr<const HttpOptions> options = {};  // null: the defaults
  // Comes back as HttpResponse::body, emptied first: hand in the last one to
  // use its memory again.
  std::string buffer = {};
  // If given, the body of an answer with status 200 goes here as it comes, on
  // the client's thread, and not into HttpResponse::body; body_limit does not
  // hold for it.  What is given must only hand over and return.
  std::function<void(std::string_view bytes)> on_body = {};
};

struct HttpResponse {
  int status = 0;
  std::string reason = {};  // "Not Found"; the standard's if the server is mute
  std::string content_type = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};

  // "404 Not Found"
  std::string StatusLine() const;
};

class HttpClient {
 public:
  enum class RequestId : uint64_t { kNone = 0 };
  using Done = absl::AnyInvocable<void(absl::StatusOr<HttpResponse>) &&>;

  virtual ~HttpClient() = default;
  // Begins the exchange and returns.  `done` is called exactly once, from a
  // thread of the client's or before Send returns; it must only hand over to an
  // Executor.  An answer of any status is OK; an error says that there was
  // none: kDeadlineExceeded, kCancelled, kResourceExhausted, kUnavailable (no
  // connection), kInvalidArgument (bad URL or options).  Its text is what
  // Prometheus would show: `Get "http://h/metrics": ...`.
  virtual RequestId Send(HttpRequest request, Done done) = 0;
  // The exchange ends soon, with kCancelled, if it has not ended yet.
  virtual void Cancel(RequestId id) = 0;
};

struct CurlOptions {
  int max_connections = 0;  // kept alive; 0: as many as there are servers
};

// Over libcurl.  Its destructor cancels what is under way, calls every `done`,
// and joins its thread.
absl::StatusOr<std::unique_ptr<HttpClient>> NewCurlHttpClient(
    const CurlOptions &options = {});

// The standard's text for a status: "OK", "Not Found"; "" if it has none.
std::string_view HttpReason(int status);
// Percent-encodes what is not [A-Za-z0-9-_.~]; a space becomes `+` as in query
// strings.
std::string QueryEscape(std::string_view text);

}  // namespace narthex::scrape
