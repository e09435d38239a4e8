#include "libscrape/http/jwt.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>
#include <climits>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>

#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

using Json = nlohmann::json;

constexpr int64_t kLifetimeSeconds = 600;

struct OpenSslFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
template <typename T>
using OpenSsl = std::unique_ptr<T, OpenSslFree>;

// OpenSSL queues its errors per thread, where libcurl would find ours.
struct ErrorQueue {
  ~ErrorQueue() { ERR_clear_error(); }
};

// Without padding, as RFC 7515 wants it.
std::string Base64Url(std::string_view bytes) {
  constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) {
      out.push_back(kDigits[bits >> (count - 6) & 63]);
    }
  }
  if (count > 0) out.push_back(kDigits[bits << (6 - count) & 63]);
  return out;
}

// A random UUID (RFC 9562, version 4).
absl::StatusOr<std::string> NewUuid() {
  std::array<unsigned char, 16> bytes = {};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return Unavailable("no random numbers for a token's id");
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out += {kHex[bytes[i] >> 4], kHex[bytes[i] & 15]};
  }
  return out;
}

// There is nobody to ask for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::StatusOr<OpenSsl<EVP_PKEY>> ReadRsaKey(std::string_view pem) {
  const OpenSsl<BIO> bio(
      pem.size() <= INT_MAX
          ? BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))
          : nullptr);
  OpenSsl<EVP_PKEY> key(
      bio == nullptr
          ? nullptr
          : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return InvalidArgument(
        "invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key");
  }
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    return InvalidArgument("key is not a valid RSA private key");
  }
  return key;
}

absl::StatusOr<std::string> Sign(EVP_PKEY* key, const EVP_MD* digest,
                                 std::string_view text) {
  const OpenSsl<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = static_cast<size_t>(EVP_PKEY_get_size(key));
  std::string signature(size, '\0');
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key) != 1 ||
      EVP_DigestSign(context.get(),
                     reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, text.size()) != 1) {
    return InvalidArgument("the RSA key is too small for this signature");
  }
  signature.resize(size);
  return signature;
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<std::string> Payload(const OAuth2Options& oauth2,
                                    Timestamp now) {
  const int64_t seconds = now.ms / 1000;
  Json claims = Json::object();
  claims["iss"] = oauth2.iss.empty() ? oauth2.client_id : oauth2.iss;
  claims["sub"] = oauth2.client_id;
  NARTHEX_ASSIGN_OR_RETURN(claims["jti"], NewUuid());
  claims["aud"] = oauth2.audience.empty() ? oauth2.token_url : oauth2.audience;
  claims["iat"] = seconds;
  claims["exp"] = seconds + kLifetimeSeconds;
  std::string scopes;
  for (const std::string& scope : oauth2.scopes) {
    StrAppend(&scopes, scopes.empty() ? "" : " ", scope);
  }
  if (!scopes.empty()) claims["scope"] = scopes;
  for (const auto& [name, text] : oauth2.claims) {
    Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (value.is_discarded()) {
      return InvalidArgument(
          StrCat("oauth2: claim ", GoQuote(name), " is no JSON"));
    }
    claims[name] = std::move(value);
  }
  return Dump(claims);
}

}  // namespace

absl::StatusOr<std::string> SignJwt(const OAuth2Options& oauth2,
                                    std::string_view key, Timestamp now) {
  const ErrorQueue queue;
  NARTHEX_ASSIGN_OR_RETURN(const OpenSsl<EVP_PKEY> rsa, ReadRsaKey(key));
  const std::string algorithm =
      oauth2.signature_algorithm.empty() ? "RS256" : oauth2.signature_algorithm;
  Json header = {{"alg", algorithm}, {"typ", "JWT"}};
  if (!oauth2.client_certificate_key_id.empty()) {
    header["kid"] = oauth2.client_certificate_key_id;
  }
  NARTHEX_ASSIGN_OR_RETURN(const std::string payload, Payload(oauth2, now));
  std::string token = StrCat(Base64Url(Dump(header)), ".", Base64Url(payload));
  const EVP_MD* const digest = algorithm == "RS512"   ? EVP_sha512()
                               : algorithm == "RS384" ? EVP_sha384()
                                                      : EVP_sha256();
  NARTHEX_ASSIGN_OR_RETURN(const std::string signature,
                           Sign(rsa.get(), digest, token));
  StrAppend(&token, ".", Base64Url(signature));
  return token;
}

}  // namespace narthex::scrape
