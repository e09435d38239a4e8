// The head as a BlockSource: one view, from the commits published when it was
// made.  It holds its place: what it may still need is not taken away while it
// lives.
//
// Any thread.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libtsdb/block/block_source.h"
#include "libtsdb/head/head.h"

namespace narthex::tsdb {

// Which samples are shown.
enum class HeadView : uint8_t {
  kAll,
  kInOrder,
  kLate,     // those in chunks up to some one
  kSelected  // those in order, of some series
};

class HeadSource final : public BlockSource {
 public:
  HeadSource(Head& head, TimeRange range, bool isolated,
             HeadView view = HeadView::kAll, HeadChunkRef last_late = 0);
  // Of these series alone, what was published of them in order.
  HeadSource(Head& head, TimeRange range, std::vector<SeriesId> ids);
  ~HeadSource() override;
  HeadSource(const HeadSource&) = delete;
  HeadSource& operator=(const HeadSource&) = delete;

  uint32_t symbol_bound() const override {
    return head_.symbols_.symbol_bound();
  }
  std::string_view SymbolText(uint32_t own) const override {
    return head_.symbols_.SymbolText(own);
  }
  uint32_t FindSymbol(std::string_view text) const override {
    return head_.symbols_.FindSymbol(text);
  }
  const BlockMeta& meta() const override { return meta_; }
  const std::string& where() const override { return where_; }
  const PostingsIndex& postings() const override { return *postings_; }
  bool ids_in_label_order() const override { return false; }
  absl::Status SortedSymbols(std::vector<uint32_t>& out) const override;
  absl::Status ReadSeries(std::span<const SeriesId> ids, TimeRange range,
                          SeriesBatch& out) const override;
  absl::Status ReadSamples(const SeriesEntry& entry, TimeRange range,
                           const ReadContext& ctx,
                           SampleColumns& out) const override;
  absl::StatusOr<bool> ReadLatest(const SeriesEntry& entry, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override;
  absl::Status ReadChunks(const SeriesEntry& entry, TimeRange range,
                          ChunkList& out) const override;
  const Intervals* Deleted(SeriesId id) const override;

 private:
  // What of it comes from samples in order; from late ones.
  TimeRange Cut(TimeRange range) const;
  TimeRange CutLate(TimeRange range) const;
  bool shows_late() const {
    return view_ == HeadView::kAll || view_ == HeadView::kLate;
  }
  // Merges what is late into `out`.
  absl::Status AddLate(const SeriesEntry& entry, TimeRange range,
                       const ReadContext& ctx, SampleColumns& out) const;
  absl::Status AddLateChunks(const SeriesEntry& entry, TimeRange range,
                             ChunkList& out) const;
  absl::Status CutBefore(int64_t min_t, size_t first, ChunkList& out) const;
  // false: there are none.
  bool CopyLate(const SeriesEntry& entry, TimeRange range, LateCopy& out) const;
  // false: the series is gone.
  bool CopySeries(const SeriesEntry& entry, TimeRange range,
                  SeriesCopy& out) const;
  absl::Status ReadMapped(HeadChunkCursor& cursor, const MappedChunk& chunk,
                          TimeRange range, SampleColumns& out) const;
  absl::Status ReadAllMapped(std::span<const MappedChunk> chunks,
                             TimeRange range, SampleColumns& out) const;

  Head& head_;
  const Isolation::Reader reader_;
  const uint32_t watermark_;
  const bool isolated_;
  const HeadView view_;
  const HeadChunkRef last_late_;
  std::vector<SeriesId> selected_;  // kSelected: ascending
  TimeRange range_;                 // of samples in order
  const TimeRange late_range_;
  const std::shared_ptr<const void> files_;
  std::unique_ptr<PostingsIndex> postings_;
  std::shared_ptr<const Tombstones> tombstones_;
  BlockMeta meta_;
  std::string where_ = "head";
};

}  // namespace narthex::tsdb
