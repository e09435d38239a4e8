// What the database says of itself.

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "libtsdb/db/db_impl.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// The greatest `limit` of them, greatest first.
std::vector<NameCount> Top(std::vector<NameCount> all, size_t limit) {
  const size_t n = std::min(limit, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(n),
                    all.end(), [](const NameCount& a, const NameCount& b) {
                      if (a.count != b.count) return a.count > b.count;
                      return a.name < b.name;
                    });
  all.resize(n);
  return all;
}

}  // namespace

DbMetrics::DbMetrics(MetricRegistry& r)
    : blocks_loaded(r.NewGauge("prometheus_tsdb_blocks_loaded",
                               "Number of currently loaded data blocks")),
      block_bytes(r.NewGauge(
          "prometheus_tsdb_storage_blocks_bytes",
          "The number of bytes that are currently used for local storage by "
          "all blocks.")),
      lowest_time(r.NewGauge("prometheus_tsdb_lowest_timestamp",
                             "Lowest timestamp value stored in the database. "
                             "The unit is decided by the library consumer.")),
      compactions(
          r.NewCounter("prometheus_tsdb_compactions_total",
                       "Total number of compactions that were executed for "
                       "the partition.")),
      compactions_failed(r.NewCounter(
          "prometheus_tsdb_compactions_failed_total",
          "Total number of compactions that failed for the partition.")),
      stale_compactions(r.NewCounter(
          "prometheus_tsdb_stale_series_compactions_triggered_total",
          "Total number of triggered stale series compactions.")),
      stale_compactions_failed(r.NewCounter(
          "prometheus_tsdb_stale_series_compactions_failed_total",
          "Total number of stale series compactions that failed.")),
      compactions_triggered(r.NewCounter(
          "prometheus_tsdb_compactions_triggered_total",
          "Total number of triggered compactions for the partition.")),
      reloads(r.NewCounter("prometheus_tsdb_reloads_total",
                           "Number of times the database reloaded block data "
                           "from disk.")),
      reloads_failed(
          r.NewCounter("prometheus_tsdb_reloads_failures_total",
                       "Number of times the database failed to reloadBlocks "
                       "block data from disk.")),
      time_retentions(r.NewCounter("prometheus_tsdb_time_retentions_total",
                                   "The number of times that blocks were "
                                   "deleted because the maximum time limit "
                                   "was exceeded.")),
      size_retentions(r.NewCounter("prometheus_tsdb_size_retentions_total",
                                   "The number of times that blocks were "
                                   "deleted because the maximum number of "
                                   "bytes was exceeded.")) {}

Stats Db::Impl::MakeStats(size_t limit) {
  Stats stats;
  const HeadCounts counts = head->Counts();
  stats.series = counts.series;
  stats.chunks = counts.chunks;
  stats.label_pairs = head->label_pairs();
  stats.min_time = head->min_time();
  stats.max_time = head->max_time();
  stats.bytes.series = counts.line_bytes;
  stats.bytes.open_chunks = counts.slab_bytes - counts.mapped_bytes;
  stats.bytes.mapped_chunks = counts.mapped_bytes;
  stats.bytes.labels = counts.label_bytes;
  stats.bytes.postings = counts.postings_bytes;
  stats.bytes.lookup = counts.lookup_bytes;

  const Blocks loaded = LoadedBlocks();
  stats.blocks = loaded.size();
  for (const auto& block : loaded) stats.block_bytes += block->size_bytes();
  stats.wal_bytes = memory != nullptr ? 0 : LogBytes();
  stats.head_chunk_bytes = head->ChunkFileBytes();
  if (limit == 0) return stats;

  // A reader's place keeps the texts.
  const std::shared_ptr<const BlockSource> hold =
      head->NewSource(TimeRange(), /*isolated=*/true);
  const auto text = [&](SymbolId id) {
    return std::string(hold->SymbolText(id));
  };
  struct PerName {
    uint64_t values = 0;
    uint64_t bytes = 0;
  };
  absl::flat_hash_map<SymbolId, PerName> names;
  const SymbolId metric_name = hold->FindSymbol(kMetricName);
  for (const MemPostings::PairCount& pair : head->PairCounts()) {
    PerName& name = names[pair.name];
    ++name.values;
    // As Prometheus counts: a value once for every series that has it.
    name.bytes += hold->SymbolText(pair.value).size() * pair.series;
    const std::string value = text(pair.value);
    if (pair.name == metric_name) {
      stats.series_by_metric.push_back({value, pair.series});
    }
    stats.series_by_pair.push_back(
        {StrCat(text(pair.name), "=", value), pair.series});
  }
  for (const auto& [name, count] : names) {
    stats.values_by_label.push_back({text(name), count.values});
    stats.value_bytes_by_label.push_back({text(name), count.bytes});
  }
  stats.series_by_metric = Top(std::move(stats.series_by_metric), limit);
  stats.series_by_pair = Top(std::move(stats.series_by_pair), limit);
  stats.values_by_label = Top(std::move(stats.values_by_label), limit);
  stats.value_bytes_by_label =
      Top(std::move(stats.value_bytes_by_label), limit);
  return stats;
}

}  // namespace narthex::tsdb
