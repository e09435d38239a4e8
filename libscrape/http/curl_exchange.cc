#include "libscrape/http/curl_exchange.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "libscrape/http/proxy.h"
#include "narthex/base/ascii.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr long kMaxRedirects = 10;
constexpr long kIdleSeconds =
    300;  // after which a connection is not used again
// Whatever the caller allows: offsets into a page are 32 bits wide.
constexpr uint64_t kHardBodyLimit = uint64_t{2} << 30;

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t start = text.find_first_not_of(kSpace);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kSpace) - start + 1);
}

long TlsVersion(std::string_view text, long otherwise) {
  if (text == "TLS10") return CURL_SSLVERSION_TLSv1_0;
  if (text == "TLS11") return CURL_SSLVERSION_TLSv1_1;
  if (text == "TLS12") return CURL_SSLVERSION_TLSv1_2;
  if (text == "TLS13") return CURL_SSLVERSION_TLSv1_3;
  return otherwise;
}

// libcurl's maximum versions are its minimum ones, shifted.
long TlsMaxVersion(std::string_view text) {
  if (text.empty()) return CURL_SSLVERSION_MAX_DEFAULT;
  return TlsVersion(text, 0) << 16;
}

struct UrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

}  // namespace

absl::StatusOr<std::string> Reveal(const Secret& secret) {
  if (!secret.ref.empty()) {
    return FailedPrecondition("cannot use secret ref without manager");
  }
  if (secret.file.empty()) return secret.value;
  const auto bytes = Env::Posix()->ReadFile(secret.file);
  if (bytes.ok()) return std::string(Trim(*bytes));
  // "open x: no such file or directory": Go begins such texts in lower case.
  std::string why(Message(bytes.status()));
  const size_t text = why.rfind(": ");
  if (text != std::string::npos && text + 2 < why.size()) {
    char& c = why[text + 2];
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return MakeStatus(bytes.status().code(),
                    StrCat("unable to read file ", secret.file, ": ", why));
}

absl::StatusOr<std::string> RevealAs(std::string_view what,
                                     const Secret& secret) {
  auto text = Reveal(secret);
  if (text.ok()) return text;
  return Annotate(text.status(), StrCat("unable to read ", what));
}

absl::StatusOr<std::unique_ptr<CurlExchange>> CurlExchange::Make(
    CurlHandle easy, HttpRequest request, HttpClient::Done done,
    HttpClient::RequestId id) {
  std::unique_ptr<CurlExchange> exchange(
      new CurlExchange(std::move(easy), std::move(request), nullptr, id));
  if (absl::Status status = exchange->SetUp(); !status.ok()) {
    status = Annotate(status, exchange->Verb());
    std::move(done)(status);
    return status;
  }
  exchange->done_ = std::move(done);
  return exchange;
}

void CurlExchange::AddHeader(std::unique_ptr<curl_slist, CurlFree>& list,
                             std::string_view name, std::string_view value) {
  // An empty value needs a semicolon, else libcurl takes the header away.
  std::string line =
      value.empty() ? StrCat(name, ";") : StrCat(name, ": ", value);
  // A line end would begin a header of its own.
  std::erase_if(line, [](char c) { return c == '\r' || c == '\n'; });
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return;
  (void)list.release();
  list.reset(longer);
}

absl::Status CurlExchange::SetUp() {
  static const HttpOptions kDefaults;
  const HttpOptions& options = request_.options ? *request_.options : kDefaults;
  CURL* const easy = easy_.get();
  response_.body = std::move(request_.buffer);
  response_.body.clear();

  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  const long timeout = static_cast<long>(
      std::clamp<int64_t>(request_.timeout.ms, 1, 24 * 3600 * 1000));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, kIdleSeconds);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION,
                   options.follow_redirects ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   options.enable_http2
                       ? static_cast<long>(CURL_HTTP_VERSION_2TLS)
                       : static_cast<long>(CURL_HTTP_VERSION_1_1));
  // Either text also switches the unpacking on, whatever the server sends.
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING,
                   request_.accept_gzip ? "gzip" : "identity");
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlExchange::OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlExchange::OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);

  if (request_.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    AddHeader("Expect", "");
  }
  NARTHEX_RETURN_IF_ERROR(SetUpProxy(options.proxy));
  if (!request_.unix_socket.empty()) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
                     request_.unix_socket.c_str());
  }
  for (const auto& [name, value] : request_.headers) AddHeader(name, value);
  for (const auto& [name, secret] : options.headers) {
    auto value = Reveal(secret);
    if (!value.ok()) {
      return Annotate(value.status(),
                      StrCat("unable to read headers file ", secret.file));
    }
    AddHeader(name, *value);
  }
  NARTHEX_RETURN_IF_ERROR(SetUpAuthorization(options));
  NARTHEX_RETURN_IF_ERROR(SetUpTls(options.tls));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  return absl::OkStatus();
}

absl::Status CurlExchange::SetUpAuthorization(const HttpOptions& options) {
  if (!options.basic_auth_user.empty() ||
      !options.basic_auth_password.empty()) {
    NARTHEX_ASSIGN_OR_RETURN(
        const std::string user,
        RevealAs("basic auth username", options.basic_auth_user));
    NARTHEX_ASSIGN_OR_RETURN(
        const std::string password,
        RevealAs("basic auth password", options.basic_auth_password));
    curl_easy_setopt(easy_.get(), CURLOPT_HTTPAUTH,
                     static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(easy_.get(), CURLOPT_USERNAME, user.c_str());
    curl_easy_setopt(easy_.get(), CURLOPT_PASSWORD, password.c_str());
  } else if (!options.credentials.empty()) {
    NARTHEX_ASSIGN_OR_RETURN(
        const std::string credentials,
        RevealAs("authorization credentials", options.credentials));
    AddHeader("Authorization", StrCat(options.auth_type, " ", credentials));
  }
  return absl::OkStatus();
}

absl::Status CurlExchange::SetUpProxy(const ProxyOptions& options) {
  CURL* const easy = easy_.get();
  const std::unique_ptr<CURLU, UrlFree> url(curl_url());
  std::string proxy;
  if (url != nullptr && curl_url_set(url.get(), CURLUPART_URL,
                                     request_.url.c_str(), 0) == CURLUE_OK) {
    std::string host = UrlPart(url.get(), CURLUPART_HOST);
    if (host.size() > 1 && host.front() == '[') {
      host = host.substr(1, host.size() - 2);
    }
    proxy = ProxyFor(options, UrlPart(url.get(), CURLUPART_SCHEME), host,
                     UrlPart(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT),
                     [](const char* name) -> std::string {
                       const char* value = std::getenv(name);
                       return value == nullptr ? "" : value;
                     });
  }
  // Empty texts: libcurl must not look into the environment itself.
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  if (proxy.empty() || options.connect_headers.empty()) {
    return absl::OkStatus();
  }
  for (const auto& [name, secret] : options.connect_headers) {
    NARTHEX_ASSIGN_OR_RETURN(const std::string value, Reveal(secret));
    AddHeader(proxy_headers_, name, value);
  }
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, long{CURLHEADER_SEPARATE});
  curl_easy_setopt(easy, CURLOPT_PROXYHEADER, proxy_headers_.get());
  return absl::OkStatus();
}

absl::Status CurlExchange::SetUpTls(const TlsOptions& tls) {
  CURL* const easy = easy_.get();
  const auto set = [&](const Secret& secret, CURLoption path, CURLoption blob) {
    if (!secret.file.empty()) {
      curl_easy_setopt(easy, path, secret.file.c_str());
    } else if (!secret.value.empty()) {
      // Copied; the interface only lacks the const.
      curl_blob bytes{const_cast<char*>(secret.value.data()),
                      secret.value.size(), CURL_BLOB_COPY};
      curl_easy_setopt(easy, blob, &bytes);
    }
  };
  set(tls.ca, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB);
  set(tls.cert, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB);
  set(tls.key, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                   TlsVersion(tls.min_version, CURL_SSLVERSION_TLSv1_2) |
                       TlsMaxVersion(tls.max_version));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER,
                   tls.insecure_skip_verify ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST,
                   tls.insecure_skip_verify ? 0L : 2L);
  return tls.server_name.empty() ? absl::OkStatus()
                                 : SetUpServerName(tls.server_name);
}

// Asks the URL's host, but for the certificate of another: the URL names the
// other, the connection goes to the host, and the Host header says the host.
absl::Status CurlExchange::SetUpServerName(const std::string& server_name) {
  const std::unique_ptr<CURLU, UrlFree> url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL,
                                     request_.url.c_str(), 0) != CURLUE_OK) {
    return InvalidArgument(StrCat("bad URL \"", request_.url, "\""));
  }
  const std::string host = UrlPart(url.get(), CURLUPART_HOST);
  const std::string port =
      UrlPart(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const std::string own_port = UrlPart(url.get(), CURLUPART_PORT);
  if (UrlPart(url.get(), CURLUPART_SCHEME) != "https") return absl::OkStatus();
  if (curl_url_set(url.get(), CURLUPART_HOST, server_name.c_str(), 0) !=
      CURLUE_OK) {
    return InvalidArgument(StrCat("bad TLS server name \"", server_name, "\""));
  }
  curl_easy_setopt(easy_.get(), CURLOPT_URL,
                   UrlPart(url.get(), CURLUPART_URL).c_str());
  connect_to_.reset(curl_slist_append(
      nullptr, StrCat(server_name, ":", port, ":", host, ":", port).c_str()));
  curl_easy_setopt(easy_.get(), CURLOPT_CONNECT_TO, connect_to_.get());
  AddHeader("Host", own_port.empty() ? host : StrCat(host, ":", own_port));
  return absl::OkStatus();
}

size_t CurlExchange::OnHeader(char* data, size_t size, size_t n, void* self) {
  return static_cast<CurlExchange*>(self)->TakeHeader({data, size * n});
}

size_t CurlExchange::OnBody(char* data, size_t size, size_t n, void* self) {
  return static_cast<CurlExchange*>(self)->TakeBody({data, size * n});
}

size_t CurlExchange::TakeHeader(std::string_view line) {
  const size_t taken = line.size();
  line = Trim(line);
  if (line.starts_with("HTTP/")) {
    // A new answer: behind a redirect, or after "100 Continue".
    response_.headers.clear();
    response_.content_type.clear();
    response_.reason.clear();
    response_.status = 0;
    const size_t code = line.find(' ');
    if (code == std::string_view::npos) return taken;
    line = Trim(line.substr(code));
    std::from_chars(line.data(), line.data() + line.size(), response_.status);
    const size_t reason = line.find(' ');
    if (reason != std::string_view::npos) {
      response_.reason = std::string(Trim(line.substr(reason)));
    }
    return taken;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return taken;
  std::string name = AsciiLower(line.substr(0, colon));
  const std::string_view value = Trim(line.substr(colon + 1));
  if (name == "content-type") response_.content_type = std::string(value);
  response_.headers.emplace_back(std::move(name), std::string(value));
  return taken;
}

size_t CurlExchange::TakeBody(std::string_view bytes) {
  if (request_.on_body && response_.status == 200) {
    request_.on_body(bytes);
    return bytes.size();
  }
  received_ += bytes.size();
  const bool over =
      (request_.body_limit != 0 && received_ >= request_.body_limit) ||
      received_ >= kHardBodyLimit;
  if (over) {
    // Of an error page, the beginning will do: the status is what counts.
    if (response_.status < 200 || response_.status > 299) return bytes.size();
    over_limit_ = true;
    return 0;
  }
  response_.body.append(bytes);
  return bytes.size();
}

std::string CurlExchange::Verb() const {
  std::string verb = request_.method;
  for (size_t i = 1; i < verb.size(); ++i) {
    verb[i] =
        verb[i] >= 'A' && verb[i] <= 'Z' ? verb[i] + ('a' - 'A') : verb[i];
  }
  return StrCat(verb, " \"", request_.url, "\"");
}

absl::Status CurlExchange::Explain(CURLcode result) const {
  const auto say = [&](absl::StatusCode code, std::string_view what) {
    return MakeStatus(code, StrCat(Verb(), ": ", what));
  };
  const std::unique_ptr<CURLU, UrlFree> url(curl_url());
  (void)curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), 0);
  const std::string host = UrlPart(url.get(), CURLUPART_HOST);
  const std::string port =
      UrlPart(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  long os_error = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_error);
  constexpr auto kUnavailable = absl::StatusCode::kUnavailable;
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      return say(absl::StatusCode::kDeadlineExceeded,
                 "context deadline exceeded");
    case CURLE_COULDNT_CONNECT: {
      std::string why = os_error != 0
                            ? std::strerror(static_cast<int>(os_error))
                            : "connection failed";
      if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z') why[0] += 'a' - 'A';
      return say(kUnavailable,
                 StrCat("dial tcp ", host, ":", port, ": connect: ", why));
    }
    case CURLE_COULDNT_RESOLVE_HOST:
      return say(kUnavailable,
                 StrCat("dial tcp: lookup ", host, ": no such host"));
    case CURLE_GOT_NOTHING:
      return say(kUnavailable, "EOF");
    case CURLE_PARTIAL_FILE:
      return say(kUnavailable, "unexpected EOF");
    case CURLE_TOO_MANY_REDIRECTS:
      return say(kUnavailable,
                 StrCat("stopped after ", kMaxRedirects, " redirects"));
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return say(absl::StatusCode::kInvalidArgument,
                 error_[0] != '\0' ? error_ : curl_easy_strerror(result));
    default:
      return say(kUnavailable,
                 error_[0] != '\0' ? error_ : curl_easy_strerror(result));
  }
}

void CurlExchange::Finish(CURLcode result) {
  if (over_limit_) return Fail(ResourceExhausted("body size limit exceeded"));
  if (result != CURLE_OK) return Fail(Explain(result));
  if (response_.reason.empty()) {
    response_.reason = std::string(HttpReason(response_.status));
  }
  std::move(done_)(std::move(response_));
}

void CurlExchange::Fail(const absl::Status& why) { std::move(done_)(why); }

CurlHandle CurlExchange::TakeHandle() {
  curl_easy_reset(easy_.get());
  return std::move(easy_);
}

}  // namespace narthex::scrape
