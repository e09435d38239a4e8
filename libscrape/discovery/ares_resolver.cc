// The DNS through c-ares.  A channel for each lookup, so that resolv.conf is
// read anew and a slow server holds up nobody else; one thread for all of them.

#include <ares.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <list>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libscrape/discovery/dns_message.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/dns.h"

namespace narthex::scrape {
namespace {

int WireType(DnsType type) {
  switch (type) {
    case DnsType::kSrv:
      return ns_t_srv;
    case DnsType::kA:
      return ns_t_a;
    case DnsType::kAaaa:
      return ns_t_aaaa;
    case DnsType::kMx:
      return ns_t_mx;
    case DnsType::kNs:
      return ns_t_ns;
  }
  return ns_t_srv;
}

// A name on its way through the search list.  Lives on the resolver's thread.
class Lookup {
 public:
  Lookup(std::string name, DnsType type, DnsResolver::Done done)
      : name_(std::move(name)), type_(type), done_(std::move(done)) {}
  ~Lookup() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  void Begin(const DnsOptions& options) {
    const absl::Status status = SetUp(options);
    if (!status.ok()) return End(status);
    AskNext();
  }
  bool ended() const { return ended_; }
  ares_channel channel() const { return channel_; }

  void End(absl::StatusOr<std::vector<DnsRecord>> result) {
    if (std::exchange(ended_, true)) return;
    std::move(done_)(std::move(result));
  }

 private:
  absl::Status SetUp(const DnsOptions& options) {
    auto conf = Env::Posix()->ReadFile(options.resolv_conf);
    if (!conf.ok()) {
      return Annotate(conf.status(), "could not load resolv.conf");
    }
    ares_options ares = {};
    ares.flags = ARES_FLAG_EDNS;
    ares.timeout =
        static_cast<int>(std::clamp<int64_t>(options.timeout.ms, 1, 60'000));
    ares.tries = 1;  // each server
    ares.ednspsz = 4096;
    ares.udp_port = options.port;
    ares.tcp_port = options.port;
    std::string path = options.resolv_conf;
    ares.resolvconf_path = path.data();
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_EDNSPSZ | ARES_OPT_RESOLVCONF;
    if (options.port != 53) mask |= ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
    const int made = ares_init_options(&channel_, &ares, mask);
    if (made != ARES_SUCCESS) {
      channel_ = nullptr;
      return Unavailable(StrCat("c-ares: ", ares_strerror(made)));
    }
    ListNames();
    return absl::OkStatus();
  }

  // The name as it is and below each domain of the search list; which comes
  // first is a matter of how many dots it has.
  void ListNames() {
    if (name_.ends_with('.')) {
      names_.push_back(name_);
      return;
    }
    ares_options saved = {};
    int mask = 0;
    if (ares_save_options(channel_, &saved, &mask) != ARES_SUCCESS) {
      names_.push_back(name_ + ".");
      return;
    }
    const auto dots = std::count(name_.begin(), name_.end(), '.');
    const int wanted = (mask & ARES_OPT_NDOTS) != 0 ? saved.ndots : 1;
    const bool first = dots >= wanted;
    if (first) names_.push_back(name_ + ".");
    for (int i = 0; i < saved.ndomains; ++i) {
      std::string name = StrCat(name_, ".", saved.domains[i]);
      if (!name.ends_with('.')) name.push_back('.');
      names_.push_back(std::move(name));
    }
    if (!first) names_.push_back(name_ + ".");
    ares_destroy_options(&saved);
  }

  void AskNext() {
    if (next_ == names_.size()) {
      if (!failed_) return End(std::vector<DnsRecord>());
      return End(Unavailable(
          StrCat("could not resolve ", GoQuote(name_),
                 ": all servers responded with errors to at least one search "
                 "domain")));
    }
    ares_query(channel_, names_[next_++].c_str(), ns_c_in, WireType(type_),
               &Lookup::OnAnswer, this);
  }

  static void OnAnswer(void* arg, int status, int /*timeouts*/,
                       unsigned char* bytes, int size) {
    static_cast<Lookup*>(arg)->Take(
        status, {reinterpret_cast<const char*>(bytes),
                 bytes != nullptr && size > 0 ? static_cast<size_t>(size) : 0});
  }

  void Take(int status, std::string_view message) {
    switch (status) {
      case ARES_SUCCESS:
        // A damaged answer is as good as none.
        if (auto records = ParseDnsAnswer(message); records.ok()) {
          return End(*std::move(records));
        }
        failed_ = true;
        break;
      case ARES_ENODATA:
        return End(std::vector<DnsRecord>());
      case ARES_ENOTFOUND:
        break;
      case ARES_EDESTRUCTION:
      case ARES_ECANCELLED:
        return End(Cancelled("the DNS resolver is closed"));
      default:
        failed_ = true;
    }
    AskNext();
  }

  const std::string name_;
  const DnsType type_;
  DnsResolver::Done done_;
  ares_channel channel_ = nullptr;
  std::vector<std::string> names_;
  size_t next_ = 0;
  bool failed_ = false;  // some name got no answer from any server
  bool ended_ = false;
};

class AresResolver final : public DnsResolver {
 public:
  explicit AresResolver(DnsOptions options) : options_(std::move(options)) {}

  ~AresResolver() override {
    {
      absl::MutexLock lock(&mu_);
      closing_ = true;
    }
    Wake();
    if (thread_.joinable()) thread_.join();
    if (wake_ >= 0) close(wake_);
  }

  void Resolve(std::string name, DnsType type, Done done) override {
    auto lookup =
        std::make_unique<Lookup>(std::move(name), type, std::move(done));
    {
      absl::MutexLock lock(&mu_);
      if (!started_) {
        started_ = true;
        ares_library_init(ARES_LIB_INIT_ALL);
        wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        thread_ = std::thread([this] { Loop(); });
      }
      fresh_.push_back(std::move(lookup));
    }
    Wake();
  }

 private:
  using Lookups = std::list<std::unique_ptr<Lookup>>;

  void Wake() {
    if (wake_ < 0) return;
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
  }

  void Loop() {
    Lookups running;
    for (;;) {
      Lookups fresh;
      {
        absl::MutexLock lock(&mu_);
        fresh.swap(fresh_);
        if (closing_) {
          running.splice(running.end(), fresh);
          break;
        }
      }
      for (const auto& lookup : fresh) lookup->Begin(options_);
      running.splice(running.end(), fresh);
      running.remove_if([](const auto& lookup) { return lookup->ended(); });
      Wait(running);
    }
    for (const auto& lookup : running) {
      lookup->End(Cancelled("the DNS resolver is closed"));
    }
  }

  // Until bytes came, a time-out struck, or somebody woke us.
  void Wait(const Lookups& running) const {
    std::vector<pollfd> fds = {{wake_, POLLIN, 0}};
    std::vector<ares_channel> owners = {nullptr};
    int64_t wait_ms = -1;
    for (const auto& lookup : running) {
      std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets = {};
      const int bits =
          ares_getsock(lookup->channel(), sockets.data(), ARES_GETSOCK_MAXNUM);
      for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
        short events = 0;
        if (ARES_GETSOCK_READABLE(bits, i)) events |= POLLIN;
        if (ARES_GETSOCK_WRITABLE(bits, i)) events |= POLLOUT;
        if (events == 0) continue;
        fds.push_back({sockets[static_cast<size_t>(i)], events, 0});
        owners.push_back(lookup->channel());
      }
      timeval left = {};
      if (const timeval* next =
              ares_timeout(lookup->channel(), nullptr, &left)) {
        const int64_t ms =
            int64_t{next->tv_sec} * 1000 + (next->tv_usec + 999) / 1000;
        wait_ms = wait_ms < 0 ? ms : std::min(wait_ms, ms);
      }
    }
    poll(fds.data(), fds.size(),
         static_cast<int>(std::min<int64_t>(wait_ms, 60'000)));
    uint64_t woken = 0;
    (void)!read(wake_, &woken, sizeof(woken));
    for (size_t i = 1; i < fds.size(); ++i) {
      const short got = fds[i].revents;
      if (got == 0) continue;
      const bool readable = (got & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool writable = (got & (POLLOUT | POLLERR | POLLHUP)) != 0;
      ares_process_fd(owners[i], readable ? fds[i].fd : ARES_SOCKET_BAD,
                      writable ? fds[i].fd : ARES_SOCKET_BAD);
    }
    for (const auto& lookup : running) {
      if (lookup->ended()) continue;
      ares_process_fd(lookup->channel(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
  }

  const DnsOptions options_;
  absl::Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  Lookups fresh_ ABSL_GUARDED_BY(mu_);
  // Set with the start, before the thread.
  int wake_ = -1;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<DnsResolver> NewAresResolver(DnsOptions options) {
  return std::make_unique<AresResolver>(std::move(options));
}

}  // namespace narthex::scrape
