// Late samples of the series of a shard: put in, mapped, copied, dropped.

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "libtsdb/head/isolation.h"
#include "libtsdb/head/mem_series.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {

namespace {

size_t ChunksOf(const LateSamples& late) {
  return late.mapped.size() + (late.open.empty() ? 0 : 1);
}

}  // namespace

bool SeriesShard::StoreLate(uint32_t line, LateSample sample,
                            const StoreRules& rules, StoreCounts& counts,
                            std::vector<HeadChunkRef>& mapped) {
  mapped.clear();
  std::unique_ptr<LateSamples>& late = Cold(Line(line)).late;
  if (late == nullptr) late = std::make_unique<LateSamples>();
  const size_t chunks = ChunksOf(*late);
  if (late->open.size() >= rules.late_capacity) {
    // What the disk refuses stays where it is and is tried again.
    MapLate(line, rules, mapped).IgnoreError();
  }
  const int64_t t = sample.t;
  sample.epoch = rules.epoch;
  const bool is_new = late->Insert(std::move(sample));
  counts.chunks += ChunksOf(*late) - chunks;
  if (!is_new) return false;
  ++counts.late;
  counts.late_min_t = std::min(counts.late_min_t, t);
  counts.late_max_t = std::max(counts.late_max_t, t);
  return true;
}

absl::Status SeriesShard::MapLate(uint32_t line, const StoreRules& rules,
                                  std::vector<HeadChunkRef>& mapped) {
  HotSeries& series = Line(line);
  if (series.cold == 0 || cold_[series.cold].late == nullptr) {
    return absl::OkStatus();
  }
  LateSamples& late = *cold_[series.cold].late;
  std::vector<LateSample> later;
  const auto is_later = [&rules](const LateSample& sample) {
    return EpochAfter(sample.epoch, rules.epoch);
  };
  if (std::any_of(late.open.begin(), late.open.end(), is_later)) {
    std::copy_if(late.open.begin(), late.open.end(), std::back_inserter(later),
                 is_later);
    std::erase_if(late.open, is_later);
  }
  const uint32_t floor = static_cast<uint32_t>(rules.floor);
  const uint64_t number = rules.base + ids_[line];
  size_t written = 0;
  const absl::Status status =
      EncodeLate(late.open, {rules.xor2, rules.histogram_starts},
                 [&](ChunkEncoding encoding, size_t begin, size_t end,
                     std::string_view bytes) -> absl::Status {
                   HeadChunk chunk;
                   chunk.series = number;
                   chunk.min_t = late.open[begin].t;
                   chunk.max_t = late.open[end - 1].t;
                   chunk.encoding = encoding;
                   chunk.out_of_order = true;
                   chunk.bytes = bytes;
                   NARTHEX_ASSIGN_OR_RETURN(const HeadChunkRef ref,
                                            rules.chunks->Write(chunk));
                   LateChunk done;
                   done.ref = ref;
                   done.min_t = chunk.min_t.ms;
                   done.max_t = chunk.max_t.ms;
                   done.samples = static_cast<uint32_t>(end - begin);
                   for (size_t i = begin; i < end; ++i) {
                     const LateSample& sample = late.open[i];
                     if (!EpochAfter(sample.epoch, floor)) continue;
                     done.fresh.push_back({sample.t, sample.epoch});
                   }
                   late.mapped.push_back(std::move(done));
                   mapped.push_back(ref);
                   written = end;
                   return absl::OkStatus();
                 });
  late.open.erase(late.open.begin(),
                  late.open.begin() + static_cast<ptrdiff_t>(written));
  for (LateSample& sample : later) late.Insert(std::move(sample));
  return status;
}

void SeriesShard::AddLateMapped(uint32_t line, const MappedChunk& chunk) {
  std::unique_ptr<LateSamples>& late = Cold(Line(line)).late;
  if (late == nullptr) late = std::make_unique<LateSamples>();
  late->mapped.push_back({chunk.ref, chunk.min_t, chunk.max_t, chunk.samples});
}

void SeriesShard::ForgetOpenLate(uint32_t line) {
  HotSeries& series = Line(line);
  if (series.cold == 0 || cold_[series.cold].late == nullptr) return;
  cold_[series.cold].late->open.clear();
}

size_t SeriesShard::LateChunks(uint32_t line) const {
  const ColdSeries* cold = FindCold(Line(line));
  return cold == nullptr || cold->late == nullptr ? 0 : ChunksOf(*cold->late);
}

uint32_t SeriesShard::LateIn(uint32_t line, TimeRange range) const {
  const ColdSeries* cold = FindCold(Line(line));
  if (cold == nullptr || cold->late == nullptr) return 0;
  const LateSamples& late = *cold->late;
  uint32_t n = 0;
  for (const LateChunk& chunk : late.mapped) {
    if (range.Overlaps({chunk.min_t, chunk.max_t})) n += chunk.samples;
  }
  if (!late.open.empty() &&
      range.Overlaps({late.open.front().t, late.open.back().t})) {
    n += static_cast<uint32_t>(late.open.size());
  }
  return n;
}

SeriesShard::LateSpan SeriesShard::LateTimes(uint32_t line) const {
  LateSpan span;
  const ColdSeries* cold = FindCold(Line(line));
  if (cold == nullptr || cold->late == nullptr) return span;
  for (const LateChunk& chunk : cold->late->mapped) {
    span.last = std::max(span.last, chunk.ref);
    span.min_t = std::min(span.min_t, chunk.min_t);
    span.max_t = std::max(span.max_t, chunk.max_t);
  }
  return span;
}

void SeriesShard::CopyLate(uint32_t line, TimeRange range, bool isolated,
                           uint32_t watermark, LateCopy& out) const {
  out.Clear();
  const ColdSeries* cold = FindCold(Line(line));
  if (cold == nullptr || cold->late == nullptr) return;
  const LateSamples& late = *cold->late;
  for (const LateChunk& chunk : late.mapped) {
    if (!range.Overlaps({chunk.min_t, chunk.max_t})) continue;
    out.mapped.push_back(chunk);
    std::vector<LateChunk::Fresh>& fresh = out.mapped.back().fresh;
    // What is left is what this reader must not see.
    std::erase_if(fresh, [&](const LateChunk::Fresh& f) {
      return !isolated || !EpochAfter(f.epoch, watermark);
    });
  }
  for (const LateSample& sample : late.open) {
    if (!range.Contains(sample.t)) continue;
    if (isolated && EpochAfter(sample.epoch, watermark)) continue;
    out.open.push_back(sample);
  }
}

SeriesShard::LateRemains SeriesShard::SettleLate(uint32_t line,
                                                 HeadChunkRef up_to,
                                                 uint64_t floor) {
  LateRemains remains;
  HotSeries& series = Line(line);
  if (series.cold == 0 || cold_[series.cold].late == nullptr) return remains;
  LateSamples& late = *cold_[series.cold].late;
  remains.removed = static_cast<uint32_t>(
      std::erase_if(late.mapped, [&](const LateChunk& chunk) {
        if (chunk.ref > up_to) return false;
        remains.removed_min_t = std::min(remains.removed_min_t, chunk.min_t);
        remains.removed_file =
            std::max(remains.removed_file, HeadChunkFileOf(chunk.ref));
        return true;
      }));
  for (LateChunk& chunk : late.mapped) {
    std::erase_if(chunk.fresh, [&](const LateChunk::Fresh& f) {
      return !EpochAfter(f.epoch, static_cast<uint32_t>(floor));
    });
    remains.first_file =
        std::min(remains.first_file, HeadChunkFileOf(chunk.ref));
  }
  for (LateSample& sample : late.open) {
    // Everybody sees it: keeps epochs comparable.
    if (!EpochAfter(sample.epoch, static_cast<uint32_t>(floor))) {
      sample.epoch = static_cast<uint32_t>(floor);
    }
  }
  remains.min_t = late.min_t();
  if (late.empty()) cold_[series.cold].late = nullptr;
  return remains;
}

}  // namespace narthex::tsdb
