// W1 and W7: the fleet's scrapes into an empty database, one commit per scrape.

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "benchmarks/bench.h"
#include "benchmarks/fleet.h"
#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/model/appender.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/db.h"

namespace narthex::bench {
namespace {

// What one target's next commit consists of.
struct Pending {
  FleetScrape scrape = {};
  std::vector<double> values = {};
  std::vector<SeriesRef> refs = {};                   // kNone: not resolved yet
  std::vector<std::pair<size_t, Labels>> fresh = {};  // series to resolve
  std::vector<SeriesRef> gone = {};  // old series of churned pods
  std::vector<Appended> outcomes = {};
};

struct Counts {
  uint64_t samples = 0, created = 0;
};

// The generator's part, untimed.
void Prepare(Fleet& fleet, size_t target, int64_t k, Pending& p) {
  p.scrape = fleet.Next(target, k, p.values);
  p.fresh.clear();
  p.gone.clear();
  if (k == 0) {
    for (size_t i = 0; i < kSeriesPerTarget; ++i) {
      p.fresh.emplace_back(i, fleet.LabelsOf(target, i));
    }
    return;
  }
  for (int slot : p.scrape.churned) {
    for (size_t i : fleet.SeriesOfSlot(target, slot)) {
      p.gone.push_back(p.refs[i]);
      p.fresh.emplace_back(i, fleet.LabelsOf(target, i));
    }
  }
}

// The database's part, timed.
absl::Status Append(Appender& appender, Pending& p, Counts& counts) {
  const Timestamp t = p.scrape.t;
  auto append = [&](std::span<const SeriesRef> refs,
                    std::span<const double> values) -> absl::Status {
    p.outcomes.assign(refs.size(), Appended::kStored);
    NARTHEX_RETURN_IF_ERROR(appender.AppendFloats(
        {.refs = refs, .values = values, .at = t}, p.outcomes));
    for (Appended outcome : p.outcomes) {
      if (outcome != Appended::kStored) {
        return Internal(
            StrCat("a sample was refused: ", static_cast<int>(outcome)));
      }
    }
    counts.samples += refs.size();
    return absl::OkStatus();
  };
  if (p.scrape.failed) {
    const std::vector<double> stale(p.refs.size(), StaleNaN());
    NARTHEX_RETURN_IF_ERROR(append(p.refs, stale));
    return appender.Commit();
  }
  for (auto& [i, labels] : p.fresh) {
    NARTHEX_ASSIGN_OR_RETURN(p.refs[i], appender.Resolve(labels));
    ++counts.created;
  }
  NARTHEX_RETURN_IF_ERROR(append(p.refs, p.values));
  if (!p.gone.empty()) {
    const std::vector<double> stale(p.gone.size(), StaleNaN());
    NARTHEX_RETURN_IF_ERROR(append(p.gone, stale));
  }
  return appender.Commit();
}

}  // namespace

absl::Status RunIngest(std::string_view workload, const BenchFlags& flags) {
  if (flags.dir.empty()) return InvalidArgument("-dir is missing");
  NARTHEX_ASSIGN_OR_RETURN(Fleet fleet,
                           Fleet::Load(flags.fleet, flags.targets));
  const std::string name =
      StrCat("series=", flags.targets * kSeriesPerTarget,
             ",scrapes=", flags.scrapes, ",par=", flags.par);
  std::vector<Pending> pending(flags.targets);
  for (Pending& p : pending) {
    p.values.assign(kSeriesPerTarget, 0);
    p.refs.assign(kSeriesPerTarget, SeriesRef::kNone);
    p.outcomes.assign(kSeriesPerTarget, Appended::kStored);
  }
  const double base = ReadMemoryUse().resident;

  tsdb::Options options;
  options.retention = Duration(0);
  NARTHEX_ASSIGN_OR_RETURN(auto db, tsdb::Db::Open(flags.dir, options));
  const size_t threads = static_cast<size_t>(std::max(1, flags.par));
  std::vector<std::unique_ptr<Appender>> appenders;
  for (size_t i = 0; i < threads; ++i) appenders.push_back(db->NewAppender());

  // Scrape 0: every series is made, target by target.
  Counts counts;
  double cpu0 = ProcessCpuSeconds(), generator = 0, wall = 0;
  for (size_t target = 0; target < flags.targets; ++target) {
    const double g = ThreadCpuSeconds();
    Prepare(fleet, target, 0, pending[target]);
    generator += ThreadCpuSeconds() - g;
    const double w = WallSeconds();
    NARTHEX_RETURN_IF_ERROR(Append(*appenders[0], pending[target], counts));
    wall += WallSeconds() - w;
    // Their memory is not the database's.
    pending[target].fresh.clear();
    pending[target].fresh.shrink_to_fit();
  }
  double cpu = ProcessCpuSeconds() - cpu0 - generator;
  const double created = static_cast<double>(counts.created);
  const std::string create = name + ",phase=create";
  Emit(workload, create, "series_per_s", created / wall, "1/s");
  Emit(workload, create, "series_per_cpu_s", created / cpu, "1/s");

  // Scrapes 1..: steady, with churn.
  counts.samples = 0;
  cpu0 = ProcessCpuSeconds();
  generator = wall = 0;
  for (size_t k = 1; k < flags.scrapes; ++k) {
    const double g = ThreadCpuSeconds();
    for (size_t target = 0; target < flags.targets; ++target) {
      Prepare(fleet, target, static_cast<int64_t>(k), pending[target]);
    }
    generator += ThreadCpuSeconds() - g;
    const double w = WallSeconds();
    if (threads == 1) {
      for (Pending& p : pending) {
        NARTHEX_RETURN_IF_ERROR(Append(*appenders[0], p, counts));
      }
    } else {
      std::vector<Counts> each(threads);
      std::vector<absl::Status> statuses(threads);
      std::vector<std::thread> workers;
      for (size_t i = 0; i < threads; ++i) {
        workers.emplace_back([&, i] {
          for (size_t target = i; target < flags.targets && statuses[i].ok();
               target += threads) {
            statuses[i] = Append(*appenders[i], pending[target], each[i]);
          }
        });
      }
      for (std::thread& worker : workers) worker.join();
      for (size_t i = 0; i < threads; ++i) {
        NARTHEX_RETURN_IF_ERROR(statuses[i]);
        counts.samples += each[i].samples;
        counts.created += each[i].created;
      }
    }
    wall += WallSeconds() - w;
  }
  cpu = ProcessCpuSeconds() - cpu0 - generator;

  const std::string steady = name + ",phase=steady";
  const double samples = static_cast<double>(counts.samples);
  Emit(workload, steady, "samples", samples, "1");
  Emit(workload, steady, "series_created", static_cast<double>(counts.created),
       "1");
  Emit(workload, steady, "samples_per_s", samples / wall, "1/s");
  Emit(workload, steady, "samples_per_cpu_s", samples / cpu, "1/s");
  Emit(workload, steady, "ns_per_sample_cpu", cpu * 1e9 / samples, "ns");
  const double total =
      samples + static_cast<double>(flags.targets * kSeriesPerTarget);
  Emit(workload, steady, "wal_bytes_per_sample",
       DirBytes(flags.dir + "/wal") / total, "B");
  Emit(workload, steady, "mmapped_chunk_bytes",
       DirBytes(flags.dir + "/chunks_head"), "B");
  const double series = static_cast<double>(db->stats(0).series);
  const MemoryUse use = ReadMemoryUse();
  Emit(workload, steady, "head_series", series, "1");
  Emit(workload, steady, "rss", use.resident - base, "B");
  Emit(workload, steady, "rss_peak", use.peak - base, "B");
  Emit(workload, steady, "rss_peak_per_series", (use.peak - base) / series,
       "B");
  Emit(workload, steady, "rss_per_series", (use.resident - base) / series, "B");
  malloc_trim(0);
  Emit(workload, steady, "rss_after_gc_per_series",
       (ReadMemoryUse().resident - base) / series, "B");
  const tsdb::HeadBytes bytes = db->stats(0).bytes;
  const std::pair<const char*, uint64_t> parts[] = {
      {"head_bytes_series", bytes.series},
      {"head_bytes_open_chunks", bytes.open_chunks},
      {"head_bytes_mapped_chunks", bytes.mapped_chunks},
      {"head_bytes_labels", bytes.labels},
      {"head_bytes_postings", bytes.postings},
      {"head_bytes_lookup", bytes.lookup}};
  for (const auto& [name, n] : parts) {
    Emit(workload, steady, StrCat(name, "_per_series"),
         static_cast<double>(n) / series, "B");
  }
  const struct mallinfo2 heap = mallinfo2();
  Emit(workload, steady, "heap_in_use_per_series",
       static_cast<double>(heap.uordblks + heap.hblkhd) / series, "B");
  Emit(workload, steady, "heap_free_per_series",
       static_cast<double>(heap.fordblks) / series, "B");
  appenders.clear();
  const struct mallinfo2 without = mallinfo2();
  Emit(workload, steady, "appenders_per_series",
       static_cast<double>(heap.uordblks + heap.hblkhd - without.uordblks -
                           without.hblkhd) /
           series,
       "B");
  const absl::Status closed = db->Close();
  db.reset();
  const struct mallinfo2 gone = mallinfo2();
  Emit(workload, steady, "db_per_series",
       static_cast<double>(without.uordblks + without.hblkhd - gone.uordblks -
                           gone.hblkhd) /
           series,
       "B");
  return closed;
}

absl::Status RunReplay(const BenchFlags& flags) {
  if (flags.dir.empty()) return InvalidArgument("-dir is missing");
  const double base = ReadMemoryUse().resident;
  const double wal = DirBytes(flags.dir + "/wal");
  tsdb::Options options;
  options.retention = Duration(0);
  std::optional<ThreadPool> pool;  // without one, replay is the caller's alone
  if (flags.par > 1) options.executor = &pool.emplace(flags.par);
  const double wall0 = WallSeconds(), cpu0 = ProcessCpuSeconds();
  NARTHEX_ASSIGN_OR_RETURN(auto db, tsdb::Db::Open(flags.dir, options));
  const double wall = WallSeconds() - wall0;
  const double cpu = ProcessCpuSeconds() - cpu0;
  const std::string name =
      StrCat("series=", db->stats(0).series,
             flags.par > 1 ? StrCat(",par=", flags.par) : "");
  const MemoryUse use = ReadMemoryUse();
  Emit("W6", name, "seconds", wall, "s");
  Emit("W6", name, "cpu_seconds", cpu, "s");
  Emit("W6", name, "wal_mb_per_s", wal / 1e6 / wall, "MB/s");
  Emit("W6", name, "rss", use.resident - base, "B");
  Emit("W6", name, "rss_peak", use.peak - base, "B");
  malloc_trim(0);
  Emit("W6", name, "rss_after_gc", ReadMemoryUse().resident - base, "B");
  return db->Close();
}

}  // namespace narthex::bench
