// `narthex tsdb analyze [DIR] [BLOCK]`: what is in a block, and what costs.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "narthex/base/status.h"
#include "narthex/promql/parser.h"
#include "tools/tool.h"
#include "tools/tsdb_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

struct AnalyzeFlags {
  std::string dir = kDefaultDir;
  std::string block = {};
  int limit = 20;
  bool extended = false;
  std::string match = {};
};

using Counts = std::vector<tsdb::BlockAnalysis::Count>;

// `divide`: milliseconds as shares of the block's span, which is how churn is
// shown.
void PrintCounts(std::string_view title, const Counts& counts,
                 double divide = 1) {
  Print(StrCat("\n", title, ":\n"));
  for (const auto& [name, n] : counts) {
    const auto shown = static_cast<uint64_t>(static_cast<double>(n) / divide);
    Print(StrCat(shown, " ", name, "\n"));
  }
}

int64_t Sum(const std::vector<uint32_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

// A histogram of '#', each bar the percentage of all chunks.
void PrintSpread(std::string_view title, std::vector<uint32_t> values,
                 uint64_t all_chunks) {
  if (values.empty()) {
    Print(StrCat(title, ": N/A\n\n"));
    return;
  }
  std::sort(values.begin(), values.end());
  const int64_t least = values.front(), most = values.back();
  int64_t step = 10;
  while (step < (most - least) / 10 && step <= 10000) step *= 10;
  const int64_t start = least - least % step;
  const int64_t end = most - most % step + step;
  std::vector<int64_t> buckets(static_cast<size_t>((end - start) / step + 1));
  for (const uint32_t value : values) {
    ++buckets[static_cast<size_t>((value - start) / step)];
  }
  Print(StrCat(title, " (min/avg/max): ", least, "/",
               Sum(values) / static_cast<int64_t>(values.size()), "/", most,
               "\n"));
  auto digits = [](int64_t n) { return static_cast<int>(StrCat(n).size()); };
  const int count_width =
      digits(*std::max_element(buckets.begin(), buckets.end()));
  for (size_t i = 0; i < buckets.size(); ++i) {
    const int64_t low = static_cast<int64_t>(i) * step + start;
    char line[128];
    std::snprintf(line, sizeof(line), "[%*lld, %*lld]: %*lld ", digits(end),
                  static_cast<long long>(low + 1), digits(end + step),
                  static_cast<long long>(low + step), count_width,
                  static_cast<long long>(buckets[i]));
    const auto percent = static_cast<size_t>(100 * buckets[i] /
                                             static_cast<int64_t>(all_chunks));
    Print(StrCat(std::string(line), std::string(percent, '#'), "\n"));
  }
  Print("\n");
}

absl::StatusOr<tsdb::BlockInfo> FindBlock(const AnalyzeFlags& flags) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<tsdb::BlockInfo> blocks,
                           tsdb::ListBlocks(*Env::Posix(), flags.dir));
  if (flags.block.empty()) {
    if (blocks.empty()) return NotFound("no blocks found");
    // The last one by name, which is the one that was made last.
    return *std::max_element(
        blocks.begin(), blocks.end(),
        [](const auto& a, const auto& b) { return a.meta.ulid < b.meta.ulid; });
  }
  for (const tsdb::BlockInfo& block : blocks) {
    if (block.meta.ulid == flags.block) return block;
  }
  return NotFound(StrCat("invalid block ID ", flags.block));
}

int Analyze(const AnalyzeFlags& flags) {
  tsdb::AnalyzeOptions options;
  options.limit = static_cast<size_t>(std::max(0, flags.limit));
  options.chunks = flags.extended;
  if (!flags.match.empty()) {
    auto matchers = promql::ParseMetricSelector(flags.match);
    if (!matchers.ok()) return Fail(matchers.status());
    options.matchers = *std::move(matchers);
  }
  if (const auto status = CheckDir(flags.dir); !status.ok()) {
    return Fail(status);
  }
  const auto block = FindBlock(flags);
  if (!block.ok()) return Fail(block.status());
  const auto found = tsdb::AnalyzeBlock(*Env::Posix(), block->dir, options);
  if (!found.ok()) return Fail(found.status());

  const tsdb::BlockMeta& meta = found->meta;
  const Duration span = meta.max_time - meta.min_time;
  Print(StrCat("Block ID: ", meta.ulid, "\nDuration: ", GoDuration(span),
               "\nTotal Series: ", meta.stats.series, "\n"));
  if (!flags.match.empty()) Print(StrCat("Matcher: ", flags.match, "\n"));
  Print(StrCat("Label names: ", found->label_names, "\n"));
  if (!flags.match.empty()) {
    Print(StrCat("Matched series: ", found->series, "\n"));
  }
  Print(StrCat(
      "Postings (unique label pairs): ", found->postings_unique_pairs,
      "\nPostings entries (total label pairs): ", found->postings_total, "\n"));
  const double ms = static_cast<double>(std::max<int64_t>(1, span.ms));
  PrintCounts("Label pairs most involved in churning", found->uncovered_pairs,
              ms);
  PrintCounts("Label names most involved in churning", found->uncovered_names,
              ms);
  PrintCounts("Most common label pairs", found->frequent_pairs);
  PrintCounts("Label names with highest cumulative label value length",
              found->name_bytes);
  PrintCounts("Highest cardinality labels", found->name_cardinality);
  PrintCounts("Highest cardinality metric names", found->metric_series);
  if (flags.extended) {
    const tsdb::BlockAnalysis::ChunkSpread& chunks = found->chunks;
    Print("\nCompaction analysis:\n\n");
    PrintSpread("samples per float chunk", chunks.samples, chunks.chunks);
    PrintSpread("bytes per float chunk", chunks.bytes, chunks.chunks);
    PrintSpread("samples per histogram chunk", chunks.histogram_samples,
                chunks.chunks);
    PrintSpread("bytes per histogram chunk", chunks.histogram_bytes,
                chunks.chunks);
    PrintSpread("buckets per histogram chunk", chunks.histogram_buckets,
                chunks.chunks);
  }
  return kSuccess;
}

}  // namespace

void AddTsdbAnalyze(CLI::App& parent, int& exit_code) {
  auto flags = std::make_shared<AnalyzeFlags>();
  CLI::App* analyze = parent.add_subcommand(
      "analyze",
      "Analyze churn, label pair cardinality and compaction "
      "efficiency");
  analyze->add_option("dir", flags->dir, "Database path")
      ->capture_default_str();
  analyze->add_option("block", flags->block, "Block to analyze; the last one");
  analyze->add_option("--limit", flags->limit, "Items to show in each list")
      ->capture_default_str();
  analyze->add_flag("--extended", flags->extended, "Analyze the chunks too");
  analyze->add_option("--match", flags->match, "Series selector to analyze");
  analyze->callback([flags, &exit_code] { exit_code = Analyze(*flags); });
}

}  // namespace narthex::tools
