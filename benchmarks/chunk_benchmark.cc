// XOR chunks of 120 samples: into bits and back, by kind of value.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/budget.h"
#include "narthex/model/columns.h"

namespace narthex::tsdb {
namespace {

constexpr int kSamples = 120;

enum Values : int64_t { kConstant, kCounter, kDecimal, kRandom };

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::vector<double> MakeValues(int64_t kind) {
  std::vector<double> values;
  int64_t sum = 1000000;
  for (uint64_t i = 0; i < kSamples; ++i) {
    const uint64_t r = Mix(i + 1);
    sum += static_cast<int64_t>(r % 1000);
    switch (kind) {
      case kConstant:
        values.push_back(42);
        break;
      case kCounter:
        values.push_back(static_cast<double>(sum));
        break;
      case kDecimal:
        values.push_back(static_cast<double>(sum) / 100.0);
        break;
      default:
        values.push_back(static_cast<double>(r >> 11) * 0x1p-53);
    }
  }
  return values;
}

void Fill(const std::vector<double>& values, XorAppender& chunk) {
  chunk.Clear();
  int64_t t = 1700000000000;
  for (const double v : values) {
    chunk.Append(t, v);
    t += 15000;
  }
}

void SetCounters(benchmark::State& state, size_t bytes) {
  state.SetItemsProcessed(state.iterations() * kSamples);
  state.counters["bytes_per_sample"] = static_cast<double>(bytes) / kSamples;
}

void BM_XorEncode(benchmark::State& state) {
  const std::vector<double> values = MakeValues(state.range(0));
  XorAppender chunk;
  for (auto _ : state) {
    Fill(values, chunk);
    benchmark::DoNotOptimize(chunk.bytes().data());
  }
  SetCounters(state, chunk.bytes().size());
}
BENCHMARK(BM_XorEncode)->ArgName("values")->DenseRange(kConstant, kRandom);

void BM_XorDecode(benchmark::State& state) {
  XorAppender chunk;
  Fill(MakeValues(state.range(0)), chunk);
  MemoryBudget budget;
  SampleColumns columns(budget);
  for (auto _ : state) {
    columns.Clear();
    const absl::Status status =
        DecodeChunk(ChunkEncoding::kXor, chunk.bytes(), TimeRange(), columns);
    if (!status.ok()) return state.SkipWithError("the chunk is damaged");
    benchmark::DoNotOptimize(columns.v().data());
  }
  SetCounters(state, chunk.bytes().size());
}
BENCHMARK(BM_XorDecode)->ArgName("values")->DenseRange(kConstant, kRandom);

}  // namespace
}  // namespace narthex::tsdb
