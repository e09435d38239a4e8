// W2: the head of a directory that W1 left becomes a block.

#include <malloc.h>

#include <string>
#include <vector>

#include "benchmarks/bench.h"
#include "benchmarks/fleet.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"

namespace narthex::bench {
absl::Status RunCompact(const BenchFlags& flags) {
  if (flags.dir.empty()) return InvalidArgument("-dir is missing");
  tsdb::Options options;
  options.retention = Duration(0);
  NARTHEX_ASSIGN_OR_RETURN(auto db, tsdb::Db::Open(flags.dir, options));
  const auto series = db->stats(0).series;
  malloc_trim(0);
  const MemoryUse before = ReadMemoryUse();
  const double wall0 = WallSeconds(), cpu0 = ProcessCpuSeconds();
  NARTHEX_RETURN_IF_ERROR(
      db->CompactHead(Timestamp(kFleetStart) + Hours(2)));
  const double wall = WallSeconds() - wall0;
  const double cpu = ProcessCpuSeconds() - cpu0;
  const MemoryUse after = ReadMemoryUse();
  for (const tsdb::BlockMeta& block : db->Blocks()) {
    const double samples = static_cast<double>(block.stats.samples);
    const std::string name =
        StrCat("series=", series, ",samples=", block.stats.samples);
    const std::string dir = flags.dir + "/" + block.ulid;
    const double chunks = DirBytes(dir + "/chunks");
    NARTHEX_ASSIGN_OR_RETURN(const FileInfo index,
                             Env::Posix()->Stat(dir + "/index"));
    const double index_bytes = static_cast<double>(index.size);
    Emit("W2", name, "seconds", wall, "s");
    Emit("W2", name, "cpu_seconds", cpu, "s");
    Emit("W2", name, "samples_per_cpu_s", samples / cpu, "1/s");
    Emit("W2", name, "chunk_bytes_per_sample", chunks / samples, "B");
    Emit("W2", name, "index_bytes_per_series",
         index_bytes / static_cast<double>(block.stats.series), "B");
    Emit("W2", name, "block_bytes_per_sample", (chunks + index_bytes) / samples,
         "B");
    Emit("W2", name, "num_chunks", static_cast<double>(block.stats.chunks),
         "1");
    Emit("W2", name, "num_series", static_cast<double>(block.stats.series),
         "1");
    Emit("W2", name, "rss_before", before.resident, "B");
    Emit("W2", name, "rss_after", after.resident, "B");
    Emit("W2", name, "rss_peak", after.peak, "B");
  }
  return db->Close();
}

}  // namespace narthex::bench
