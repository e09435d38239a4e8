// narthex's own metrics: what was counted on the way, and what is looked up at
// this moment.  Names are Prometheus's where the meaning is equal, so that its
// dashboards work; the rest begins with narthex_.

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "libnarthex/narthex_impl.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/version.h"

namespace narthex {
namespace {

// Writes families that the registry has not written itself.
class Page {
 public:
  explicit Page(std::string counted) : out_(std::move(counted)) {}

  // false: it is there already.
  bool Family(std::string_view name, std::string_view type,
              std::string_view help) {
    if (out_.find(StrCat("# TYPE ", name, " ")) != std::string::npos) {
      return false;
    }
    StrAppend(&out_, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type,
              "\n");
    return true;
  }
  void Line(std::string_view series, double value) {
    StrAppend(&out_, series, " ", FormatFloat(value), "\n");
  }
  void Gauge(std::string_view name, double value, std::string_view help) {
    if (Family(name, "gauge", help)) Line(name, value);
  }
  void Counter(std::string_view name, double value, std::string_view help) {
    if (Family(name, "counter", help)) Line(name, value);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

double Seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

void WriteProcess(Page& page, Timestamp started) {
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    page.Counter("process_cpu_seconds_total",
                 Seconds(usage.ru_utime) + Seconds(usage.ru_stime),
                 "Total user and system CPU time spent in seconds.");
  }
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    long pages = 0, resident = 0;
    if (std::fscanf(file, "%ld %ld", &pages, &resident) == 2) {
      const auto page_size = static_cast<double>(sysconf(_SC_PAGESIZE));
      page.Gauge("process_virtual_memory_bytes",
                 static_cast<double>(pages) * page_size,
                 "Virtual memory size in bytes.");
      page.Gauge("process_resident_memory_bytes",
                 static_cast<double>(resident) * page_size,
                 "Resident memory size in bytes.");
    }
    std::fclose(file);
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    page.Gauge("process_max_fds", static_cast<double>(limit.rlim_cur),
               "Maximum number of open file descriptors.");
  }
  if (DIR* dir = opendir("/proc/self/fd")) {
    int open = -3;  // ".", ".." and this one
    while (readdir(dir) != nullptr) ++open;
    closedir(dir);
    page.Gauge("process_open_fds", open, "Number of open file descriptors.");
  }
  page.Gauge("process_start_time_seconds",
             static_cast<double>(started.ms) / 1000,
             "When narthex was opened, in seconds since the epoch.");
}

void WriteStore(Page& page, const tsdb::Stats& stats) {
  auto number = [](uint64_t n) { return static_cast<double>(n); };
  page.Gauge("prometheus_tsdb_head_series", number(stats.series),
             "Total number of series in the head block.");
  page.Gauge("prometheus_tsdb_head_chunks", number(stats.chunks),
             "Total number of chunks in the head block.");
  page.Gauge("prometheus_tsdb_head_min_time",
             static_cast<double>(stats.min_time.ms),
             "Minimum time of the head block, in milliseconds.");
  page.Gauge("prometheus_tsdb_head_max_time",
             static_cast<double>(stats.max_time.ms),
             "Maximum time of the head block, in milliseconds.");
  page.Gauge("prometheus_tsdb_blocks_loaded", number(stats.blocks),
             "Number of blocks that are open.");
  page.Gauge("prometheus_tsdb_storage_blocks_bytes", number(stats.block_bytes),
             "Bytes of all blocks.");
  page.Gauge("prometheus_tsdb_wal_storage_size_bytes", number(stats.wal_bytes),
             "Bytes of the write-ahead log.");
  page.Gauge("prometheus_tsdb_head_chunks_storage_size_bytes",
             number(stats.head_chunk_bytes), "Bytes of chunks_head.");
  if (page.Family("narthex_tsdb_head_memory_bytes", "gauge",
                  "Memory that the head holds, by what it is used for.")) {
    const tsdb::HeadBytes& bytes = stats.bytes;
    auto part = [&](std::string_view kind, uint64_t n) {
      page.Line(StrCat("narthex_tsdb_head_memory_bytes{kind=\"", kind, "\"}"),
                static_cast<double>(n));
    };
    part("series", bytes.series);
    part("open_chunks", bytes.open_chunks);
    part("mapped_chunks", bytes.mapped_chunks);
    part("labels", bytes.labels);
    part("postings", bytes.postings);
    part("lookup", bytes.lookup);
  }
}

void WriteScrape(Page& page, const scrape::Scraper& scraper) {
  std::map<std::string, size_t> targets;
  for (const std::string& pool : scraper.Pools()) targets[pool] = 0;
  for (const scrape::TargetStatus& target : scraper.Targets()) {
    ++targets[target.scrape_pool];
  }
  if (targets.empty() ||
      !page.Family("prometheus_target_scrape_pool_targets", "gauge",
                   "Current number of targets in this scrape pool.")) {
    return;
  }
  for (const auto& [pool, n] : targets) {
    page.Line(StrCat("prometheus_target_scrape_pool_targets{scrape_job=",
                     GoQuote(pool), "}"),
              static_cast<double>(n));
  }
}

}  // namespace

std::string ExposeSelf(const Narthex& narthex, Timestamp started) {
  Page page(narthex.metrics().Expose());
  const BuildInfo build = GetBuildInfo();
  if (page.Family("narthex_build_info", "gauge",
                  "1, with the version in its labels.")) {
    page.Line(StrCat("narthex_build_info{version=\"", build.version,
                     "\",compiler=", GoQuote(build.compiler), "}"),
              1);
  }
  const ReloadState reload = narthex.last_reload();
  page.Gauge("prometheus_config_last_reload_successful", reload.success ? 1 : 0,
             "Whether the last configuration reload attempt was successful.");
  page.Gauge("prometheus_config_last_reload_success_timestamp_seconds",
             static_cast<double>(reload.at.ms) / 1000,
             "Timestamp of the last successful configuration reload.");
  WriteProcess(page, started);
  WriteStore(page, narthex.storage().stats(/*limit=*/0));
  if (const scrape::Scraper* scraper = narthex.scraper()) {
    WriteScrape(page, *scraper);
  }
  return page.Take();
}

}  // namespace narthex
