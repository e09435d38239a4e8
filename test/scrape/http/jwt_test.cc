#include "libscrape/http/jwt.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <catch2/catch.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "narthex/base/status.h"
#include "narthex/scrape/http.h"
#include "test/support/http_stub.h"

namespace narthex::scrape {
namespace {

using test::HttpStub;
using Json = nlohmann::json;

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;

std::string Pem(EVP_PKEY* key, bool traditional) {
  const std::unique_ptr<BIO, KeyFree> bio(BIO_new(BIO_s_mem()));
  const bool written =
      traditional
          ? PEM_write_bio_PrivateKey_traditional(
                bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1
          : PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0,
                                     nullptr, nullptr) == 1;
  REQUIRE(written);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

std::string FromBase64Url(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    bits = bits << 6 | static_cast<unsigned>(digits.find(c));
    if ((count += 6) >= 8) {
      out.push_back(static_cast<char>(bits >> (count -= 8) & 255));
    }
  }
  return out;
}

// A server's view of a token: its parts, if its signature is the key's.
struct Token {
  Json header = {};
  Json claims = {};
};
Token Verify(std::string_view text, EVP_PKEY* key) {
  const size_t first = text.find('.'), last = text.rfind('.');
  REQUIRE(first < last);
  Token token;
  token.header = Json::parse(FromBase64Url(text.substr(0, first)));
  token.claims =
      Json::parse(FromBase64Url(text.substr(first + 1, last - first - 1)));
  const std::string signature = FromBase64Url(text.substr(last + 1));
  const std::string algorithm = token.header.at("alg");
  const EVP_MD* const digest = algorithm == "RS256"   ? EVP_sha256()
                               : algorithm == "RS384" ? EVP_sha384()
                               : algorithm == "RS512" ? EVP_sha512()
                                                      : nullptr;
  REQUIRE(digest != nullptr);
  const std::unique_ptr<EVP_MD_CTX, KeyFree> context(EVP_MD_CTX_new());
  REQUIRE(EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) ==
          1);
  REQUIRE(EVP_DigestVerify(
              context.get(),
              reinterpret_cast<const unsigned char*>(signature.data()),
              signature.size(),
              reinterpret_cast<const unsigned char*>(text.data()), last) == 1);
  return token;
}

OAuth2Options MakeOptions(EVP_PKEY* key) {
  OAuth2Options oauth2;
  oauth2.client_id = "me";
  oauth2.token_url = "http://t/token";
  oauth2.grant_type = std::string(kJwtBearer);
  oauth2.client_certificate_key.value = Pem(key, /*traditional=*/false);
  return oauth2;
}

TEST_CASE("a token says who asks, of whom, and until when", "[scrape][http]") {
  const Key key(EVP_RSA_gen(2048));
  OAuth2Options oauth2 = MakeOptions(key.get());
  const Timestamp now(1'700'000'000'999);
  const auto plain = SignJwt(oauth2, oauth2.client_certificate_key.value, now);
  REQUIRE(plain.ok());
  Token token = Verify(*plain, key.get());
  CHECK(token.header == Json({{"alg", "RS256"}, {"typ", "JWT"}}));
  const std::string id = token.claims.at("jti");
  CHECK(id.size() == 36);
  CHECK(id[14] == '4');
  token.claims.erase("jti");
  CHECK(token.claims == Json({{"iss", "me"},
                              {"sub", "me"},
                              {"aud", "http://t/token"},
                              {"iat", 1'700'000'000},
                              {"exp", 1'700'000'600}}));

  oauth2.iss = "issuer";
  oauth2.audience = "them";
  oauth2.scopes = {"a", "b"};
  oauth2.client_certificate_key_id = "k1";
  oauth2.claims = {{"sub", "\"else\""}, {"groups", "[1,true]"}};
  for (const char* algorithm : {"RS256", "RS384", "RS512"}) {
    oauth2.signature_algorithm = algorithm;
    const auto full =
        SignJwt(oauth2, Pem(key.get(), /*traditional=*/true), now);
    REQUIRE(full.ok());
    token = Verify(*full, key.get());
    CHECK(token.header ==
          Json({{"alg", algorithm}, {"typ", "JWT"}, {"kid", "k1"}}));
    CHECK(token.claims.at("iss") == "issuer");
    CHECK(token.claims.at("aud") == "them");
    CHECK(token.claims.at("scope") == "a b");
    CHECK(token.claims.at("sub") == "else");
    CHECK(token.claims.at("groups") == Json({1, true}));
  }
}

TEST_CASE("what is no RSA key signs nothing", "[scrape][http]") {
  const Key key(EVP_RSA_gen(2048));
  const Key other(EVP_EC_gen("P-256"));
  const OAuth2Options oauth2 = MakeOptions(key.get());
  const auto error = [&](const std::string& pem) {
    return std::string(Message(SignJwt(oauth2, pem, Timestamp(0)).status()));
  };
  const std::string no_key =
      "invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key";
  CHECK(error("") == no_key);
  CHECK(error("-----BEGIN PRIVATE KEY-----\nAAAA\n") == no_key);
  CHECK(error(Pem(other.get(), false)) == "key is not a valid RSA private key");
  OAuth2Options bad = oauth2;
  bad.claims = {{"x", "{"}};
  CHECK(Message(SignJwt(bad, bad.client_certificate_key.value, Timestamp(0))
                    .status()) == "oauth2: claim \"x\" is no JSON");
}

TEST_CASE("a server that knows the key gives a token for a signed one",
          "[scrape][http]") {
  const Key key(EVP_RSA_gen(2048));
  absl::Mutex mu;
  std::vector<std::string> forms;
  int used = 0;
  HttpStub stub([&](const std::string& request) {
    absl::MutexLock lock(&mu);
    if (request.find("POST /token") != 0) {
      if (request.find("Authorization: Bearer good\r\n") != request.npos) {
        ++used;
      }
      return HttpStub::Reply("200 OK", "text/plain", "");
    }
    // It is the signature that counts.
    const bool bare = request.find("Authorization:") == request.npos;
    forms.push_back(request.substr(request.find("\r\n\r\n") + 4));
    return HttpStub::Reply(bare ? "200 OK" : "400 Bad Request",
                           "application/json",
                           R"({"access_token":"good","expires_in":3600})");
  });
  auto client = NewCurlHttpClient();
  REQUIRE(client.ok());
  const auto get = [&](std::shared_ptr<HttpOptions> options) {
    absl::Notification done;
    absl::StatusOr<HttpResponse> result;
    (*client)->Send({.url = stub.Url(), .options = std::move(options)},
                    [&](absl::StatusOr<HttpResponse> response) {
                      result = std::move(response);
                      done.Notify();
                    });
    done.WaitForNotification();
    return result.status();
  };
  auto options = std::make_shared<HttpOptions>();
  options->oauth2 = MakeOptions(key.get());
  options->oauth2->token_url = stub.Url("/token");
  options->oauth2->endpoint_params = {{"resource", "r"}};
  for (int i = 0; i < 3; ++i) REQUIRE(get(options).ok());
  {
    absl::MutexLock lock(&mu);
    REQUIRE(used == 3);
    REQUIRE(forms.size() == 1);
    const std::string& form = forms[0];
    REQUIRE(form.starts_with("assertion="));
    REQUIRE(form.ends_with(
        "&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        "&resource=r"));
    const Token token = Verify(form.substr(10, form.find('&') - 10), key.get());
    CHECK(token.claims.at("aud") == stub.Url("/token"));
  }

  // A parameter that is ours to say, and a key that is none.
  auto greedy = std::make_shared<HttpOptions>(*options);
  greedy->oauth2->endpoint_params = {{"assertion", "mine"}};
  REQUIRE(Message(get(greedy)) ==
          StrCat("Get \"", stub.Url(),
                 "\": oauth2: cannot overwrite parameter \"assertion\""));
  auto keyless = std::make_shared<HttpOptions>(*options);
  keyless->oauth2->client_certificate_key = {.file = "/nonexistent/key"};
  REQUIRE(Message(get(keyless)) ==
          StrCat("Get \"", stub.Url(),
                 "\": unable to read oauth2 client secret: unable to read file "
                 "/nonexistent/key: open /nonexistent/key: no such file or "
                 "directory"));
}

}  // namespace
}  // namespace narthex::scrape
