#include "tools/serve_flags.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "narthex/base/status.h"
#include "narthex/base/time.h"
#include "tools/serve_features.h"

namespace narthex::tools {
namespace {

enum class Kind : uint8_t {
  kText,
  kBool,
  // Prometheus has it, here it does nothing: a warning.
  kIdleText,
  kIdleBool,
  // Doing nothing would be dangerous: refused unless it is the default.
  kRefused,
};

struct Flag {
  const char* name;
  Kind kind;
  const char* value;  // the default
  const char* help;
};

constexpr Flag kFlags[] = {
    // --- What works.
    {"config.file", Kind::kText, "prometheus.yml", "Configuration file"},
    {"storage.tsdb.path", Kind::kText, "data/", "Directory of the database"},
    {"storage.tsdb.retention.time", Kind::kText, "",
     "How long to keep samples; 15d if no size is given either"},
    {"storage.tsdb.retention.size", Kind::kText, "0B",
     "Bytes that blocks, log and head chunks may take, such as 512MB; "
     "0: any"},
    {"storage.tsdb.min-block-duration", Kind::kText, "2h",
     "Span of a block cut from the head"},
    {"storage.tsdb.max-block-duration", Kind::kText, "",
     "Span up to which blocks are merged; default: a tenth of the retention"},
    {"storage.tsdb.wal-segment-size", Kind::kText, "0B",
     "Size of a file of the write-ahead log; 0: 128MB"},
    {"storage.tsdb.wal-compression", Kind::kBool, "true",
     "Compress the write-ahead log"},
    {"storage.tsdb.wal-compression-type", Kind::kText, "snappy",
     "How: snappy or zstd"},
    {"storage.tsdb.wal-sync", Kind::kText, "none",
     "What a power cut may take of what was acknowledged: none (no promise), "
     "an interval such as 5s (what is younger), or commit (nothing; slower)"},
    {"storage.tsdb.max-series", Kind::kText, "0",
     "Series in memory; new ones beyond are refused; 0: any"},
    {"storage.tsdb.no-lockfile", Kind::kBool, "false",
     "Don't lock the directory"},
    {"storage.tsdb.samples-per-chunk", Kind::kText, "120",
     "Samples that a chunk is planned for"},
    {"storage.tsdb.block-reload-interval", Kind::kText, "1m",
     "How often to look for work: blocks to cut, merge and delete"},
    {"scrape.adjust-timestamps", Kind::kBool, "true",
     "Store a scrape that comes a little late at the time it was due"},
    {"scrape.timestamp-tolerance", Kind::kText, "2ms",
     "How late that is at most; never more than a hundredth of the interval"},
    {"query.lookback-delta", Kind::kText, "5m",
     "How far back an expression looks for a sample"},
    {"query.timeout", Kind::kText, "2m", "How long a query may take"},
    {"query.max-concurrency", Kind::kText, "20", "Queries that run at once"},
    {"query.max-samples", Kind::kText, "50000000",
     "Samples that one query may hold at once"},
    {"web.read-timeout", Kind::kText, "5m",
     "How long a client may take to send a request or be idle"},
    {"web.max-connections", Kind::kText, "512", "Connections at once"},
    {"web.enable-lifecycle", Kind::kBool, "false",
     "Serve /-/reload and /-/quit"},
    {"web.enable-remote-write-receiver", Kind::kBool, "false",
     "Serve /api/v1/write: store what others send (protocol 1.0)"},
    {"web.cors.origin", Kind::kText, ".*",
     "Regular expression of origins that scripts may come from"},
    {"web.external-url", Kind::kText, "",
     "How this server is reached from outside, for the links of targets"},
    {"log.level", Kind::kText, "info", "debug, info, warn or error"},

    // --- What Prometheus has and narthex does not do.
    {"config.auto-reload", Kind::kIdleBool, "false", "Send SIGHUP instead"},
    {"config.auto-reload-interval", Kind::kIdleText, "30s", ""},
    {"auto-gomaxprocs", Kind::kIdleBool, "true", "Go only"},
    {"auto-gomemlimit", Kind::kIdleBool, "true", "Go only"},
    {"auto-gomemlimit.ratio", Kind::kIdleText, "0.9", "Go only"},
    {"auto-gomemlimit.refresh-interval", Kind::kIdleText, "0s", "Go only"},
    {"web.config.file", Kind::kRefused, "", "TLS and passwords: not yet"},
    {"web.route-prefix", Kind::kRefused, "/", "Not yet"},
    {"web.max-notifications-subscribers", Kind::kIdleText, "16",
     "No notifications"},
    {"web.user-assets", Kind::kIdleText, "", "No user interface"},
    {"web.enable-admin-api", Kind::kBool, "false",
     "Allow deletion of series and snapshots over HTTP"},
    {"web.remote-write-receiver.accepted-protobuf-messages", Kind::kIdleText,
     "", "prometheus.WriteRequest (1.0) alone"},
    {"web.enable-otlp-receiver", Kind::kIdleBool, "false", "Not yet"},
    {"web.console.templates", Kind::kIdleText, "consoles", "No user interface"},
    {"web.console.libraries", Kind::kIdleText, "console_libraries",
     "No user interface"},
    {"web.page-title", Kind::kIdleText,
     "Prometheus Time Series Collection and Processing Server",
     "No user interface"},
    {"web.search.max-limit", Kind::kIdleText, "10000", "No search"},
    {"storage.tsdb.retention.percentage", Kind::kText, "0",
     "Share of the disk that blocks may take, in percent; 0: no limit"},
    {"storage.tsdb.max-block-chunk-segment-size", Kind::kIdleText, "0B",
     "Not yet"},
    {"storage.tsdb.allow-overlapping-compaction", Kind::kIdleBool, "true",
     "Overlapping blocks are always merged"},
    {"storage.tsdb.head-chunks-write-queue-size", Kind::kIdleText, "0",
     "There is no such queue"},
    {"storage.tsdb.delayed-compaction.max-percent", Kind::kIdleText, "10",
     "Not yet"},
    {"storage.tsdb.delay-compact-file.path", Kind::kRefused, "", "Not yet"},
    {"storage.remote.flush-deadline", Kind::kIdleText, "1m",
     "No remote write yet"},
    {"storage.remote.read-sample-limit", Kind::kIdleText, "50000000",
     "No remote read yet"},
    {"storage.remote.read-concurrent-limit", Kind::kIdleText, "10",
     "No remote read yet"},
    {"storage.remote.read-max-bytes-in-frame", Kind::kIdleText, "1048576",
     "No remote read yet"},
    {"rules.alert.for-outage-tolerance", Kind::kIdleText, "1h", "No rules yet"},
    {"rules.alert.for-grace-period", Kind::kIdleText, "10m", "No rules yet"},
    {"rules.alert.resend-delay", Kind::kIdleText, "1m", "No rules yet"},
    {"rules.max-concurrent-evals", Kind::kIdleText, "4", "No rules yet"},
    {"scrape.discovery-reload-interval", Kind::kIdleText, "5s",
     "Changes are taken over at once"},
    {"alertmanager.notification-queue-capacity", Kind::kIdleText, "10000",
     "No alerts yet"},
    {"alertmanager.notification-batch-size", Kind::kIdleText, "256",
     "No alerts yet"},
    {"alertmanager.drain-notification-queue-on-shutdown", Kind::kIdleBool,
     "true", "No alerts yet"},
    {"log.format", Kind::kIdleText, "logfmt", "Always logfmt"},
    {"agent", Kind::kRefused, "false", "There is no agent mode"},
};

// Reads values by name and keeps the first error.
class Reader {
 public:
  explicit Reader(const ServeFlags& flags) : flags_(flags) {}

  const std::string& Text(const std::string& name) const {
    return flags_.values.at(name);
  }
  bool Bool(const std::string& name) { return Text(name) == "true"; }
  Duration Span(const std::string& name) {
    const auto read = ParseDuration(Text(name));
    if (!read.ok()) return Fail(name, read.status()), Duration(0);
    return *read;
  }
  int64_t Number(const std::string& name, int64_t least) {
    const std::string& text = Text(name);
    int64_t n = 0;
    const char* end = text.data() + text.size();
    const auto [p, error] = std::from_chars(text.data(), end, n);
    if (error != std::errc() || p != end || n < least) {
      Fail(name, InvalidArgument(StrCat("not a number from ", least, " on: \"",
                                        text, "\"")));
    }
    return n;
  }
  // "512MB": powers of 1024.
  uint64_t Bytes(const std::string& name) {
    const std::string& text = Text(name);
    uint64_t n = 0;
    const char* end = text.data() + text.size();
    const auto [p, error] = std::from_chars(text.data(), end, n);
    const std::string unit(p, static_cast<size_t>(end - p));
    static constexpr const char* kUnits[] = {"B",  "KB", "MB", "GB",
                                             "TB", "PB", "EB"};
    for (int i = 0; i < 7; ++i) {
      const std::string binary = StrCat(std::string(1, kUnits[i][0]), "iB");
      if (unit != kUnits[i] && (i == 0 || unit != binary)) continue;
      if (error == std::errc() && n <= (~uint64_t{0} >> (10 * i))) {
        return n << (10 * i);
      }
    }
    if (unit.empty() && n == 0) return 0;
    Fail(name,
         InvalidArgument(StrCat(
             "not a number of bytes with its unit (512MB): \"", text, "\"")));
    return 0;
  }
  void Fail(const std::string& name, const absl::Status& status) {
    if (status_.ok()) status_ = Annotate(status, StrCat("--", name));
  }
  const absl::Status& status() const { return status_; }

 private:
  const ServeFlags& flags_;
  absl::Status status_;
};

void ReadStorage(Reader& read, ServeSettings& out) {
  tsdb::Options& storage = out.options.storage;
  storage.retention_bytes = read.Bytes("storage.tsdb.retention.size");
  storage.retention_percent =
      static_cast<double>(read.Number("storage.tsdb.retention.percentage", 0));
  const std::string& time = read.Text("storage.tsdb.retention.time");
  storage.retention = Duration(0);
  if (!time.empty())
    storage.retention = read.Span("storage.tsdb.retention.time");
  if (storage.retention.ms == 0 && storage.retention_bytes == 0) {
    storage.retention = Days(15);
  }
  storage.min_block_duration = read.Span("storage.tsdb.min-block-duration");
  if (storage.min_block_duration.ms <= 0) {
    read.Fail("storage.tsdb.min-block-duration",
              InvalidArgument("must be positive"));
  }
  if (!read.Text("storage.tsdb.max-block-duration").empty()) {
    storage.max_block_duration = read.Span("storage.tsdb.max-block-duration");
    if (storage.max_block_duration < storage.min_block_duration) {
      read.Fail("storage.tsdb.max-block-duration",
                InvalidArgument("must not be below the minimum"));
    }
  }
  if (const uint64_t size = read.Bytes("storage.tsdb.wal-segment-size")) {
    storage.wal_segment_bytes = size;
  }
  const std::string& type = read.Text("storage.tsdb.wal-compression-type");
  storage.wal_compression =
      type == "zstd" ? Compression::kZstd : Compression::kSnappy;
  if (type != "zstd" && type != "snappy") {
    read.Fail("storage.tsdb.wal-compression-type",
              InvalidArgument("must be snappy or zstd"));
  }
  if (!read.Bool("storage.tsdb.wal-compression")) {
    storage.wal_compression = Compression::kNone;
  }
  const std::string& sync = read.Text("storage.tsdb.wal-sync");
  storage.sync_commits = sync == "commit";
  if (sync != "commit" && sync != "none") {
    storage.sync_interval = read.Span("storage.tsdb.wal-sync");
  }
  storage.max_series =
      static_cast<uint64_t>(read.Number("storage.tsdb.max-series", 0));
  storage.lock_directory = !read.Bool("storage.tsdb.no-lockfile");
  storage.samples_per_chunk =
      static_cast<int>(read.Number("storage.tsdb.samples-per-chunk", 4));
  storage.background_interval = read.Span("storage.tsdb.block-reload-interval");
  // Blocks of seconds want to be cut within seconds.
  storage.background_interval = std::max(
      Seconds(1),
      std::min(storage.background_interval, storage.min_block_duration / 2));

  out.api.retention =
      storage.retention.ms == 0 ? "" : FormatDuration(storage.retention);
  if (storage.retention_bytes != 0) {
    StrAppend(&out.api.retention, out.api.retention.empty() ? "" : " or ",
              read.Text("storage.tsdb.retention.size"));
  }
}

// "http://host:9090/path": scheme and host for the targets' links.  Not given:
// this machine's name and the first port that is listened on.
void ReadExternalUrl(Reader& read, ServeSettings& out) {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) name[0] = '\0';
  out.options.scrape.host_name = name;
  const std::string_view listen = out.http.listen[0];
  const size_t port = listen.rfind(':');
  if (port != std::string_view::npos) {
    out.options.scrape.listen_port = std::string(listen.substr(port + 1));
  }
  std::string_view url = read.Text("web.external-url");
  if (url.empty()) {
    out.options.scrape.global_host = StrCat(out.options.scrape.host_name, ":",
                                            out.options.scrape.listen_port);
    return;
  }
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos) {
    return read.Fail("web.external-url",
                     InvalidArgument("must begin with http:// or https://"));
  }
  out.options.scrape.global_scheme = std::string(url.substr(0, colon));
  url.remove_prefix(colon + 3);
  out.options.scrape.global_host = std::string(url.substr(0, url.find('/')));
}

}  // namespace

void DeclareServeFlags(CLI::App& app,
                       const std::shared_ptr<ServeFlags>& flags) {
  for (const Flag& flag : kFlags) {
    std::string& value = flags->values[flag.name];
    value = flag.value;
    std::string help = flag.help;
    CLI::Option* option = nullptr;
    const std::string name = StrCat("--", std::string_view(flag.name));
    const bool idle =
        flag.kind == Kind::kIdleBool || flag.kind == Kind::kIdleText;
    if (flag.kind == Kind::kBool || flag.kind == Kind::kIdleBool ||
        std::string_view(flag.name) == "agent") {
      option = app.add_flag_function(
          StrCat(name, ",!--no-", std::string_view(flag.name)),
          [&value](int64_t n) { value = n > 0 ? "true" : "false"; }, help);
    } else {
      option = app.add_option(name, value, help)->capture_default_str();
    }
    if (idle) option->group("Flags of Prometheus that do nothing here");
    if (flag.kind == Kind::kRefused) {
      option->group("Flags of Prometheus that are refused");
    }
  }
  app.add_option("--web.listen-address", flags->listen,
                 "Address to listen on; can be repeated [0.0.0.0:9090]")
      ->allow_extra_args(false);
  app.add_option("--enable-feature", flags->features,
                 "Features to switch on, comma separated; can be repeated")
      ->allow_extra_args(false);
}

absl::StatusOr<ServeSettings> ReadServeFlags(
    const ServeFlags& flags, const std::vector<std::string>& given) {
  ServeSettings out;
  Reader read(flags);
  for (const Flag& flag : kFlags) {
    const bool was_given =
        std::find(given.begin(), given.end(), flag.name) != given.end();
    if (!was_given) continue;
    if (flag.kind == Kind::kIdleBool || flag.kind == Kind::kIdleText) {
      out.notices.push_back(
          {.message =
               StrCat("--", std::string_view(flag.name),
                      " does nothing here: ", std::string_view(flag.help))});
    } else if (flag.kind == Kind::kRefused &&
               read.Text(flag.name) != flag.value) {
      read.Fail(flag.name, Unimplemented("not supported by narthex yet"));
    }
  }

  out.config_file = read.Text("config.file");
  out.options.data_dir = read.Text("storage.tsdb.path");
  ReadStorage(read, out);

  const Duration tolerance = read.Span("scrape.timestamp-tolerance");
  out.options.scrape.timestamp_tolerance =
      read.Bool("scrape.adjust-timestamps") ? tolerance : Duration(0);

  promql::EngineOptions& engine = out.options.engine;
  engine.lookback = read.Span("query.lookback-delta");
  engine.timeout = read.Span("query.timeout");
  engine.max_samples = read.Number("query.max-samples", 1);
  out.api.max_concurrent_queries =
      static_cast<int>(read.Number("query.max-concurrency", 1));
  for (const std::string& features : flags.features) {
    TakeFeatures(features, out);
  }

  out.http.listen = flags.listen;
  if (out.http.listen.empty()) out.http.listen = {"0.0.0.0:9090"};
  out.http.read_timeout = read.Span("web.read-timeout");
  out.http.max_connections =
      static_cast<int>(read.Number("web.max-connections", 1));
  out.lifecycle = read.Bool("web.enable-lifecycle");
  out.api.admin_api = read.Bool("web.enable-admin-api");
  out.api.remote_write_receiver = read.Bool("web.enable-remote-write-receiver");
  out.api.cors_origin = read.Text("web.cors.origin");
  ReadExternalUrl(read, out);

  const std::string& level = read.Text("log.level");
  if (level == "debug") {
    out.log_level = LogLevel::kDebug;
  } else if (level == "warn") {
    out.log_level = LogLevel::kWarn;
  } else if (level == "error") {
    out.log_level = LogLevel::kError;
  } else if (level != "info") {
    read.Fail("log.level",
              InvalidArgument("must be debug, info, warn or error"));
  }

  // What a flag amounts to, rather than that it was not given.
  out.api.flags = flags.values;
  const tsdb::Options& storage = out.options.storage;
  out.api.flags["storage.tsdb.retention.time"] =
      FormatDuration(storage.retention);
  if (storage.max_block_duration.ms == 0) {
    const Duration tenth =
        storage.retention.ms == 0 ? Days(31) : storage.retention / 10;
    out.api.flags["storage.tsdb.max-block-duration"] = FormatDuration(
        std::max(storage.min_block_duration, std::min(tenth, Days(31))));
  }
  std::string listen;
  for (const std::string& address : out.http.listen) {
    StrAppend(&listen, listen.empty() ? "" : ",", address);
  }
  out.api.flags["web.listen-address"] = listen;
  std::string features;
  for (const std::string& feature : flags.features) {
    StrAppend(&features, features.empty() ? "" : ",", feature);
  }
  out.api.flags["enable-feature"] = features;
  NARTHEX_RETURN_IF_ERROR(read.status());
  return out;
}

}  // namespace narthex::tools
