#include "narthex/tsdb/block_builder.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/block_writer.h"
#include "libtsdb/block/ulid.h"
#include "libtsdb/chunk/chunk_builder.h"
#include "libtsdb/chunk/histogram_reader.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

constexpr Duration kSmallestBlock = Hours(2);
constexpr int kMostRanges = 10;

using Value = std::variant<double, Histogram, FloatHistogram>;

// The same sample, by bits?
struct Same {
  bool operator()(double a, double b) const { return Bits(a) == Bits(b); }
  bool operator()(const Histogram& a, const Histogram& b) const {
    return a.SameAs(b);
  }
  bool operator()(const FloatHistogram& a, const FloatHistogram& b) const {
    return a.SameAs(b);
  }
  template <typename A, typename B>
  bool operator()(const A&, const B&) const {
    return false;
  }
};

// A series of one block in the making.
struct Series {
  explicit Series(int64_t chunk_range)
      : open(ChunkBuilder::LikeHead(chunk_range)) {}

  Labels labels;
  BuiltChunks built;
  ChunkBuilder open;
  bool empty = true;
  Timestamp last_t = 0;
  Value last = 0.0;
  std::vector<std::pair<Timestamp, Value>> late;  // in the order they came
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
      : env_(*options.env),
        clock_(*options.clock),
        dir_(std::move(dir)),
        overlap_(options.overlap) {
    width_ = kSmallestBlock.ms;
    for (int i = 1;
         i < kMostRanges && width_ * 3 <= options.max_block_duration.ms; ++i) {
      width_ *= 3;
    }
  }

  absl::Status Add(const Labels& labels, Timestamp t, double v) override {
    return AddAny(labels, t, v);
  }
  absl::Status Add(const Labels& labels, Timestamp t,
                   const Histogram& h) override {
    if (!IsStale(h.sum)) NARTHEX_RETURN_IF_ERROR(h.Validate());
    return AddAny(labels, t, h);
  }
  absl::Status Add(const Labels& labels, Timestamp t,
                   const FloatHistogram& h) override {
    if (!IsStale(h.sum)) NARTHEX_RETURN_IF_ERROR(h.Validate());
    return AddAny(labels, t, h);
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
  template <typename V>
  absl::Status AddAny(const Labels& labels, Timestamp t, const V& v) {
    if (labels.empty()) return InvalidArgument("a series without labels");
    const int64_t number =
        t.ms >= 0 ? t.ms / width_ : -1 - (-1 - t.ms) / width_;
    Window& window = windows_[number];
    const auto [it, added] =
        window.by_labels.try_emplace(labels, window.series.size());
    if (added) {
      // Prometheus's promtool fills a head of twice the width.
      window.series.emplace_back(2 * width_);
      window.series.back().labels = labels;
    }
    Series& series = window.series[it->second];
    window.min_t = std::min(window.min_t, t.ms);
    window.max_t = std::max(window.max_t, t.ms);
    if (series.empty || t > series.last_t) {
      series.open.Add(t, v, 0, series.built);
      series.empty = false;
      series.last_t = t;
      series.last = v;
      return absl::OkStatus();
    }
    if (t == series.last_t &&
        std::visit([&](const auto& last) { return Same()(last, v); },
                   series.last)) {
      return absl::OkStatus();
    }
    if (overlap_ != Overlap::kRefuse) {
      series.late.emplace_back(t, v);
      return absl::OkStatus();
    }
    return InvalidArgument(
        StrCat("sample of ", labels.ToString(), " at ", FormatSeconds(t),
               t == series.last_t ? " has another value than before"
                                  : " is older than the one before it"));
  }

  // Ends the open chunk and sorts in what came late.
  absl::Status Seal(Series& series) {
    series.open.Finish(series.built);
    if (series.late.empty()) return absl::OkStatus();
    std::map<Timestamp, Value> all;
    MemoryBudget unlimited;
    SampleColumns floats(unlimited);
    for (const EncodedChunk& chunk : series.built.chunks) {
      if (IsHistogramEncoding(chunk.encoding)) {
        NARTHEX_RETURN_IF_ERROR(VisitHistograms(
            chunk.encoding, chunk.bytes, {}, [&](const HistogramSample& s) {
              if (s.integer != nullptr) {
                all.emplace(s.t, *s.integer);
              } else {
                all.emplace(s.t, *s.floating);
              }
              return absl::OkStatus();
            }));
      } else {
        NARTHEX_RETURN_IF_ERROR(
            DecodeChunk(chunk.encoding, chunk.bytes, {}, floats));
      }
    }
    for (size_t i = 0; i < floats.size(); ++i) {
      all.emplace(floats.t()[i], floats.v()[i]);
    }
    for (auto& [t, value] : series.late) {
      const auto [it, fresh] = all.emplace(t, value);
      if (!fresh && overlap_ == Overlap::kLastWins) {
        it->second = std::move(value);
      }
    }
    series.late.clear();
    series.built = {};
    for (const auto& [t, value] : all) {
      std::visit(
          [&, at = t](const auto& v) {
            series.open.Add(at, v, 0, series.built);
          },
          value);
    }
    series.open.Finish(series.built);
    return absl::OkStatus();
  }

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
      NARTHEX_RETURN_IF_ERROR(Seal(series));
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
      NARTHEX_RETURN_IF_ERROR(writer->AddSeries(row, series->built.chunks));
    }
    NARTHEX_ASSIGN_OR_RETURN(std::optional<BlockMeta> written,
                             writer->Finish());
    if (!written.has_value()) return Internal("a window without samples");
    return *std::move(written);
  }

  Env& env_;
  Clock& clock_;
  const std::string dir_;
  const Overlap overlap_;
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
