// A series of the head: one 64-byte line that an append touches, a cold part
// that few have, the bytes of its open chunk and the list of its full chunks on
// disk.  Lines lie side by side in the shard that owns them.
//
// A shard has one lock for all its series.  Readers copy what they need under
// it and decode outside; nothing here waits for a reader.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/chunk/head_chunk_file.h"
#include "libtsdb/head/head_symbols.h"
#include "libtsdb/head/late_samples.h"
#include "libtsdb/head/open_histogram.h"
#include "libtsdb/head/open_values.h"
#include "libtsdb/head/page_arena.h"
#include "libtsdb/head/series_map.h"
#include "libtsdb/head/slab.h"
#include "libtsdb/head/time_group.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"

namespace narthex::tsdb {

inline constexpr uint32_t kEscape = 0xffffffff;

struct alignas(64) HotSeries {
  int64_t last_t = 0;
  uint64_t last_v = 0;      // bits
  int64_t chunk_min_t = 0;  // of the open chunk
  uint32_t next_at = 0;     // its planned end, ms after chunk_min_t; kEscape
  // Without a group: ms between its last two samples; kEscape: cold.  With
  // one: where the open chunk begins in it, and above 16 bits the length of its
  // values in bits.
  uint32_t t_delta = 0;
  SlabHandle chunk = 0;   // its bytes; 0: none
  uint32_t ts_group = 0;  // TimeGroups; 0: times are in the chunk's own bytes
  SlabHandle mapped = 0;  // packed list of full chunks; kEscape: cold
  RowHandle labels = 0;
  uint32_t cold = 0;      // 0: none
  uint32_t epoch = 0;     // of the last commit that touched it, mod 2^32
  uint16_t samples = 0;   // in the open chunk; 0: there is none
  uint16_t xor_bits = 0;  // length of the XOR (XOR2) chunk of these samples
  uint8_t lead = 0xff;    // the XOR chunk's window, as chunk_codec.h has it
  uint8_t trail = 0;
  uint8_t codec = 0;        // open_chunk.h
  uint8_t since_epoch = 0;  // samples that `epoch` added; 255: see cold
};
static_assert(sizeof(HotSeries) == 64);

// A full chunk in chunks_head.
struct MappedChunk {
  HeadChunkRef ref = 0;
  int64_t min_t = 0;
  int64_t max_t = 0;
  uint32_t samples = 0;
};

// A full chunk that chunks_head did not take (a full disk); tried again later.
struct UnwrittenChunk {
  int64_t min_t = 0;
  int64_t max_t = 0;
  uint32_t samples = 0;
  ChunkEncoding encoding = ChunkEncoding::kXor;
  std::string bytes = {};
};

struct ColdSeries {
  // How many samples each of the commits before HotSeries::epoch added that an
  // open reader may have to leave out; ascending.
  struct Boundary {
    uint32_t epoch = 0;
    uint32_t samples = 0;
  };
  std::vector<Boundary> boundaries = {};
  std::vector<UnwrittenChunk> unwritten = {};
  // The open chunk, where HotSeries::codec says that it is one of histograms.
  std::unique_ptr<OpenHistogram> histogram = nullptr;
  std::unique_ptr<LateSamples> late = nullptr;
  std::string mapped = {};
  int64_t next_at = 0;
  uint64_t t_delta = 0;
  uint32_t since_epoch = 0;
  bool in_use = false;
};

// What storing needs to know, once per batch and shard.
struct StoreRules {
  int64_t chunk_range = 0;
  uint32_t samples_per_chunk = 120;
  bool xor2 = false;              // what chunks of floats begin as
  bool histogram_starts = false;  // those of histograms keep start times
  bool isolated = true;           // false: replay
  uint32_t epoch = 0;
  uint64_t floor = 0;  // Isolation::Floor()
  uint64_t base = 0;   // reference of series number 0
  HeadChunkStore* chunks = nullptr;
  uint32_t late_capacity = 32;  // samples of a series in memory
};

struct StoreCounts {
  uint64_t stored = 0;      // floats
  uint64_t histograms = 0;  // stored
  uint64_t dropped = 0;
  uint64_t chunks = 0;         // begun
  int64_t min_t = kMaxMillis;  // of the stored ones
  int64_t max_t = kMinMillis;
  uint64_t late = 0;  // stored out of order
  // There was a late sample of that time already; its commit may not have
  // logged it yet.
  uint64_t late_again = 0;
  int64_t late_min_t = kMaxMillis;
  int64_t late_max_t = kMinMillis;
};

// What a batch may hold; taken when it begins.
struct Bounds {
  int64_t min_valid = 0;  // from here on in order
  // From here on out of order; kMaxMillis: never.
  int64_t late_from = kMaxMillis;
};

// What a reader takes with it.
struct SeriesCopy {
  // Ascending; `samples` is what the reader may see of each.
  std::vector<MappedChunk> mapped = {};
  std::vector<UnwrittenChunk> unwritten = {};
  // The open chunk, whole; of a codec with shared times its values alone, with
  // as many times as the reader may see samples.  See OpenChunk::Read.
  std::string open = {};
  ChunkEncoding open_encoding = ChunkEncoding::kXor;
  OpenCodec open_codec = OpenCodec::kXorFull;
  std::vector<int64_t> open_times = {};
  uint64_t open_last_v = 0;
  uint32_t open_samples = 0;
  int64_t open_min_t = 0, open_max_t = 0;
  // The newest sample, if the reader may see it.
  bool has_last = false;
  int64_t last_t = 0;
  uint64_t last_v = 0;
};

// What becomes of a sample that can't go behind the last one.
inline Appended AcceptsLate(int64_t t, const Bounds& bounds, bool& late) {
  if (bounds.late_from != kMaxMillis) {
    late = t >= bounds.late_from;
    return late ? Appended::kStored : Appended::kTooOld;
  }
  return t < bounds.min_valid ? Appended::kOutOfBounds : Appended::kOutOfOrder;
}

// Prometheus's rule of acceptance (A14).  `late` is set to true if it goes to
// the late ones.
inline Appended Accepts(const HotSeries& series, int64_t t, uint64_t v,
                        const Bounds& bounds, bool& late) {
  if (t >= bounds.min_valid) {
    if (series.samples == 0 || t > series.last_t) return Appended::kStored;
    if (t == series.last_t) {
      return v == series.last_v && !IsHistogram(series.codec)
                 ? Appended::kStored
                 : Appended::kDuplicate;
    }
  }
  return AcceptsLate(t, bounds, late);
}

class SeriesShard {
 public:
  mutable absl::Mutex mu;

  // The commits that touch this shard take turns in the order of the log: the
  // ticket is drawn under the log's lock, `turn` says whose turn it is.
  uint64_t next_ticket = 0;  // under the log's lock
  uint64_t turn ABSL_GUARDED_BY(mu) = 0;

  // --- Lines.

  // kMaxLines if the shard is full.
  uint32_t AddLine(SeriesId id, RowHandle labels)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void RemoveLine(uint32_t line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  HotSeries& Line(uint32_t line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return LinesOf(pages_[line >> kPageBits])[line & (kPageSize - 1)];
  }
  const HotSeries& Line(uint32_t line) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    return LinesOf(pages_[line >> kPageBits])[line & (kPageSize - 1)];
  }
  // Is the line that of series `id`?
  bool Holds(uint32_t line, SeriesId id) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    return line < ids_.size() && ids_[line] == id;
  }
  // kNoId for a line that is free.
  static constexpr SeriesId kNoId = 0xffffffff;
  SeriesId IdOf(uint32_t line) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    return ids_[line];
  }
  uint32_t lines() const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    return static_cast<uint32_t>(ids_.size());
  }
  // Always inlined: gcc takes a function that only prefetches for one without
  // effect and leaves calls of it out.
  ABSL_ATTRIBUTE_ALWAYS_INLINE void PrefetchChunk(const HotSeries& series) const
      ABSL_SHARED_LOCKS_REQUIRED(mu) {
    if (series.chunk != 0) {
      const uint32_t bits =
          series.ts_group == 0 ? series.xor_bits : series.t_delta >> 16;
      __builtin_prefetch(slab_.Data(series.chunk) + bits / 8, 1);
    }
  }

  // --- Writing.

  // What follows, up to EndBatch, are samples of one batch that all have the
  // time `t`: chunks that they begin share it.
  void BeginBatch(int64_t t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    batch_t_ = t;
    batch_group_ = 0;
    in_batch_ = true;
  }
  void EndBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { in_batch_ = false; }

  // Stores a sample that Accepts() let pass; false if the series has it or a
  // later one already.  Cuts and writes away chunks by Prometheus's rules (A5).
  bool Store(uint32_t line, int64_t t, uint64_t v, const StoreRules& rules,
             StoreCounts& counts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // The same with a start time, kept if the chunk is one that can.
  bool StoreStarted(uint32_t line, int64_t t, uint64_t v, int64_t start,
                    const StoreRules& rules, StoreCounts& counts)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    start_ = start;
    const bool stored = Store(line, t, v, rules, counts);
    start_ = 0;
    return stored;
  }
  // The same for a histogram.
  template <typename H>
  bool StoreHistogram(uint32_t line, int64_t t, const H& h, int64_t start,
                      const StoreRules& rules, StoreCounts& counts)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // What Prometheus's rule of acceptance says to a histogram.
  template <typename H>
  Appended AcceptsHistogram(const HotSeries& series, int64_t t, const H& h,
                            const Bounds& bounds, bool& late) const
      ABSL_SHARED_LOCKS_REQUIRED(mu);
  // The newest sample, if the open chunk is one of histograms.
  void LastHistogram(uint32_t line, Histogram& ints,
                     FloatHistogram& floats) const
      ABSL_SHARED_LOCKS_REQUIRED(mu);
  // Puts the open chunk away as if it were full.
  void CutOpenChunk(uint32_t line, const StoreRules& rules)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Puts one that chunks_head had among those there are; false if it overlaps
  // one of them or the open chunk.  A series that was forgotten and made again
  // has had two references, and the chunks of the first may come last.
  bool OfferMapped(uint32_t line, const MappedChunk& chunk,
                   const StoreRules& rules) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Adds a chunk that chunks_head has already; later than all before.
  void AddMapped(uint32_t line, const MappedChunk& chunk)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Forgets all chunks of the series.
  void DropChunks(uint32_t line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Has chunks_head refused a chunk since ClearRefused()?
  bool refused() const ABSL_SHARED_LOCKS_REQUIRED(mu) { return refused_; }
  void ClearRefused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { refused_ = false; }
  void SetRefused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { refused_ = true; }
  // Tries again to write what chunks_head refused.
  absl::Status WriteUnwritten(uint32_t line, const StoreRules& rules)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  // --- Late samples: mem_series_late.cc.

  // false: there is one of that time already.  If the ones in memory had become
  // too many, `mapped` gets the chunks that they were written to.
  bool StoreLate(uint32_t line, LateSample sample, const StoreRules& rules,
                 StoreCounts& counts, std::vector<HeadChunkRef>& mapped)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Writes those in memory to chunks_head, of commits up to rules.epoch.
  absl::Status MapLate(uint32_t line, const StoreRules& rules,
                       std::vector<HeadChunkRef>& mapped)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // For the replay: chunks_head has the chunk; the samples in memory are in a
  // chunk.
  void AddLateMapped(uint32_t line, const MappedChunk& chunk)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void ForgetOpenLate(uint32_t line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  bool HasLate(const HotSeries& series) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    return series.cold != 0 && cold_[series.cold].late != nullptr;
  }
  // The open one counted.
  size_t LateChunks(uint32_t line) const ABSL_SHARED_LOCKS_REQUIRED(mu);
  // Upper bound of those in the range.
  uint32_t LateIn(uint32_t line, TimeRange range) const
      ABSL_SHARED_LOCKS_REQUIRED(mu);
  // `fresh` of a copied chunk: what the reader must not see.
  void CopyLate(uint32_t line, TimeRange range, bool isolated,
                uint32_t watermark, LateCopy& out) const
      ABSL_SHARED_LOCKS_REQUIRED(mu);
  struct LateSpan {
    HeadChunkRef last = 0;
    int64_t min_t = kMaxMillis;
    int64_t max_t = kMinMillis;
  };
  // Of the chunks.
  LateSpan LateTimes(uint32_t line) const ABSL_SHARED_LOCKS_REQUIRED(mu);
  struct LateRemains {
    uint32_t removed = 0;       // chunks
    uint32_t removed_file = 0;  // the last one that any of them is in
    int64_t removed_min_t = kMaxMillis;
    uint32_t first_file = 0xffffffff;
    int64_t min_t = kMaxMillis;
  };
  // Drops the chunks up to that one, and what no reader needs.
  LateRemains SettleLate(uint32_t line, HeadChunkRef up_to, uint64_t floor)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  // --- Reading.

  // Samples that a reader at `watermark` leaves out, from the last one back.
  uint32_t Hidden(const HotSeries& series, uint32_t watermark) const
      ABSL_SHARED_LOCKS_REQUIRED(mu);
  // Upper bound of the visible samples in chunks that overlap `range`.
  uint32_t SamplesIn(uint32_t line, TimeRange range, bool isolated,
                     uint32_t watermark) const ABSL_SHARED_LOCKS_REQUIRED(mu);
  // Chunks that overlap `range`.
  void Copy(uint32_t line, TimeRange range, bool isolated, uint32_t watermark,
            SeriesCopy& out) const ABSL_SHARED_LOCKS_REQUIRED(mu);
  // Has it no chunk at all?
  bool Empty(uint32_t line) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    const HotSeries& series = Line(line);
    return series.samples == 0 && series.mapped == 0 &&
           (series.cold == 0 || (cold_[series.cold].unwritten.empty() &&
                                 cold_[series.cold].late == nullptr));
  }
  // The time of its newest sample that came in order; kMinMillis.
  int64_t Newest(uint32_t line) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    const HotSeries& series = Line(line);
    return series.samples != 0 ? series.last_t : MappedMax(series);
  }
  // The end of its last full chunk; kMinMillis if there is none.
  int64_t MappedMax(const HotSeries& series) const
      ABSL_SHARED_LOCKS_REQUIRED(mu);

  // --- Forgetting.

  struct Remains {
    bool any = false;
    int64_t min_t = 0;
    uint32_t first_file = 0xffffffff;  // of chunks_head
    uint32_t removed = 0;              // chunks
    uint32_t chunks = 0;               // left
  };
  // Drops the chunks that end before `mint`.
  Remains Truncate(uint32_t line, int64_t mint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Drops boundaries that no reader needs, and keeps epochs comparable.
  void Settle(uint32_t line, uint64_t floor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  // Moves chunks together if many slots are unused.
  void Pack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // The same, if memory has grown by a 24th since: chunks that grow side by
  // side leave blocks of smaller slots behind them.  For after every batch.
  void PackIfGrown() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (slab_.reserved_bytes() / 25 * 24 > packed_bytes_) Pack();
  }

  size_t line_bytes() const ABSL_SHARED_LOCKS_REQUIRED(mu);
  size_t slab_bytes() const ABSL_SHARED_LOCKS_REQUIRED(mu) {
    return slab_.reserved_bytes();
  }
  // Slots of lists of full chunks: a part of slab_bytes().
  size_t mapped_bytes() const ABSL_SHARED_LOCKS_REQUIRED(mu);

 private:
  friend class OpenChunk;
  static constexpr uint32_t kPageBits = 8;
  static constexpr uint32_t kPageSize = 1u << kPageBits;
  static_assert(kPageSize * sizeof(HotSeries) == PageArena::kPageBytes);
  static HotSeries* LinesOf(const ArenaMemory& page) {
    return std::launder(reinterpret_cast<HotSeries*>(page.get()));
  }

  ColdSeries& Cold(HotSeries& series) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  const ColdSeries* FindCold(const HotSeries& series) const
      ABSL_SHARED_LOCKS_REQUIRED(mu) {
    return series.cold == 0 ? nullptr : &cold_[series.cold];
  }
  int64_t NextAt(const HotSeries& series) const ABSL_SHARED_LOCKS_REQUIRED(mu);
  void SetNextAt(HotSeries& series, int64_t at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void Touch(HotSeries& series, const StoreRules& rules)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // `group`: what its last chunk shared.
  void BeginChunk(HotSeries& series, int64_t t, uint32_t group,
                  const StoreRules& rules) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // The group for a chunk that begins at `t`; 0: it had better have its own
  // times.
  uint32_t GroupFor(int64_t t, uint32_t group)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void BeginHistogram(HotSeries& series, uint8_t codec, int64_t t,
                      const StoreRules& rules)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  bool StoreStale(uint32_t line, int64_t t, const StoreRules& rules,
                  StoreCounts& counts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // Writes a full chunk away; what the disk refuses stays in memory.
  void PutAway(uint32_t line, const UnwrittenChunk& full,
               std::string_view bytes, const StoreRules& rules)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  std::string_view MappedBytes(const HotSeries& series) const
      ABSL_SHARED_LOCKS_REQUIRED(mu);
  void SetMapped(HotSeries& series, const std::vector<MappedChunk>& chunks)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  std::vector<ArenaMemory> pages_ ABSL_GUARDED_BY(mu);
  std::vector<SeriesId> ids_ ABSL_GUARDED_BY(mu);
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mu);
  Slab slab_ ABSL_GUARDED_BY(mu);
  size_t packed_bytes_ ABSL_GUARDED_BY(mu) = 0;  // reserved after Pack
  TimeGroups groups_ ABSL_GUARDED_BY(mu);
  // The time that all samples of the batch have, and the group that has it.
  int64_t batch_t_ ABSL_GUARDED_BY(mu) = 0;
  uint32_t batch_group_ ABSL_GUARDED_BY(mu) = 0;
  bool in_batch_ ABSL_GUARDED_BY(mu) = false;
  int64_t start_ ABSL_GUARDED_BY(mu) = 0;   // of the float being stored
  std::string sealed_ ABSL_GUARDED_BY(mu);  // OpenChunk::Seal's
  std::vector<ColdSeries> cold_ ABSL_GUARDED_BY(mu);  // [0] is unused
  std::vector<uint32_t> free_cold_ ABSL_GUARDED_BY(mu);
  bool refused_ ABSL_GUARDED_BY(mu) = false;
};

}  // namespace narthex::tsdb
