#include "libscrape/discovery/dns_message.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr int kMaxJumps = 64;  // along compression pointers
constexpr size_t kMaxNameBytes = 255;

class Reader {
 public:
  explicit Reader(std::string_view message) : message_(message) {}

  bool Number(size_t bytes, uint32_t& out) {
    if (at_ + bytes > message_.size()) return false;
    out = 0;
    while (bytes-- > 0) out = out << 8 | Byte(at_++);
    return true;
  }
  bool Skip(size_t bytes) {
    if (bytes > message_.size() - at_) return false;
    at_ += bytes;
    return true;
  }
  // A name with its final dot; what a dot or backslash within a label is gets a
  // backslash, what is no printable ASCII a number.
  bool Name(std::string& out) {
    out.clear();
    size_t at = at_;
    bool jumped = false;
    size_t bytes = 0;
    for (int jumps = 0;;) {
      if (at >= message_.size()) return false;
      const size_t length = Byte(at++);
      if (length == 0) break;
      if ((length & 0xc0) == 0xc0) {
        if (at >= message_.size() || ++jumps > kMaxJumps) return false;
        const size_t target = (length & 0x3f) << 8 | Byte(at++);
        if (!jumped) at_ = at;
        jumped = true;
        at = target;
        continue;
      }
      if ((length & 0xc0) != 0 || length > message_.size() - at) return false;
      bytes += length + 1;
      if (bytes > kMaxNameBytes) return false;
      for (size_t i = 0; i < length; ++i) AddByte(Byte(at++), out);
      out.push_back('.');
    }
    if (!jumped) at_ = at;
    if (out.empty()) out = ".";
    return true;
  }
  std::string_view Bytes(size_t size) const {
    return message_.substr(at_, size);
  }
  size_t at() const { return at_; }
  void MoveTo(size_t at) { at_ = at; }

 private:
  unsigned Byte(size_t at) const {
    return static_cast<unsigned char>(message_[at]);
  }
  static void AddByte(unsigned byte, std::string& out) {
    constexpr std::string_view kSpecial = ".\\ '@;()\"";
    const char c = static_cast<char>(byte);
    if (byte < ' ' || byte > '~') {
      out += {'\\', static_cast<char>('0' + byte / 100),
              static_cast<char>('0' + byte / 10 % 10),
              static_cast<char>('0' + byte % 10)};
      return;
    }
    if (kSpecial.find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }

  const std::string_view message_;
  size_t at_ = 0;
};

// An address as Go prints it: IPv4 in IPv6 is IPv4.
std::optional<std::string> Address(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN];
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  if (bytes.size() == 16 && bytes.starts_with(kMapped)) {
    bytes.remove_prefix(kMapped.size());
  }
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, bytes.data(), text, sizeof(text)) == nullptr) {
    return std::nullopt;
  }
  return text;
}

// What stands in the record's `size` bytes from here; false: damaged.
bool ReadRecord(Reader& in, uint32_t wire_type, size_t size,
                std::vector<DnsRecord>& out) {
  DnsRecord record;
  uint32_t number = 0;
  switch (wire_type) {
    case ns_t_a:
    case ns_t_aaaa: {
      if (size != (wire_type == ns_t_a ? 4u : 16u)) return false;
      auto address = Address(in.Bytes(size));
      if (!address) return false;
      record.type = wire_type == ns_t_a ? DnsType::kA : DnsType::kAaaa;
      record.target = *std::move(address);
      break;
    }
    case ns_t_srv:
      record.type = DnsType::kSrv;
      if (!in.Number(4, number)) return false;  // priority and weight
      if (!in.Number(2, number) || !in.Name(record.target)) return false;
      record.port = static_cast<uint16_t>(number);
      break;
    case ns_t_mx:
      record.type = DnsType::kMx;
      if (!in.Number(2, number) || !in.Name(record.target)) return false;
      break;
    case ns_t_ns:
      record.type = DnsType::kNs;
      if (!in.Name(record.target)) return false;
      break;
    default:
      return true;
  }
  out.push_back(std::move(record));
  return true;
}

}  // namespace

absl::StatusOr<std::vector<DnsRecord>> ParseDnsAnswer(
    std::string_view message) {
  const auto damaged = [] { return DataLoss("damaged DNS message"); };
  Reader in(message);
  uint32_t questions = 0, answers = 0;
  if (!in.Skip(4) || !in.Number(2, questions) || !in.Number(2, answers)) {
    return damaged();
  }
  if (message.size() < kHeaderBytes) return damaged();
  in.MoveTo(kHeaderBytes);
  std::string name;
  while (questions-- > 0) {
    if (!in.Name(name) || !in.Skip(4)) return damaged();
  }
  std::vector<DnsRecord> records;
  while (answers-- > 0) {
    uint32_t type = 0, rest = 0, size = 0;
    if (!in.Name(name) || !in.Number(2, type) || !in.Number(2, rest) ||
        !in.Number(4, rest) || !in.Number(2, size)) {
      return damaged();
    }
    const size_t end = in.at() + size;
    if (end > message.size()) return damaged();
    if (!ReadRecord(in, type, size, records) || in.at() > end) return damaged();
    in.MoveTo(end);
  }
  return records;
}

}  // namespace narthex::scrape
