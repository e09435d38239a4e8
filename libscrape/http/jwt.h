// A JSON Web Token (RFC 7519) signed with an RSA key: by it a client proves to
// an OAuth2 server who it is (RFC 7523).
//
// Pure functions, any thread.

#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {

// What the options' jwt-bearer grant sends as its `assertion`.  `key` is PEM,
// PKCS #1 or #8, without a passphrase.  kInvalidArgument: no such key, or a
// claim that is no JSON.
absl::StatusOr<std::string> SignJwt(const OAuth2Options& oauth2,
                                    std::string_view key, Timestamp now);

}  // namespace narthex::scrape
