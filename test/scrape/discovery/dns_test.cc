#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/synchronization/notification.h"
#include "libscrape/discovery/dns_message.h"
#include "test/scrape/discovery/ask_lab.h"

namespace narthex::scrape {
namespace {

using std::string_literals::operator""s;

// "web.example.com" as labels behind their lengths.
std::string WireName(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    out.push_back(static_cast<char>(dot));
    out += name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out.push_back('\0');
  return out;
}
std::string Short(unsigned n) {
  return {static_cast<char>(n >> 8), static_cast<char>(n & 0xff)};
}
std::string Record(unsigned type, std::string_view data) {
  // The owner is a pointer to the question.
  return "\xc0\x0c"s + Short(type) + Short(1) + "\0\0\0\x3c"s +
         Short(static_cast<unsigned>(data.size())) + std::string(data);
}
std::string Answer(std::string_view question, unsigned type, unsigned rcode,
                   const std::vector<std::string>& records) {
  std::string out = "\0\0"s + Short(0x8180 | rcode) + Short(1) +
                    Short(static_cast<unsigned>(records.size())) + "\0\0\0\0"s +
                    std::string(question) + Short(type) + Short(1);
  for (const std::string& record : records) out += record;
  return out;
}

TEST_CASE("Answers are read record by record, others than ours left out",
          "[dns]") {
  const std::string name = WireName("x.example");
  const std::string message = Answer(
      name, 33, 0,
      {Record(33, Short(1) + Short(2) + Short(9100) + WireName("a.example")),
       Record(5, WireName("alias.example")),
       Record(15, Short(10) + WireName("mx.example")),
       Record(2, "\x02ns\xc0\x0c"s), Record(1, "\x0a\0\0\x01"s),
       Record(28, "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01")});
  const auto records = ParseDnsAnswer(message);
  REQUIRE(records.ok());
  CHECK(*records == std::vector<DnsRecord>{{DnsType::kSrv, "a.example.", 9100},
                                           {DnsType::kMx, "mx.example.", 0},
                                           {DnsType::kNs, "ns.x.example.", 0},
                                           {DnsType::kA, "10.0.0.1", 0},
                                           {DnsType::kAaaa, "2001:db8::1", 0}});
  // Wherever it breaks off, it is an error and nothing worse.
  for (size_t n = 0; n < message.size(); ++n) {
    CHECK_FALSE(ParseDnsAnswer(message.substr(0, n)).ok());
  }
  // A name that points to itself.
  CHECK_FALSE(ParseDnsAnswer(Answer("\xc0\x0c"s, 33, 0, {})).ok());
}

TEST_CASE("dns_sd makes a group of each name and keeps what failed", "[dns]") {
  AskLab lab;
  lab.resolver.answers["_web"] = std::vector<DnsRecord>{
      {DnsType::kSrv, "a.example.", 9100}, {DnsType::kSrv, "b.example.", 80}};
  lab.resolver.answers["other"] =
      std::vector<DnsRecord>{{DnsType::kSrv, "c.example.", 1}};
  const auto discoverer =
      lab.Discover(DnsDiscovery{.names = {"_web", "other"}});
  REQUIRE(discoverer.ok());
  CHECK(lab.Shown() == "_web=a.example:9100,b.example:80, other=c.example:1, ");
  CHECK(lab.shown["_web"].targets[0] ==
        Labels{{"__address__", "a.example:9100"},
               {"__meta_dns_name", "_web"},
               {"__meta_dns_srv_record_port", "9100"},
               {"__meta_dns_srv_record_target", "a.example."}});

  lab.resolver.answers["_web"] = Unavailable("SERVFAIL");
  lab.resolver.answers["other"] = std::vector<DnsRecord>();
  lab.clock.Advance(Seconds(30));
  CHECK(lab.Shown() == "_web=a.example:9100,b.example:80, ");
}

TEST_CASE("dns_sd takes the port for all records but SRV", "[dns]") {
  AskLab lab;
  lab.resolver.answers["m"] = std::vector<DnsRecord>{
      {DnsType::kMx, "mx.example.", 0}, {DnsType::kAaaa, "::1", 0}};
  const auto discoverer = lab.Discover(
      DnsDiscovery{.names = {"m"}, .type = DnsType::kMx, .port = 25});
  REQUIRE(discoverer.ok());
  CHECK(lab.Shown() == "m=mx.example:25,[::1]:25, ");
  CHECK(lab.shown["m"].targets[0].Get("__meta_dns_mx_record_target") ==
        "mx.example.");

  CHECK(Message(ValidateDnsDiscovery({.names = {"m"}, .type = DnsType::kA})) ==
        "a port is required in DNS-SD configs for all record types except "
        "SRV");
  CHECK(Message(ValidateDnsDiscovery({})) ==
        "DNS-SD config must contain at least one SRV record name");
  CHECK(Message(ParseDnsType("TXT").status()) ==
        "invalid DNS-SD records type TXT");
  CHECK(*ParseDnsType("aaaa") == DnsType::kAaaa);
}

// A server of the DNS on loopback that knows one SRV record, below "in.search".
class DnsStub {
 public:
  DnsStub() : fd_(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
            0);
    socklen_t size = sizeof(address);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~DnsStub() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  uint16_t port() const { return port_; }

 private:
  void Serve() {
    char buffer[1024];
    sockaddr_in from = {};
    for (;;) {
      socklen_t size = sizeof(from);
      const ssize_t n = recvfrom(fd_, buffer, sizeof(buffer), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 13) return;
      const std::string query(buffer, static_cast<size_t>(n));
      const size_t end = query.find('\0', 12) + 1;
      const std::string question = query.substr(12, end - 12);
      std::string reply;
      if (question == WireName("_web._tcp.in.search")) {
        reply = Answer(question, 33, 0,
                       {Record(33, Short(0) + Short(0) + Short(8080) +
                                       WireName("host.in.search"))});
      } else {
        // NXDOMAIN, or SERVFAIL for names that begin with "bad".
        reply =
            Answer(question, 33, question.substr(1, 3) == "bad" ? 2 : 3, {});
      }
      reply.replace(0, 2, query.substr(0, 2));
      sendto(fd_, reply.data(), reply.size(), 0,
             reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  int fd_;
  uint16_t port_ = 0;
  std::thread thread_;
};

TEST_CASE("c-ares goes through the search list; errors are not absence",
          "[dns]") {
  DnsStub stub;
  const std::string conf =
      std::filesystem::temp_directory_path() /
      ("narthex_resolv_" + std::to_string(getpid()) + ".conf");
  std::ofstream(conf) << "nameserver 127.0.0.1\nsearch no.search in.search\n"
                         "options ndots:3\n";
  DnsOptions options;
  options.resolv_conf = conf;
  options.port = stub.port();
  options.timeout = Seconds(20);
  const auto resolver = NewAresResolver(options);
  const auto resolve = [&](const std::string& name) {
    absl::Notification done;
    absl::StatusOr<std::vector<DnsRecord>> result;
    resolver->Resolve(name, DnsType::kSrv,
                      [&](absl::StatusOr<std::vector<DnsRecord>> records) {
                        result = std::move(records);
                        done.Notify();
                      });
    done.WaitForNotification();
    return result;
  };
  const auto found = resolve("_web._tcp");
  REQUIRE(found.ok());
  CHECK(*found ==
        std::vector<DnsRecord>{{DnsType::kSrv, "host.in.search.", 8080}});
  const auto absent = resolve("_web._tcp.");
  REQUIRE(absent.ok());
  CHECK(absent->empty());
  const auto failed = resolve("bad.name");
  REQUIRE_FALSE(failed.ok());
  CHECK(std::string(Message(failed.status()))
            .starts_with("could not resolve \"bad.name\""));
  std::filesystem::remove(conf);
}

}  // namespace
}  // namespace narthex::scrape
