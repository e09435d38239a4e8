// The log back into a head, and the two costs of it that are the log's own:
// reading records and taking samples apart.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_reader.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kSeries = 1000;
constexpr size_t kScrapes = 480;

// A log of one target's scrapes.
absl::Status WriteLog(Env& env) {
  NARTHEX_ASSIGN_OR_RETURN(auto writer,
                           wal::WalWriter::Open(env, "data/wal", {}));
  wal::RecordBatch batch;
  std::string record;
  wal::BeginSeries(record);
  std::vector<SeriesRef> refs;
  std::vector<double> values;
  for (size_t i = 0; i < kSeries; ++i) {
    refs.push_back(SeriesRef{i + 1});
    values.push_back(static_cast<double>(i));
    const std::string slot = StrCat(i);
    wal::AddSeries(refs.back(),
                   {{"__name__", "metric"}, {"job", "bench"}, {"slot", slot}},
                   record);
  }
  batch.Add(record, Compression::kSnappy);
  for (size_t k = 0; k < kScrapes; ++k) {
    for (size_t i = 0; i < kSeries; i += 3) {
      values[i] += static_cast<double>(k % 7);
    }
    record.clear();
    wal::EncodeSamples(refs, values,
                       1700000000000 + static_cast<int64_t>(k) * 15000, {},
                       record);
    batch.Add(record, Compression::kSnappy);
    NARTHEX_RETURN_IF_ERROR(writer->Log(batch));
    batch.Clear();
  }
  return writer->Close();
}

void BM_ReadLog(benchmark::State& state) {
  auto env = NewMemEnv();
  if (!WriteLog(*env).ok()) return state.SkipWithError("write failed");
  wal::SampleRows rows;
  int64_t samples = 0;
  for (auto _ : state) {
    auto segments = wal::ListSegments(*env, "data/wal");
    if (!segments.ok()) return state.SkipWithError("list failed");
    wal::WalReader reader(*env, *segments);
    while (reader.Next()) {
      if (wal::TypeOf(reader.record()) != wal::RecordType::kSamples) continue;
      if (!wal::DecodeSamples(reader.record(), rows).ok()) break;
      samples += static_cast<int64_t>(rows.size());
    }
  }
  state.SetItemsProcessed(samples);
}
BENCHMARK(BM_ReadLog)->Unit(benchmark::kMillisecond);

void BM_Replay(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto env = NewMemEnv();
    if (!WriteLog(*env).ok()) return state.SkipWithError("write failed");
    Options options;
    options.env = env.get();
    options.retention = Duration(0);
    state.ResumeTiming();
    auto db = Db::Open("data", options);
    state.PauseTiming();
    if (!db.ok()) return state.SkipWithError("Open failed");
    db->reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<int64_t>(kSeries * kScrapes));
}
BENCHMARK(BM_Replay)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace narthex::tsdb
