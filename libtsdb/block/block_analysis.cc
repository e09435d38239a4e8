#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "libtsdb/block/block_dir.h"
#include "libtsdb/chunk/histogram_reader.h"
#include "libtsdb/chunk/segment.h"
#include "libtsdb/index/index_reader.h"
#include "libtsdb/index/select.h"
#include "narthex/base/cancel.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/tsdb/block.h"

namespace narthex::tsdb {
namespace {

using Count = BlockAnalysis::Count;

struct Tally {
  uint64_t series = 0;
  uint64_t uncovered = 0;  // ms, summed over the series
};

void KeepTop(std::vector<Count>& counts, size_t limit) {
  std::sort(counts.begin(), counts.end(), [](const Count& a, const Count& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (counts.size() > limit) counts.resize(limit);
}

class Analysis {
 public:
  Analysis(const IndexReader& index, const AnalyzeOptions& options,
           BlockAnalysis& out)
      : index_(index), options_(options), out_(out) {
    for (const MatcherPtr& matcher : options.matchers) {
      matchers_.push_back(matcher.get());
    }
  }

  absl::Status Run(const SegmentReader* segments) {
    NARTHEX_RETURN_IF_ERROR(index_.LoadSymbols());
    NARTHEX_ASSIGN_OR_RETURN(ids_, SelectSeries(index_, matchers_, never_));
    out_.series = ids_.size();
    for (SeriesId id : ids_) NARTHEX_RETURN_IF_ERROR(CountSeries(id, segments));
    RankPairs();
    return RankNames();
  }

 private:
  absl::Status CountSeries(SeriesId id, const SegmentReader* segments) {
    labels_.clear();
    uint64_t chunks_at = 0;
    NARTHEX_RETURN_IF_ERROR(index_.ReadLabels(id, labels_, chunks_at));
    IndexReader::ChunkWalk walk = index_.Chunks(id, chunks_at);
    ChunkMeta chunk;
    Timestamp first;
    for (bool begun = false; walk.Next(chunk); begun = true) {
      if (!begun) first = chunk.min_t;
      if (segments != nullptr) {
        NARTHEX_RETURN_IF_ERROR(CountChunk(chunk.ref, *segments));
      }
    }
    if (!walk.ok()) return index_.DamagedChunks(id);
    const uint64_t span = Width(out_.meta.min_time, out_.meta.max_time);
    const uint64_t covered = Width(first, chunk.max_t);
    // Prometheus lets it wrap in a block whose meta.json is too narrow.
    const uint64_t uncovered = covered < span ? span - covered : 0;
    for (LabelPair pair : labels_) {
      Tally& tally = pairs_[uint64_t{pair.name} << 32 | pair.value];
      ++tally.series;
      tally.uncovered += uncovered;
      names_[pair.name] += uncovered;
    }
    out_.postings_total += labels_.size();
    return absl::OkStatus();
  }

  absl::Status CountChunk(ChunkRef ref, const SegmentReader& segments) {
    NARTHEX_ASSIGN_OR_RETURN(const SegmentReader::Chunk chunk,
                             segments.Read(ref));
    BlockAnalysis::ChunkSpread& spread = out_.chunks;
    const uint32_t samples = SampleCount(chunk.encoding, chunk.bytes);
    const uint32_t bytes = static_cast<uint32_t>(chunk.bytes.size());
    ++spread.chunks;
    if (IsHistogramEncoding(chunk.encoding)) {
      ++spread.histogram_chunks;
      spread.histogram_samples.push_back(samples);
      spread.histogram_bytes.push_back(bytes);
      uint32_t buckets = 0;
      NARTHEX_RETURN_IF_ERROR(VisitHistograms(
          chunk.encoding, chunk.bytes, {}, [&](const HistogramSample& sample) {
            const auto count = [&](const auto& positive, const auto& negative) {
              buckets +=
                  static_cast<uint32_t>(positive.size() + negative.size());
            };
            if (sample.integer != nullptr) {
              count(sample.integer->positive_deltas,
                    sample.integer->negative_deltas);
            } else {
              count(sample.floating->positive_buckets,
                    sample.floating->negative_buckets);
            }
            return absl::OkStatus();
          }));
      spread.histogram_buckets.push_back(buckets);
    } else {
      spread.samples.push_back(samples);
      spread.bytes.push_back(bytes);
    }
    return absl::OkStatus();
  }

  static uint64_t Width(Timestamp from, Timestamp to) {
    return static_cast<uint64_t>(to.ms) - static_cast<uint64_t>(from.ms);
  }

  void RankPairs() {
    out_.postings_unique_pairs = pairs_.size();
    for (const auto& [key, tally] : pairs_) {
      std::string text =
          StrCat(index_.SymbolText(static_cast<uint32_t>(key >> 32)), "=",
                 index_.SymbolText(static_cast<uint32_t>(key)));
      out_.uncovered_pairs.emplace_back(text, tally.uncovered);
      out_.frequent_pairs.emplace_back(std::move(text), tally.series);
    }
    for (const auto& [name, uncovered] : names_) {
      out_.uncovered_names.emplace_back(index_.SymbolText(name), uncovered);
    }
    KeepTop(out_.uncovered_pairs, options_.limit);
    KeepTop(out_.frequent_pairs, options_.limit);
    KeepTop(out_.uncovered_names, options_.limit);
  }

  absl::Status RankNames() {
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string_view> names,
                             SelectLabelNames(index_, matchers_, never_));
    out_.label_names = names.size();
    for (std::string_view name : names) {
      NARTHEX_ASSIGN_OR_RETURN(
          const std::vector<std::string_view> values,
          SelectLabelValues(index_, name, matchers_, never_));
      uint64_t bytes = 0;
      for (std::string_view value : values) bytes += value.size();
      out_.name_bytes.emplace_back(name, bytes);
      out_.name_cardinality.emplace_back(name, values.size());
      if (name != kMetricName) continue;
      for (std::string_view value : values) {
        NARTHEX_ASSIGN_OR_RETURN(const PostingsList list,
                                 index_.Find(name, value));
        std::vector<SeriesId> matching = list.ToVector();
        if (!matchers_.empty()) {
          IntersectInto(matching, PostingsList::View(ids_));
        }
        out_.metric_series.emplace_back(value, matching.size());
      }
    }
    KeepTop(out_.name_bytes, options_.limit);
    KeepTop(out_.name_cardinality, options_.limit);
    KeepTop(out_.metric_series, options_.limit);
    return absl::OkStatus();
  }

  const IndexReader& index_;
  const AnalyzeOptions& options_;
  BlockAnalysis& out_;
  const CancelToken never_;
  std::vector<const Matcher*> matchers_;
  std::vector<SeriesId> ids_;
  std::vector<LabelPair> labels_;
  absl::flat_hash_map<uint64_t, Tally> pairs_;
  absl::flat_hash_map<SymbolId, uint64_t> names_;
};

}  // namespace

absl::StatusOr<BlockAnalysis> AnalyzeBlock(Env& env, const std::string& dir,
                                           const AnalyzeOptions& options) {
  BlockAnalysis out;
  NARTHEX_ASSIGN_OR_RETURN(out.meta, ReadBlockMeta(env, dir));
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<IndexReader> index,
                           IndexReader::Open(env, JoinPath(dir, "index")));
  std::unique_ptr<SegmentReader> segments;
  if (options.chunks) {
    NARTHEX_ASSIGN_OR_RETURN(segments,
                             SegmentReader::Open(env, JoinPath(dir, "chunks")));
  }
  NARTHEX_RETURN_IF_ERROR(Analysis(*index, options, out).Run(segments.get()));
  return out;
}

}  // namespace narthex::tsdb
