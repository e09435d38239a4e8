// Native histograms in the open chunk of a series: accepted, cut and stored by
// Prometheus's rules (A5, A14).

#include <type_traits>
#include <utility>

#include "libtsdb/chunk/cut_rule.h"
#include "libtsdb/head/mem_series.h"
#include "libtsdb/head/open_chunk.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

template <typename H>
constexpr uint8_t kCodec = static_cast<uint8_t>(
    std::is_same_v<H, Histogram> ? OpenCodec::kHistogram
                                 : OpenCodec::kFloatHistogram);

}  // namespace

template <typename H>
Appended SeriesShard::AcceptsHistogram(const HotSeries& series, int64_t t,
                                       const H& h, const Bounds& bounds,
                                       bool& late) const {
  if (t < bounds.min_valid) return AcceptsLate(t, bounds, late);
  if (series.samples == 0 || t > series.last_t) return Appended::kStored;
  if (t < series.last_t) return AcceptsLate(t, bounds, late);
  if (series.codec != kCodec<H>) return Appended::kDuplicate;
  return FindCold(series)->histogram->For<H>()->last.SameAs(h)
             ? Appended::kStored
             : Appended::kDuplicate;
}

void SeriesShard::BeginHistogram(HotSeries& series, uint8_t codec, int64_t t,
                                 const StoreRules& rules) {
  ColdSeries& cold = Cold(series);
  if (cold.histogram == nullptr) {
    cold.histogram = std::make_unique<OpenHistogram>();
  }
  cold.histogram->planned = false;
  series.codec = codec;
  series.chunk_min_t = t;
  series.samples = 0;
  SetNextAt(series, ChunkRangeEnd(t, rules.chunk_range));
}

template <typename H>
bool SeriesShard::StoreHistogram(uint32_t line, int64_t t, const H& h,
                                 int64_t start, const StoreRules& rules,
                                 StoreCounts& counts) {
  HotSeries& series = Line(line);
  static thread_local std::string full;
  full.clear();
  if (series.samples == 0) {
    if (series.mapped != 0 && MappedMax(series) >= t) return false;
    BeginHistogram(series, kCodec<H>, t, rules);
    ++counts.chunks;
  } else {
    if (series.last_t >= t) return false;
    if (series.codec != kCodec<H>) {
      CutOpenChunk(line, rules);
      BeginHistogram(series, kCodec<H>, t, rules);
      ++counts.chunks;
    } else {
      OpenHistogram& open = *Cold(series).histogram;
      OpenHistogramChunkEnds ends{
          {series.chunk_min_t, series.last_t, NextAt(series)}, open.planned};
      const bool cut = CutsHistogramChunk(
          ends, series.samples, static_cast<uint32_t>(open.bytes().size()), t,
          rules.chunk_range);
      if (ends.predicted != open.planned) {
        SetNextAt(series, ends.at.next_at);
        open.planned = true;
      }
      if (cut) {
        UnwrittenChunk ended{series.chunk_min_t, series.last_t, series.samples,
                             open.encoding()};
        open.For<H>()->chunk.Cut(full);
        PutAway(line, ended, full, rules);
        BeginHistogram(series, kCodec<H>, t, rules);
        ++counts.chunks;
      }
    }
  }
  std::unique_ptr<OpenHistogram::Of<H>>& open =
      Cold(series).histogram->template For<H>();
  if (open == nullptr) {
    open = std::make_unique<OpenHistogram::Of<H>>(rules.histogram_starts);
  }
  const UnwrittenChunk before{series.chunk_min_t, series.last_t, series.samples,
                              open->chunk.encoding()};
  full.clear();
  const HistogramStep step = open->chunk.Append(t, h, full, start);
  open->last = h;
  if (step == HistogramStep::kBegun && before.samples != 0) {
    // The sample does not go with those before it.
    PutAway(line, before, full, rules);
    series.chunk_min_t = t;
    series.samples = 0;
    SetNextAt(series, ChunkRangeEnd(t, rules.chunk_range));
    ++counts.chunks;
  }
  series.last_t = t;
  series.last_v = Bits(h.sum);
  ++series.samples;
  if (rules.isolated) Touch(series, rules);
  return true;
}

void SeriesShard::LastHistogram(uint32_t line, Histogram& ints,
                                FloatHistogram& floats) const {
  const HotSeries& series = Line(line);
  if (series.samples == 0 || !IsHistogram(series.codec)) return;
  const OpenHistogram& open = *FindCold(series)->histogram;
  if (series.codec == kCodec<Histogram>) {
    ints = open.ints->last;
  } else {
    floats = open.floats->last;
  }
}

// A float's stale marker for a series of histograms is one of its own kind.
bool SeriesShard::StoreStale(uint32_t line, int64_t t, const StoreRules& rules,
                             StoreCounts& counts) {
  if (Line(line).codec == kCodec<Histogram>) {
    Histogram h;
    h.sum = StaleNaN();
    return StoreHistogram(line, t, h, start_, rules, counts);
  }
  FloatHistogram h;
  h.sum = StaleNaN();
  return StoreHistogram(line, t, h, start_, rules, counts);
}

template bool SeriesShard::StoreHistogram(uint32_t, int64_t, const Histogram&,
                                          int64_t, const StoreRules&,
                                          StoreCounts&);
template bool SeriesShard::StoreHistogram(uint32_t, int64_t,
                                          const FloatHistogram&, int64_t,
                                          const StoreRules&, StoreCounts&);
template Appended SeriesShard::AcceptsHistogram(const HotSeries&, int64_t,
                                                const Histogram&, const Bounds&,
                                                bool&) const;
template Appended SeriesShard::AcceptsHistogram(const HotSeries&, int64_t,
                                                const FloatHistogram&,
                                                const Bounds&, bool&) const;

}  // namespace narthex::tsdb
