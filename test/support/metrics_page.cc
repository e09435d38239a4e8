#include "test/support/metrics_page.h"

#include <array>
#include <cstdio>
#include <random>

namespace narthex::test {
namespace {

class PageWriter {
 public:
  PageWriter(uint64_t seed, int round) : random_(seed), round_(round) {}

  void Family(const std::string& name, const std::string& type) {
    page_ += "# HELP " + name + " What " + name + " counts.\n";
    page_ += "# TYPE " + name + " " + type + "\n";
  }
  void Counter(const std::string& series) {
    const uint64_t base = random_() % 1'000'000;
    Line(series, std::to_string(base + static_cast<uint64_t>(round_) * 7));
  }
  void Gauge(const std::string& series) {
    std::array<char, 40> text = {};
    const double base = static_cast<double>(random_() % 1'000'000) / 97.0;
    std::snprintf(text.data(), text.size(), "%.17g", base + round_ * 0.25);
    Line(series, text.data());
  }
  void Line(const std::string& series, const std::string& value) {
    page_ += series + " " + value + "\n";
  }
  std::string Take() { return std::move(page_); }

 private:
  std::mt19937_64 random_;
  int round_;
  std::string page_;
};

}  // namespace

std::string MetricsPage(uint64_t seed, int round, int cpus) {
  PageWriter page(seed, round);
  page.Family("node_cpu_seconds_total", "counter");
  for (int cpu = 0; cpu < cpus; ++cpu) {
    for (const char* mode : {"idle", "iowait", "irq", "nice", "softirq",
                             "steal", "system", "user"}) {
      page.Gauge("node_cpu_seconds_total{cpu=\"" + std::to_string(cpu) +
                 "\",mode=\"" + mode + "\"}");
    }
  }
  for (const char* what :
       {"MemFree", "MemTotal", "Cached", "Buffers", "Slab"}) {
    const std::string name = std::string("node_memory_") + what + "_bytes";
    page.Family(name, "gauge");
    page.Counter(name);
  }
  page.Family("node_filesystem_avail_bytes", "gauge");
  for (const char* mount :
       {"/", "/boot", "/home", "/var/lib/x y", "C:\\\\data"}) {
    page.Counter(std::string("node_filesystem_avail_bytes{device=\"/dev/sda\","
                             "fstype=\"ext4\",mountpoint=\"") +
                 mount + "\"}");
  }
  page.Family("node_network_receive_bytes_total", "counter");
  for (int i = 0; i < 12; ++i) {
    page.Counter("node_network_receive_bytes_total{device=\"veth" +
                 std::to_string(i) + "\"}");
  }
  page.Family("http_request_duration_seconds", "histogram");
  for (const char* le : {"0.005", "0.1", "1", "2.5", "+Inf"}) {
    page.Counter(std::string("http_request_duration_seconds_bucket{le=\"") +
                 le + "\"}");
  }
  page.Gauge("http_request_duration_seconds_sum");
  page.Counter("http_request_duration_seconds_count");
  page.Family("gc_seconds", "summary");
  for (const char* quantile : {"0", "0.5", "1"}) {
    page.Gauge(std::string("gc_seconds{quantile=\"") + quantile + "\"}");
  }
  page.Line("gc_seconds_sum", "1.7e-05");
  page.Line("gc_seconds_count", "NaN");
  page.Family("node_scrape_collector_success", "gauge");
  for (const char* name : {"arp", "bcache", "cpu", "diskstats", "netdev"}) {
    page.Line(std::string("node_scrape_collector_success{collector=\"") + name +
                  "\"}",
              "1");
  }
  return page.Take();
}

}  // namespace narthex::test
