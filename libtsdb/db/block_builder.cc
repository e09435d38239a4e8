#include "narthex/tsdb/block_builder.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/block_writer.h"
#include "libtsdb/block/ulid.h"
#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/cut_rule.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

constexpr Duration kSmallestBlock = Hours(2);
constexpr int kMostRanges = 10;

// A series of one block in the making.
struct Series {
  Labels labels;
  std::vector<EncodedChunk> chunks;  // bytes in `made`
  std::deque<std::string> made;
  XorAppender open;
  OpenChunkEnds ends;
  uint64_t last_v = 0;

  void Seal() {
    if (open.samples() == 0) return;
    made.emplace_back(open.bytes());
    chunks.push_back({ChunkEncoding::kXor, ends.start, ends.last, made.back()});
    open.Clear();
  }
};

// The samples of one block's range.
struct Window {
  absl::flat_hash_map<Labels, size_t, LabelsHash> by_labels;
  std::deque<Series> series;
  int64_t min_t = kMaxMillis;
  int64_t max_t = kMinMillis;
};

class Builder final : public BlockBuilder {
 public:
  Builder(std::string dir, BlockBuilderOptions options)
      : env_(*options.env), clock_(*options.clock), dir_(std::move(dir)) {
    width_ = kSmallestBlock.ms;
    for (int i = 1;
         i < kMostRanges && width_ * 3 <= options.max_block_duration.ms; ++i) {
      width_ *= 3;
    }
  }

  absl::Status Add(const Labels& labels, Timestamp t, double v) override {
    if (labels.empty()) return InvalidArgument("a series without labels");
    const int64_t number =
        t.ms >= 0 ? t.ms / width_ : -1 - (-1 - t.ms) / width_;
    Window& window = windows_[number];
    const auto [it, added] =
        window.by_labels.try_emplace(labels, window.series.size());
    if (added) {
      window.series.emplace_back();
      window.series.back().labels = labels;
    }
    Series& series = window.series[it->second];
    // Prometheus's promtool fills a head of twice the width.
    const int64_t chunk_range = 2 * width_;
    if (series.open.samples() != 0) {
      if (t.ms <= series.ends.last) {
        if (t.ms == series.ends.last && Bits(v) == series.last_v) {
          return absl::OkStatus();
        }
        return InvalidArgument(StrCat(
            "sample of ", labels.ToString(), " at ", FormatSeconds(t),
            t.ms == series.ends.last ? " has another value than before"
                                     : " is older than the one before it"));
      }
      if (CutsFloatChunk(series.ends, series.open.samples(),
                         static_cast<uint32_t>(series.open.bytes().size()),
                         t.ms)) {
        series.Seal();
      }
    }
    if (series.open.samples() == 0) {
      series.ends.start = t.ms;
      series.ends.next_at = ChunkRangeEnd(t.ms, chunk_range);
    }
    series.open.Append(t, v);
    series.ends.last = t.ms;
    series.last_v = Bits(v);
    window.min_t = std::min(window.min_t, t.ms);
    window.max_t = std::max(window.max_t, t.ms);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<BlockInfo>> Finish() override {
    std::vector<BlockInfo> blocks;
    while (!windows_.empty()) {
      NARTHEX_ASSIGN_OR_RETURN(BlockMeta meta, Write(windows_.begin()->second));
      windows_.erase(windows_.begin());
      BlockInfo info;
      info.dir = JoinPath(dir_, meta.ulid);
      info.meta = std::move(meta);
      NARTHEX_ASSIGN_OR_RETURN(info.bytes, env_.TreeSize(info.dir));
      blocks.push_back(std::move(info));
    }
    return blocks;
  }

 private:
  absl::StatusOr<BlockMeta> Write(Window& window) {
    BlockMeta meta;
    meta.ulid = NewUlid(env_, clock_.Now());
    meta.min_time = window.min_t;
    meta.max_time = window.max_t + 1;
    meta.level = 1;
    meta.sources = {meta.ulid};
    NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<BlockWriter> writer,
                             BlockWriter::Create(env_, dir_, std::move(meta)));

    absl::flat_hash_set<std::string_view> texts = {std::string_view()};
    std::vector<Series*> order;
    for (Series& series : window.series) {
      series.Seal();
      order.push_back(&series);
      for (const Label& label : series.labels) {
        texts.insert(label.name);
        texts.insert(label.value);
      }
    }
    std::sort(order.begin(), order.end(), [](const Series* a, const Series* b) {
      return a->labels < b->labels;
    });
    std::vector<std::string_view> sorted(texts.begin(), texts.end());
    std::sort(sorted.begin(), sorted.end());
    absl::flat_hash_map<std::string_view, uint32_t> numbers;
    for (std::string_view text : sorted) {
      NARTHEX_RETURN_IF_ERROR(writer->AddSymbol(text));
      numbers.emplace(text, static_cast<uint32_t>(numbers.size()));
    }
    std::vector<LabelPair> row;
    for (Series* series : order) {
      row.clear();
      for (const Label& label : series->labels) {
        row.push_back({numbers[label.name], numbers[label.value]});
      }
      NARTHEX_RETURN_IF_ERROR(writer->AddSeries(row, series->chunks));
    }
    NARTHEX_ASSIGN_OR_RETURN(std::optional<BlockMeta> written,
                             writer->Finish());
    if (!written.has_value()) return Internal("a window without samples");
    return *std::move(written);
  }

  Env& env_;
  Clock& clock_;
  const std::string dir_;
  int64_t width_ = 0;
  std::map<int64_t, Window> windows_;  // by number: start / width_
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockBuilder>> BlockBuilder::New(
    std::string dir, BlockBuilderOptions options) {
  NARTHEX_RETURN_IF_ERROR(options.env->MakeDirs(dir));
  return std::make_unique<Builder>(std::move(dir), options);
}

}  // namespace narthex::tsdb
