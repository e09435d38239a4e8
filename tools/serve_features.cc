#include "tools/serve_features.h"

#include <string>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::tools {
namespace {

// What a server of narthex does whatever it is told.
constexpr std::string_view kPermanent =
    "This option for --enable-feature is now permanently enabled and therefore "
    "a no-op.";
struct Feature {
  std::string_view name;
  LogLevel level;
  std::string_view message;
  void (*apply)(Options& options);  // null: there is nothing to switch
};

void Nothing(Options&) {}

constexpr Feature kFeatures[] = {
    // --- Of the scraper.
    {"extra-scrape-metrics", LogLevel::kWarn,
     "This option for --enable-feature is being phased out. It currently "
     "changes the default for the extra_scrape_metrics config setting to true, "
     "but will become a no-op in a future version. Stop using this option and "
     "set extra_scrape_metrics in the config instead.",
     [](Options& o) { o.scrape.extra_scrape_metrics = true; }},
    {"native-histograms", LogLevel::kWarn,
     "This option for --enable-feature is a no-op. To scrape native "
     "histograms, set the scrape_native_histograms scrape config setting to "
     "true.",
     Nothing},
    {"ooo-native-histograms", LogLevel::kWarn, kPermanent, Nothing},
    {"created-timestamp-zero-ingestion", LogLevel::kInfo,
     "Experimental start timestamp zero ingestion enabled. OpenMetrics 1.0 "
     "parsing will parse <metric>_created metrics as ST instead of normal "
     "sample. Changed default scrape_protocols to prefer PrometheusProto "
     "format.",
     [](Options& o) { o.scrape.start_time_zero_ingestion = true; }},
    {"st-storage", LogLevel::kInfo,
     "Experimental start timestamp storage enabled. OpenMetrics 1.0 parsing "
     "will parse <metric>_created metrics as ST instead of normal sample. "
     "Changed default scrape_protocols to prefer PrometheusProto format.",
     [](Options& o) {
       o.scrape.start_times = true;
       o.storage.start_times = true;
     }},
    {"metadata-wal-records", LogLevel::kInfo,
     "Experimental metadata records in WAL enabled",
     [](Options& o) { o.scrape.append_metadata = true; }},
    // Long settled, and unknown to 3.14; people still have them in their units.
    {"new-service-discovery-manager", LogLevel::kWarn, kPermanent, Nothing},
    {"no-default-scrape-port", LogLevel::kWarn, kPermanent, Nothing},
    {"utf8-names", LogLevel::kWarn, kPermanent, Nothing},

    // --- Of the database.
    {"exemplar-storage", LogLevel::kInfo,
     "Experimental in-memory exemplar storage enabled",
     // How many is said by storage.exemplars.max_exemplars.
     [](Options& o) { o.storage.max_exemplars = 100000; }},
    {"xor2-encoding", LogLevel::kWarn,
     "This option for --enable-feature is being phased out. It currently "
     "changes the default for the storage.tsdb.chunk_encoding.floats config "
     "setting to xor2, but will become a no-op in a future major version. Stop "
     "using this option and set storage.tsdb.chunk_encoding.floats in the "
     "config instead.",
     [](Options& o) { o.storage.float_chunks = tsdb::FloatChunks::kXor2; }},
    {"histograms-st-encoding", LogLevel::kInfo,
     "Experimental ST-capable histogram chunk encoding enabled.",
     [](Options& o) { o.storage.histogram_start_times = true; }},
    {"memory-snapshot-on-shutdown", LogLevel::kInfo,
     "Experimental memory snapshot on shutdown enabled",
     [](Options& o) { o.storage.memory_snapshot_on_shutdown = true; }},

    // --- Of PromQL.
    {"promql-at-modifier", LogLevel::kWarn, kPermanent, Nothing},
    {"promql-negative-offset", LogLevel::kWarn, kPermanent, Nothing},
    {"promql-duration-expr", LogLevel::kWarn, kPermanent, Nothing},
    {"promql-per-step-stats", LogLevel::kInfo,
     "Experimental per-step statistics reporting",
     [](Options& o) { o.engine.per_step_stats = true; }},
    {"promql-experimental-functions", LogLevel::kInfo,
     "Experimental PromQL functions enabled.",
     [](Options& o) { o.engine.experimental_functions = true; }},
    {"promql-delayed-name-removal", LogLevel::kInfo,
     "Experimental PromQL delayed name removal enabled.",
     [](Options& o) { o.engine.delayed_name_removal = true; }},
    {"promql-extended-range-selectors", LogLevel::kInfo,
     "Experimental PromQL extended range selectors enabled.",
     [](Options& o) { o.engine.extended_range_selectors = true; }},
    {"promql-binop-fill-modifiers", LogLevel::kInfo,
     "Experimental PromQL binary operator fill modifiers enabled.",
     [](Options& o) { o.engine.binop_fill_modifiers = true; }},
    // PromQL knows these labels; nobody makes them of a page.
    {"type-and-unit-labels", LogLevel::kWarn,
     "Type and unit labels are heeded by PromQL, and not made of what is "
     "scraped.",
     [](Options& o) { o.engine.type_and_unit_labels = true; }},
    {"use-start-timestamps", LogLevel::kInfo,
     "Experimental usage of start timestamps in PromQL engine is enabled.",
     [](Options& o) { o.engine.start_timestamps = true; }},

    // --- What 3.14 knows and narthex does not do (yet).
    {"auto-reload-config", LogLevel::kWarn, "", nullptr},
    {"concurrent-rule-eval", LogLevel::kWarn, "", nullptr},
    {"delayed-compaction", LogLevel::kWarn, "", nullptr},
    {"fast-startup", LogLevel::kWarn, "", nullptr},
    {"old-ui", LogLevel::kWarn, "", nullptr},
    {"otlp-deltatocumulative", LogLevel::kWarn, "", nullptr},
    {"otlp-native-delta-ingestion", LogLevel::kWarn, "", nullptr},
    {"search-api", LogLevel::kWarn, "", nullptr},
    {"st-synthesis", LogLevel::kWarn, "", nullptr},
    {"use-uncached-io", LogLevel::kWarn, "", nullptr},
};

void TakeFeature(std::string_view name, ServeSettings& out) {
  const auto note = [&](LogLevel level, std::string message) {
    out.notices.push_back({level, std::move(message), std::string(name)});
  };
  for (const Feature& feature : kFeatures) {
    if (feature.name != name) continue;
    if (feature.apply == nullptr) {
      return note(LogLevel::kWarn,
                  "This option for --enable-feature has no effect here.");
    }
    feature.apply(out.options);
    return note(feature.level, std::string(feature.message));
  }
  note(LogLevel::kWarn, "Unknown option for --enable-feature");
}

}  // namespace

void TakeFeatures(std::string_view list, ServeSettings& out) {
  for (;;) {
    const size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    if (!name.empty()) TakeFeature(name, out);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace narthex::tools
