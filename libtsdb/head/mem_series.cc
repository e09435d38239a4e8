#include "libtsdb/head/mem_series.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "libtsdb/chunk/cut_rule.h"
#include "libtsdb/head/isolation.h"
#include "libtsdb/head/mapped_list.h"
#include "libtsdb/head/open_chunk.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

// A chunk is planned anew once it has this part of its samples.
constexpr uint32_t kPlanPart = 4;

}  // namespace

// --- Lines.

uint32_t SeriesShard::AddLine(SeriesId id, RowHandle labels) {
  uint32_t line;
  if (!free_.empty()) {
    line = free_.back();
    free_.pop_back();
  } else {
    line = static_cast<uint32_t>(ids_.size());
    if (line >= kMaxLines) return kMaxLines;
    if (line >> kPageBits == pages_.size()) {
      pages_.push_back(AllocateInArena(PageArena::kPageBytes));
      std::uninitialized_default_construct_n(
          reinterpret_cast<HotSeries*>(pages_.back().get()), kPageSize);
    }
    // By doubling, half of it might be for nobody.
    if (ids_.size() == ids_.capacity()) {
      ids_.reserve(ids_.size() + kPageSize + ids_.size() / 8);
    }
    ids_.push_back(kNoId);
  }
  ids_[line] = id;
  Line(line) = HotSeries();
  Line(line).labels = labels;
  return line;
}

void SeriesShard::RemoveLine(uint32_t line) {
  DropChunks(line);
  HotSeries& series = Line(line);
  if (series.cold != 0) {
    cold_[series.cold] = ColdSeries();
    free_cold_.push_back(series.cold);
  }
  series = HotSeries();
  ids_[line] = kNoId;
  free_.push_back(line);
}

ColdSeries& SeriesShard::Cold(HotSeries& series) {
  if (series.cold == 0) {
    if (cold_.empty()) cold_.emplace_back();
    if (free_cold_.empty()) {
      series.cold = static_cast<uint32_t>(cold_.size());
      cold_.emplace_back();
    } else {
      series.cold = free_cold_.back();
      free_cold_.pop_back();
    }
    cold_[series.cold].in_use = true;
  }
  return cold_[series.cold];
}

int64_t SeriesShard::NextAt(const HotSeries& series) const {
  return series.next_at != kEscape ? series.chunk_min_t + series.next_at
                                   : cold_[series.cold].next_at;
}

void SeriesShard::SetNextAt(HotSeries& series, int64_t at) {
  const uint64_t ahead =
      static_cast<uint64_t>(at) - static_cast<uint64_t>(series.chunk_min_t);
  if (at >= series.chunk_min_t && ahead < kEscape) {
    series.next_at = static_cast<uint32_t>(ahead);
  } else {
    series.next_at = kEscape;
    Cold(series).next_at = at;
  }
}

// --- Writing.

bool SeriesShard::Store(uint32_t line, int64_t t, uint64_t v,
                        const StoreRules& rules, StoreCounts& counts) {
  HotSeries& series = Line(line);
  if (v == kStaleNaNBits && IsHistogram(series.codec)) [[unlikely]] {
    return StoreStale(line, t, rules, counts);
  }
  if (series.samples == 0) {
    if (series.mapped != 0 && MappedMax(series) >= t) return false;
    BeginChunk(series, t, 0, rules);
    ++counts.chunks;
  } else {
    if (series.last_t >= t) return false;
    bool cut = (series.xor_bits + size_t{7}) / 8 > kMaxChunkBytesBeforeAppend ||
               IsHistogram(series.codec);
    if (!cut) {
      if (series.samples == rules.samples_per_chunk / kPlanPart) {
        SetNextAt(series, PredictChunkEnd(series.chunk_min_t, series.last_t,
                                          NextAt(series)));
      }
      cut =
          t >= NextAt(series) || series.samples >= 2 * rules.samples_per_chunk;
    }
    if (cut) {
      const uint32_t group = series.ts_group;
      CutOpenChunk(line, rules);
      BeginChunk(series, t, group, rules);
      ++counts.chunks;
    }
  }
  if (!OpenChunk::Append(*this, series, t, v)) return false;
  if (rules.isolated) Touch(series, rules);
  return true;
}

void SeriesShard::BeginChunk(HotSeries& series, int64_t t, uint32_t group,
                             const StoreRules& rules) {
  if (rules.xor2) {
    OpenChunk::BeginXor2(*this, series, t);
  } else {
    OpenChunk::Begin(*this, series, t, GroupFor(t, group));
  }
  SetNextAt(series, ChunkRangeEnd(t, rules.chunk_range));
}

uint32_t SeriesShard::GroupFor(int64_t t, uint32_t group) {
  if (!in_batch_ || t != batch_t_) return 0;
  if (batch_group_ != 0 && groups_.at(batch_group_).joinable()) {
    return batch_group_;
  }
  if (group != 0) {
    TimeGroup& before = groups_.at(group);
    if (before.chunks() != 0 && before.joinable() && before.back() <= t) {
      if (before.back() < t) before.Extend(t);
      return batch_group_ = group;
    }
  }
  return batch_group_ = groups_.Open(t);
}

// The line says what the last commit added.  What an earlier one added is kept
// only for readers that may not see that one yet.
void SeriesShard::Touch(HotSeries& series, const StoreRules& rules) {
  if (series.epoch == rules.epoch && series.since_epoch != 0) {
    if (series.since_epoch < 254) {
      ++series.since_epoch;
    } else if (series.since_epoch == 254) {
      series.since_epoch = 255;
      Cold(series).since_epoch = 255;
    } else {
      ++Cold(series).since_epoch;
    }
    return;
  }
  const uint32_t floor = static_cast<uint32_t>(rules.floor);
  if (series.since_epoch != 0 && EpochAfter(series.epoch, floor)) {
    const uint32_t added = series.since_epoch != 255 ? series.since_epoch
                                                     : Cold(series).since_epoch;
    std::vector<ColdSeries::Boundary>& all = Cold(series).boundaries;
    std::erase_if(all, [floor](const ColdSeries::Boundary& b) {
      return !EpochAfter(b.epoch, floor);
    });
    all.push_back({series.epoch, added});
  } else if (series.cold != 0) {
    cold_[series.cold].boundaries.clear();
  }
  series.epoch = rules.epoch;
  series.since_epoch = 1;
}

void SeriesShard::CutOpenChunk(uint32_t line, const StoreRules& rules) {
  HotSeries& series = Line(line);
  if (series.samples == 0) return;
  UnwrittenChunk full;
  full.min_t = series.chunk_min_t;
  full.max_t = series.last_t;
  full.samples = series.samples;
  if (!IsHistogram(series.codec)) {
    full.encoding = OpenChunk::FloatEncoding(series);
    PutAway(line, full, OpenChunk::Seal(*this, series), rules);
  } else {
    const OpenHistogram& open = *Cold(series).histogram;
    full.encoding = open.encoding();
    PutAway(line, full, open.bytes(), rules);
  }
  OpenChunk::Drop(*this, series);
}

void SeriesShard::PutAway(uint32_t line, const UnwrittenChunk& full,
                          std::string_view bytes, const StoreRules& rules) {
  HotSeries& series = Line(line);
  HeadChunk chunk;
  chunk.series = rules.base + ids_[line];
  chunk.min_t = full.min_t;
  chunk.max_t = full.max_t;
  chunk.encoding = full.encoding;
  chunk.bytes = bytes;
  // What was refused before must come first: lists ascend.
  absl::Status ready =
      series.cold == 0 ? absl::OkStatus() : WriteUnwritten(line, rules);
  absl::StatusOr<HeadChunkRef> ref =
      ready.ok() ? rules.chunks->Write(chunk)
                 : absl::StatusOr<HeadChunkRef>(std::move(ready));
  if (ref.ok()) {
    AddMapped(line, {*ref, full.min_t, full.max_t, full.samples});
  } else {
    refused_ = true;
    std::vector<UnwrittenChunk>& all = Cold(series).unwritten;
    all.push_back(full);
    all.back().bytes = bytes;
  }
}

absl::Status SeriesShard::WriteUnwritten(uint32_t line,
                                         const StoreRules& rules) {
  HotSeries& series = Line(line);
  if (series.cold == 0) return absl::OkStatus();
  while (!cold_[series.cold].unwritten.empty()) {
    const UnwrittenChunk& old = cold_[series.cold].unwritten.front();
    HeadChunk chunk;
    chunk.series = rules.base + ids_[line];
    chunk.min_t = old.min_t;
    chunk.max_t = old.max_t;
    chunk.encoding = old.encoding;
    chunk.bytes = old.bytes;
    NARTHEX_ASSIGN_OR_RETURN(const HeadChunkRef ref,
                             rules.chunks->Write(chunk));
    AddMapped(line, {ref, old.min_t, old.max_t, old.samples});
    std::vector<UnwrittenChunk>& all = cold_[series.cold].unwritten;
    all.erase(all.begin());
  }
  return absl::OkStatus();
}

void SeriesShard::AddMapped(uint32_t line, const MappedChunk& chunk) {
  HotSeries& series = Line(line);
  char packed[kMaxMappedSize];
  const std::string_view list = MappedBytes(series);
  MappedHead head = ReadMappedHead(list);
  const size_t used = head.bytes;
  const size_t n = PackMapped(chunk, head, packed);
  char* data = nullptr;
  if (series.mapped != kEscape && head.bytes <= Slab::kMaxSize) {
    const SlabHandle moved = slab_.Resize(series.mapped, used, head.bytes);
    if (moved != 0) {
      series.mapped = moved;
      data = slab_.Data(moved);
    }
  }
  if (data == nullptr) {  // too long for a slot
    ColdSeries& cold = Cold(series);
    if (series.mapped != kEscape) {
      cold.mapped.assign(list.data(), used);
      slab_.Free(series.mapped);
      series.mapped = kEscape;
    }
    cold.mapped.resize(head.bytes);
    data = cold.mapped.data();
  }
  std::memcpy(data + head.bytes - n, packed, n);
  std::memcpy(data, &head, sizeof(head));
}

bool SeriesShard::OfferMapped(uint32_t line, const MappedChunk& chunk,
                              const StoreRules& rules) {
  HotSeries& series = Line(line);
  if (series.samples != 0 && chunk.max_t >= series.chunk_min_t) {
    if (chunk.min_t <= series.last_t) return false;
    CutOpenChunk(line, rules);
  }
  if (chunk.min_t > MappedMax(series)) {
    AddMapped(line, chunk);
    return true;
  }
  std::vector<MappedChunk> all;
  UnpackMapped(MappedBytes(series), all);
  const auto next = std::upper_bound(
      all.begin(), all.end(), chunk.min_t,
      [](int64_t t, const MappedChunk& c) { return t < c.min_t; });
  if (next != all.end() && next->min_t <= chunk.max_t) return false;
  if (next != all.begin() && std::prev(next)->max_t >= chunk.min_t) {
    return false;
  }
  all.insert(next, chunk);
  SetMapped(series, all);
  return true;
}

std::string_view SeriesShard::MappedBytes(const HotSeries& series) const {
  if (series.mapped == 0) return {};
  if (series.mapped == kEscape) return cold_[series.cold].mapped;
  return {slab_.Data(series.mapped), slab_.Capacity(series.mapped)};
}

int64_t SeriesShard::MappedMax(const HotSeries& series) const {
  int64_t max_t = kMinMillis;
  const MappedHead head = ReadMappedHead(MappedBytes(series));
  if (head.count != 0) max_t = head.last_max;
  if (const ColdSeries* cold = FindCold(series);
      cold != nullptr && !cold->unwritten.empty()) {
    max_t = std::max(max_t, cold->unwritten.back().max_t);
  }
  return max_t;
}

void SeriesShard::SetMapped(HotSeries& series,
                            const std::vector<MappedChunk>& chunks) {
  if (series.mapped == kEscape) {
    Cold(series).mapped = {};
  } else {
    slab_.Free(series.mapped);
  }
  series.mapped = 0;
  if (chunks.empty()) return;
  MappedHead head;
  std::string list(sizeof(head), '\0');
  char packed[kMaxMappedSize];
  for (const MappedChunk& chunk : chunks) {
    list.append(packed, PackMapped(chunk, head, packed));
  }
  std::memcpy(list.data(), &head, sizeof(head));
  series.mapped = list.size() <= Slab::kMaxSize ? slab_.Allocate(list.size())
                                                : SlabHandle{0};
  if (series.mapped != 0) {
    std::memcpy(slab_.Data(series.mapped), list.data(), list.size());
  } else {
    series.mapped = kEscape;
    Cold(series).mapped = std::move(list);
  }
}

void SeriesShard::DropChunks(uint32_t line) {
  HotSeries& series = Line(line);
  if (series.samples != 0) OpenChunk::Drop(*this, series);
  SetMapped(series, {});
  if (series.cold == 0) return;
  cold_[series.cold].unwritten.clear();
  cold_[series.cold].late = nullptr;
}

// --- Reading.

uint32_t SeriesShard::Hidden(const HotSeries& series,
                             uint32_t watermark) const {
  if (series.since_epoch == 0 || !EpochAfter(series.epoch, watermark)) return 0;
  const ColdSeries* cold = FindCold(series);
  if (cold == nullptr) return series.since_epoch;
  uint32_t n =
      series.since_epoch != 255 ? series.since_epoch : cold->since_epoch;
  for (const ColdSeries::Boundary& b : cold->boundaries) {
    if (EpochAfter(b.epoch, watermark)) n += b.samples;
  }
  return n;
}

uint32_t SeriesShard::SamplesIn(uint32_t line, TimeRange range, bool isolated,
                                uint32_t watermark) const {
  const HotSeries& series = Line(line);
  const uint32_t hidden = isolated ? Hidden(series, watermark) : 0;
  uint32_t n = 0;
  if (series.samples > hidden &&
      range.Overlaps({series.chunk_min_t, series.last_t})) {
    n = series.samples - hidden;
  }
  const ColdSeries* cold = FindCold(series);
  if (cold != nullptr) {
    for (const UnwrittenChunk& chunk : cold->unwritten) {
      if (range.Overlaps({chunk.min_t, chunk.max_t})) n += chunk.samples;
    }
  }
  if (series.mapped != 0) {
    MappedBackwards chunks(MappedBytes(series));
    MappedChunk chunk;
    while (chunks.Next(chunk) && chunk.max_t >= range.min.ms) {
      if (range.Overlaps({chunk.min_t, chunk.max_t})) n += chunk.samples;
    }
  }
  return n;
}

void SeriesShard::Copy(uint32_t line, TimeRange range, bool isolated,
                       uint32_t watermark, SeriesCopy& out) const {
  const HotSeries& series = Line(line);
  uint32_t hidden = isolated ? Hidden(series, watermark) : 0;
  out.mapped.clear();
  out.unwritten.clear();
  out.open.clear();
  out.open_times.clear();
  out.open_samples = 0;
  out.has_last = series.samples != 0 && hidden == 0;
  out.last_t = series.last_t;
  out.last_v = series.last_v;

  if (series.samples > hidden &&
      range.Overlaps({series.chunk_min_t, series.last_t})) {
    OpenChunk::Copy(*this, series, series.samples - hidden, out);
  }
  hidden -= std::min<uint32_t>(hidden, series.samples);
  // Samples are left out from the last one back, whatever the range.
  const auto leave_out = [&hidden](uint32_t& samples) {
    const uint32_t n = std::min(hidden, samples);
    samples -= n;
    hidden -= n;
  };
  if (const ColdSeries* cold = FindCold(series); cold != nullptr) {
    for (size_t i = cold->unwritten.size(); i-- > 0;) {
      const UnwrittenChunk& chunk = cold->unwritten[i];
      uint32_t samples = chunk.samples;
      leave_out(samples);
      if (samples != 0 && range.Overlaps({chunk.min_t, chunk.max_t})) {
        out.unwritten.push_back(chunk);
        out.unwritten.back().samples = samples;
      }
    }
    std::reverse(out.unwritten.begin(), out.unwritten.end());
  }
  if (series.mapped == 0) return;
  MappedBackwards chunks(MappedBytes(series));
  MappedChunk chunk;
  while (chunks.Next(chunk) && (hidden != 0 || chunk.max_t >= range.min.ms)) {
    leave_out(chunk.samples);
    if (chunk.samples != 0 && range.Overlaps({chunk.min_t, chunk.max_t})) {
      out.mapped.push_back(chunk);
    }
  }
  std::reverse(out.mapped.begin(), out.mapped.end());
}

// --- Forgetting.

SeriesShard::Remains SeriesShard::Truncate(uint32_t line, int64_t mint) {
  HotSeries& series = Line(line);
  Remains remains;
  const auto keep = [&remains](int64_t min_t) {
    if (!remains.any) remains.min_t = min_t;
    remains.any = true;
    ++remains.chunks;
  };
  if (series.mapped != 0) {
    static thread_local std::vector<MappedChunk> chunks;
    chunks.clear();
    UnpackMapped(MappedBytes(series), chunks);
    const size_t before = chunks.size();
    std::erase_if(chunks,
                  [mint](const MappedChunk& c) { return c.max_t < mint; });
    remains.removed = static_cast<uint32_t>(before - chunks.size());
    if (remains.removed != 0) SetMapped(series, chunks);
    for (const MappedChunk& chunk : chunks) {
      keep(chunk.min_t);
      remains.first_file =
          std::min(remains.first_file, HeadChunkFileOf(chunk.ref));
    }
  }
  if (series.cold != 0) {
    remains.removed += static_cast<uint32_t>(std::erase_if(
        cold_[series.cold].unwritten,
        [mint](const UnwrittenChunk& c) { return c.max_t < mint; }));
    for (const UnwrittenChunk& c : cold_[series.cold].unwritten) keep(c.min_t);
  }
  if (series.samples != 0) {
    if (series.last_t < mint) {
      OpenChunk::Drop(*this, series);
      ++remains.removed;
    } else {
      keep(series.chunk_min_t);
    }
  }
  return remains;
}

void SeriesShard::Settle(uint32_t line, uint64_t floor) {
  HotSeries& series = Line(line);
  if (series.since_epoch != 0 &&
      !EpochAfter(series.epoch, static_cast<uint32_t>(floor))) {
    // Everybody sees it: from here on it needs no comparing.
    series.since_epoch = 0;
  }
  if (series.cold == 0) return;
  ColdSeries& cold = cold_[series.cold];
  if (series.since_epoch == 0) cold.boundaries = {};
  if (cold.boundaries.empty() && cold.unwritten.empty() &&
      cold.histogram == nullptr && cold.late == nullptr &&
      series.mapped != kEscape && series.next_at != kEscape &&
      (series.t_delta != kEscape || series.ts_group != 0) &&
      series.since_epoch != 255) {
    cold = ColdSeries();
    free_cold_.push_back(series.cold);
    series.cold = 0;
  }
}

void SeriesShard::Pack() {
  packed_bytes_ = slab_.reserved_bytes();
  if (!slab_.CloseSparse()) return;
  for (uint32_t line = 0; line < ids_.size(); ++line) {
    if (ids_[line] == kNoId) continue;
    HotSeries& series = Line(line);
    series.chunk = slab_.Move(series.chunk);
    if (series.mapped != kEscape) series.mapped = slab_.Move(series.mapped);
  }
  slab_.Open();
  packed_bytes_ = slab_.reserved_bytes();
}

size_t SeriesShard::mapped_bytes() const {
  size_t n = 0;
  for (uint32_t line = 0; line < ids_.size(); ++line) {
    const SlabHandle mapped = Line(line).mapped;
    if (ids_[line] != kNoId && mapped != 0 && mapped != kEscape) {
      n += slab_.Capacity(mapped);
    }
  }
  return n;
}

size_t SeriesShard::line_bytes() const {
  size_t n = pages_.size() * kPageSize * sizeof(HotSeries);
  n += ids_.capacity() * sizeof(SeriesId) + free_.capacity() * sizeof(uint32_t);
  n += cold_.capacity() * sizeof(ColdSeries) + groups_.memory_bytes();
  for (const ColdSeries& cold : cold_) {
    n += cold.boundaries.capacity() * sizeof(ColdSeries::Boundary) +
         cold.mapped.capacity();
    for (const UnwrittenChunk& chunk : cold.unwritten) {
      n += sizeof(chunk) + chunk.bytes.capacity();
    }
    if (cold.late != nullptr) n += cold.late->memory_bytes();
    if (cold.histogram != nullptr) n += cold.histogram->memory_bytes();
  }
  return n;
}

}  // namespace narthex::tsdb
