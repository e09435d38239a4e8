#include "libscrape/http/oauth2_client.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "libscrape/http/curl_exchange.h"
#include "libscrape/http/jwt.h"
#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

using RequestId = HttpClient::RequestId;

// Set in ids of requests that waited: the inner client counts from 1.
constexpr uint64_t kOwnIds = uint64_t{1} << 63;
// Tokens are not used in their last seconds.
constexpr int64_t kEarlySeconds = 10;
constexpr int64_t kNanos = 1'000'000'000;
constexpr uint64_t kTokenLimit = 1 << 20;  // bytes, as Go's client reads

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16)
                .ptr == text.data() + i + 3) {
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::string FormField(std::string_view form, std::string_view name) {
  while (!form.empty()) {
    const size_t end = std::min(form.find('&'), form.size());
    const std::string_view field = form.substr(0, end);
    const size_t equal = field.find('=');
    if (equal != std::string_view::npos && field.substr(0, equal) == name) {
      return Unescape(field.substr(equal + 1));
    }
    form.remove_prefix(std::min(end + 1, form.size()));
  }
  return {};
}

using Fields = std::map<std::string, std::string>;

std::string Form(const Fields& fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    StrAppend(&form, form.empty() ? "" : "&", QueryEscape(name), "=",
              QueryEscape(value));
  }
  return form;
}

bool IsSigned(const OAuth2Options& oauth2) {
  return oauth2.grant_type == kJwtBearer;
}

// `secret`: the client's secret, or its private key.
absl::StatusOr<std::string> RequestForm(const OAuth2Options& oauth2,
                                        const std::string& secret, bool in_body,
                                        Timestamp now) {
  Fields fields;
  std::string scopes;
  for (const std::string& scope : oauth2.scopes) {
    StrAppend(&scopes, scopes.empty() ? "" : " ", scope);
  }
  if (!scopes.empty()) fields["scope"] = scopes;
  if (IsSigned(oauth2)) {
    NARTHEX_ASSIGN_OR_RETURN(fields["assertion"], SignJwt(oauth2, secret, now));
  }
  for (const auto& [name, value] : oauth2.endpoint_params) {
    if (!fields.emplace(name, value).second) {
      return InvalidArgument(
          StrCat("oauth2: cannot overwrite parameter ", GoQuote(name)));
    }
  }
  // May be given, for servers that want another one than the standard's.
  fields.emplace("grant_type", IsSigned(oauth2)
                                   ? std::string(kJwtBearer)
                                   : std::string("client_credentials"));
  if (in_body) {
    fields["client_id"] = oauth2.client_id;
    if (!secret.empty()) fields["client_secret"] = secret;
  }
  return Form(fields);
}

// Whatever makes a token another one.
std::string KeyOf(const OAuth2Options& oauth2, const std::string& secret) {
  std::string key;
  const auto add = [&](std::string_view text) {
    StrAppend(&key, text.size(), ":", text);
  };
  for (const std::string* part :
       {&secret, &oauth2.client_id, &oauth2.token_url, &oauth2.grant_type,
        &oauth2.client_certificate_key_id, &oauth2.signature_algorithm,
        &oauth2.iss, &oauth2.audience, &oauth2.tls.server_name,
        &oauth2.proxy.url}) {
    add(*part);
  }
  for (const std::string& scope : oauth2.scopes) add(scope);
  for (const Fields* fields : {&oauth2.endpoint_params, &oauth2.claims}) {
    add(Form(*fields));
  }
  for (const Secret* part :
       {&oauth2.tls.ca, &oauth2.tls.cert, &oauth2.tls.key}) {
    add(part->value);
    add(part->file);
  }
  return key;
}

}  // namespace

absl::StatusOr<OAuth2Token> ReadOAuth2Token(std::string_view body,
                                            std::string_view content_type) {
  std::string access, type, error, error_description;
  OAuth2Token token;
  const std::string_view media = content_type.substr(0, content_type.find(';'));
  if (media == "application/x-www-form-urlencoded" || media == "text/plain") {
    access = FormField(body, "access_token");
    type = FormField(body, "token_type");
    error = FormField(body, "error");
    error_description = FormField(body, "error_description");
    const std::string seconds = FormField(body, "expires_in");
    std::from_chars(seconds.data(), seconds.data() + seconds.size(),
                    token.lifetime);
  } else {
    const auto json =
        nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) {
      return Unavailable("oauth2: cannot parse json");
    }
    const auto text = [&](const char* name) -> std::string {
      const auto found = json.find(name);
      return found != json.end() && found->is_string()
                 ? found->get_ref<const std::string&>()
                 : std::string();
    };
    access = text("access_token");
    type = text("token_type");
    error = text("error");
    error_description = text("error_description");
    const auto lifetime = json.find("expires_in");
    if (lifetime != json.end() && lifetime->is_number()) {
      const double seconds = lifetime->get<double>();
      token.lifetime =
          seconds > 0 && seconds < 1e9 ? static_cast<int64_t>(seconds) : 0;
    } else {
      const std::string seconds = text("expires_in");
      std::from_chars(seconds.data(), seconds.data() + seconds.size(),
                      token.lifetime);
    }
  }
  if (!error.empty()) {
    std::string what = StrCat("oauth2: ", GoQuote(error));
    if (!error_description.empty()) {
      StrAppend(&what, " ", GoQuote(error_description));
    }
    return Unavailable(what);
  }
  if (access.empty()) {
    return Unavailable("oauth2: server response missing access_token");
  }
  const std::string lower = AsciiLower(type);
  if (lower.empty() || lower == "bearer") {
    type = "Bearer";
  } else if (lower == "mac") {
    type = "MAC";
  } else if (lower == "basic") {
    type = "Basic";
  }
  token.authorization = StrCat(type, " ", access);
  return token;
}

RequestId OAuth2HttpClient::Send(HttpRequest request, Done done) {
  if (request.options == nullptr || !request.options->oauth2.has_value()) {
    return inner_->Send(std::move(request), std::move(done));
  }
  Credentials credentials;
  credentials.options = request.options;
  const OAuth2Options& oauth2 = *request.options->oauth2;
  auto secret = RevealAs(
      "oauth2 client secret",
      IsSigned(oauth2) ? oauth2.client_certificate_key : oauth2.client_secret);
  if (!secret.ok()) {
    std::move(done)(
        Annotate(secret.status(), StrCat("Get ", GoQuote(request.url))));
    return RequestId::kNone;
  }
  credentials.secret = *std::move(secret);
  credentials.key = KeyOf(oauth2, credentials.secret);
  const Duration timeout = request.timeout;
  std::string authorization;
  RequestId id = RequestId::kNone;
  bool fetch = false;
  bool in_body = false;
  {
    absl::MutexLock lock(&mu_);
    Token& token = tokens_[credentials.key];
    if (!token.authorization.empty() &&
        clock_->MonotonicNanos() < token.good_until) {
      authorization = token.authorization;
    } else {
      id = RequestId{kOwnIds | ++last_id_};
      token.waiting.push_back({id, std::move(request), std::move(done)});
      fetch = !std::exchange(token.fetching, true);
      in_body = token.in_body;
    }
  }
  if (!authorization.empty()) {
    request.headers.emplace_back("Authorization", authorization);
    return inner_->Send(std::move(request), std::move(done));
  }
  if (fetch) {
    Fetch(std::move(credentials), in_body, /*may_retry=*/!in_body, timeout);
  }
  return id;
}

void OAuth2HttpClient::Fetch(Credentials credentials, bool in_body,
                             bool may_retry, Duration timeout) {
  const OAuth2Options& oauth2 = *credentials.options->oauth2;
  auto options = std::make_shared<HttpOptions>();
  options->tls = oauth2.tls;
  options->proxy = oauth2.proxy;
  options->follow_redirects = credentials.options->follow_redirects;
  options->enable_http2 = credentials.options->enable_http2;
  // What is signed needs no password.
  const bool in_header = !in_body && !IsSigned(oauth2);
  if (in_header) {
    options->basic_auth_user.value = QueryEscape(oauth2.client_id);
    options->basic_auth_password.value = QueryEscape(credentials.secret);
  }
  HttpRequest request;
  request.method = "POST";
  request.url = oauth2.token_url;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  auto form = RequestForm(oauth2, credentials.secret,
                          in_body && !IsSigned(oauth2), clock_->Now());
  if (!form.ok()) {
    return TakeToken(credentials, in_body, /*may_retry=*/false, timeout,
                     form.status());
  }
  request.body = *std::move(form);
  may_retry = may_retry && in_header;
  request.timeout = timeout;
  request.body_limit = kTokenLimit;
  request.options = std::move(options);
  inner_->Send(std::move(request), [this, credentials = std::move(credentials),
                                    in_body, may_retry, timeout](
                                       absl::StatusOr<HttpResponse> answer) {
    TakeToken(credentials, in_body, may_retry, timeout, std::move(answer));
  });
}

void OAuth2HttpClient::TakeToken(const Credentials& credentials, bool in_body,
                                 bool may_retry, Duration timeout,
                                 absl::StatusOr<HttpResponse> answer) {
  absl::StatusOr<OAuth2Token> token = Unavailable("");
  if (!answer.ok()) {
    token = answer.status();
  } else if (answer->status < 200 || answer->status > 299) {
    // Some servers want the credentials in the form and not in the header.
    if (may_retry) {
      return Fetch(credentials, /*in_body=*/true, /*may_retry=*/false, timeout);
    }
    token = ReadOAuth2Token(answer->body, answer->content_type);
    // Unless the server says why in the standard's way.
    const bool explained = !IsSigned(*credentials.options->oauth2) &&
                           !token.ok() &&
                           Message(token.status()).starts_with("oauth2: \"");
    if (!explained) {
      token = Unavailable(
          StrCat("oauth2: cannot fetch token: ", answer->StatusLine(),
                 "\nResponse: ", answer->body));
    }
  } else {
    token = ReadOAuth2Token(answer->body, answer->content_type);
  }
  std::vector<Waiting> waiting;
  {
    absl::MutexLock lock(&mu_);
    Token& kept = tokens_[credentials.key];
    kept.fetching = false;
    waiting.swap(kept.waiting);
    if (token.ok()) {
      const int64_t life = token->lifetime - kEarlySeconds;
      kept.authorization = token->authorization;
      kept.good_until = token->lifetime == 0
                            ? std::numeric_limits<int64_t>::max()
                            : clock_->MonotonicNanos() + life * kNanos;
      kept.in_body = in_body;
      // Those of secrets that were rotated away.
      const int64_t now = clock_->MonotonicNanos();
      absl::erase_if(tokens_, [&](const auto& entry) {
        const Token& t = entry.second;
        return entry.first != credentials.key && !t.fetching &&
               t.waiting.empty() && t.good_until < now;
      });
    } else {
      kept.authorization.clear();
    }
  }
  for (Waiting& one : waiting) {
    if (token.ok()) {
      Forward(std::move(one), token->authorization);
    } else {
      std::move(one.done)(
          Annotate(token.status(), StrCat("Get ", GoQuote(one.request.url))));
    }
  }
}

void OAuth2HttpClient::Forward(Waiting waiting,
                               const std::string& authorization) {
  waiting.request.headers.emplace_back("Authorization", authorization);
  const RequestId id = waiting.id;
  {
    // Known before it is sent: the answer may come at once.
    absl::MutexLock lock(&mu_);
    forwarded_[id] = RequestId::kNone;
  }
  const RequestId inner =
      inner_->Send(std::move(waiting.request),
                   [this, id, done = std::move(waiting.done)](
                       absl::StatusOr<HttpResponse> answer) mutable {
                     {
                       absl::MutexLock lock(&mu_);
                       forwarded_.erase(id);
                     }
                     std::move(done)(std::move(answer));
                   });
  absl::MutexLock lock(&mu_);
  const auto found = forwarded_.find(id);
  if (found != forwarded_.end()) found->second = inner;
}

void OAuth2HttpClient::Cancel(RequestId id) {
  if ((static_cast<uint64_t>(id) & kOwnIds) == 0) return inner_->Cancel(id);
  Done done;
  RequestId inner = RequestId::kNone;
  {
    absl::MutexLock lock(&mu_);
    const auto forwarded = forwarded_.find(id);
    if (forwarded != forwarded_.end()) {
      inner = forwarded->second;
    } else {
      for (auto& [key, token] : tokens_) {
        const auto found =
            std::find_if(token.waiting.begin(), token.waiting.end(),
                         [&](const Waiting& w) { return w.id == id; });
        if (found == token.waiting.end()) continue;
        done = std::move(found->done);
        token.waiting.erase(found);
        break;
      }
    }
  }
  if (inner != RequestId::kNone) inner_->Cancel(inner);
  if (done) std::move(done)(Cancelled("context canceled"));
}

}  // namespace narthex::scrape
