// Names to records, as service discovery asks the DNS: an interface, and an
// implementation over c-ares with one thread that only moves bytes.
//
// Any thread may call Resolve.  Tests pass a resolver of their own.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"

namespace narthex::scrape {

enum class DnsType : uint8_t { kSrv, kA, kAaaa, kMx, kNs };

// "SRV", "A", ...; in any case of letters, as Prometheus reads it.
absl::StatusOr<DnsType> ParseDnsType(std::string_view text);
std::string_view DnsTypeName(DnsType type);

struct DnsRecord {
  DnsType type = DnsType::kA;
  // Of kA and kAaaa the address as text; else a name, with its final dot.
  std::string target = {};
  uint16_t port = 0;  // of kSrv

  friend bool operator==(const DnsRecord &, const DnsRecord &) = default;
};

class DnsResolver {
 public:
  // Records in the order of the answer.  Empty: there is no such name, or none
  // of that type.  An error: some server could not say.
  using Done =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<DnsRecord>>) &&>;

  virtual ~DnsResolver() = default;
  // Looks `name` up, with the system's search list unless it ends in a dot.
  // `done` is called exactly once, from a thread of the resolver's or before
  // Resolve returns; it must only hand over to an Executor.
  virtual void Resolve(std::string name, DnsType type, Done done) = 0;
};

struct DnsOptions {
  // Servers, search list and options; read anew for every lookup.
  std::string resolv_conf = "/etc/resolv.conf";
  uint16_t port = 53;
  Duration timeout = Seconds(2);  // for each server
};

// The destructor ends lookups under way with kCancelled and joins its thread,
// which the first lookup starts.
std::unique_ptr<DnsResolver> NewAresResolver(DnsOptions options = {});

}  // namespace narthex::scrape
