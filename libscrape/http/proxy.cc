#include "libscrape/http/proxy.h"
#include "narthex/base/ascii.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace narthex::scrape {
namespace {

// As 16 bytes, version 4 within version 6.
using Address = std::array<uint8_t, 16>;

std::optional<Address> ParseAddress(std::string_view text) {
  const std::string copy(text);
  Address address = {};
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  constexpr size_t kMapped = 12;
  address[10] = address[11] = 0xff;
  if (inet_pton(AF_INET, copy.c_str(), address.data() + kMapped) == 1) {
    return address;
  }
  return std::nullopt;
}

bool IsLoopback(std::string_view host) {
  if (host == "localhost") return true;
  const auto address = ParseAddress(host);
  if (!address) return false;
  if (host.find(':') == std::string_view::npos) return (*address)[12] == 127;
  Address one = {};
  one[15] = 1;
  return *address == one;
}

bool InNetwork(const Address& address, const Address& network, int bits) {
  for (size_t i = 0; i < address.size() && bits > 0; ++i, bits -= 8) {
    const auto mask =
        static_cast<uint8_t>(bits >= 8 ? 0xff : 0xff << (8 - bits));
    if (((address[i] ^ network[i]) & mask) != 0) return false;
  }
  return true;
}

// One entry of a no_proxy list.
bool Covers(std::string_view entry, std::string_view host,
            std::string_view port) {
  const auto address = ParseAddress(host);
  if (const size_t slash = entry.find('/'); slash != std::string_view::npos) {
    const auto network = ParseAddress(entry.substr(0, slash));
    const std::string_view digits = entry.substr(slash + 1);
    int bits = 0;
    const auto [p, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (!network || !address || error != std::errc()) return false;
    const bool v4 = entry.find(':') == std::string_view::npos;
    return InNetwork(*address, *network, v4 ? bits + 96 : bits);
  }
  if (!ParseAddress(entry)) {
    // Maybe with a port.
    const size_t colon = entry.rfind(':');
    if (colon != std::string_view::npos) {
      if (entry.substr(colon + 1) != port) return false;
      entry = entry.substr(0, colon);
    }
    if (entry.size() > 1 && entry.front() == '[' && entry.back() == ']') {
      entry = entry.substr(1, entry.size() - 2);
    }
  }
  if (entry.empty()) return false;
  if (const auto other = ParseAddress(entry)) {
    return address && *address == *other;
  }
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with(".")) return host.ends_with(entry);
  return host == entry ||
         (host.size() > entry.size() && host.ends_with(entry) &&
          host[host.size() - entry.size() - 1] == '.');
}

std::string_view Trim(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

}  // namespace

bool IsCovered(std::string_view no_proxy, std::string_view host,
               std::string_view port) {
  if (IsLoopback(host)) return true;
  const std::string list = AsciiLower(no_proxy);
  std::string_view rest = list;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view entry = Trim(rest.substr(0, comma));
    if (entry == "*" || Covers(entry, host, port)) return true;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return false;
}

std::string ProxyFor(const ProxyOptions& options, std::string_view scheme,
                     std::string_view host, std::string_view port,
                     const std::function<std::string(const char*)>& getenv) {
  const std::string name = AsciiLower(host);
  if (!options.from_environment) {
    if (options.url.empty() || options.no_proxy.empty()) return options.url;
    return IsCovered(options.no_proxy, name, port) ? std::string()
                                                   : options.url;
  }
  const auto either = [&](const char* upper, const char* lower) {
    std::string value = getenv(upper);
    return value.empty() ? getenv(lower) : value;
  };
  const std::string url = scheme == "https"
                              ? either("HTTPS_PROXY", "https_proxy")
                              : either("HTTP_PROXY", "http_proxy");
  // A CGI script's HTTP_PROXY may be a client's header.
  if (url.empty() || (scheme != "https" && !getenv("REQUEST_METHOD").empty())) {
    return {};
  }
  return IsCovered(either("NO_PROXY", "no_proxy"), name, port) ? std::string()
                                                               : url;
}

}  // namespace narthex::scrape
