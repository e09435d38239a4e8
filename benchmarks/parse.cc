// W5: pages of metrics, parsed, with labels, and scraped into a database.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "benchmarks/bench.h"
#include "libscrape/loop/scrape_append.h"
#include "libscrape/loop/scrape_cache.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/exposition.h"
#include "narthex/tsdb/db.h"

namespace narthex::bench {
namespace {

using scrape::ExpositionParser;
using scrape::PageFormat;

constexpr double kLeastSeconds = 0.8;
constexpr size_t kLeastRounds = 5;
constexpr Timestamp kStart = 1'700'000'000'000;
constexpr Duration kInterval = Seconds(15);

// Keeps what was read from being optimised away.
struct Sink {
  double sum = 0;
  size_t bytes = 0;
};

// Every series with its text, value and time; with `labels` its sorted label
// set too, made as the scrape loop makes it.
absl::StatusOr<size_t> Parse(std::string_view page, PageFormat format,
                             bool labels, Sink& sink) {
  ExpositionParser parser(page, format);
  LabelsScratch scratch;
  Labels set;
  size_t samples = 0;
  for (;;) {
    const auto entry = parser.Next();
    if (entry == ExpositionParser::Entry::kEnd) break;
    if (entry != ExpositionParser::Entry::kSeries) continue;
    ++samples;
    sink.sum += parser.value();
    sink.bytes += parser.series().size() + parser.timestamp().has_value();
    if (!labels) continue;
    parser.GetLabels(scratch);
    scratch.Sort();
    scratch.BuildInto(set);
    sink.bytes += set.packed().size();
  }
  NARTHEX_RETURN_IF_ERROR(parser.status());
  return samples;
}

// The scrape loop's own way from a page to storage.
class Scrape {
 public:
  explicit Scrape(tsdb::Db& db) : appender_(db.NewAppender()) {}

  absl::StatusOr<size_t> Run(const std::string& page, PageFormat format) {
    at_ = at_ + kInterval;
    scrape::PageAppender appender(rules_, cache_, *appender_, buffers_);
    // The loop gets its pages from the network, each in a buffer of its own.
    copy_.assign(page);
    NARTHEX_RETURN_IF_ERROR(
        appender.Append(copy_, format, at_, at_ + Minutes(10)));
    NARTHEX_RETURN_IF_ERROR(appender_->Commit());
    copy_ = cache_.EndGood(appender.TakeKept(copy_));
    return appender.counts().stored;
  }

 private:
  const scrape::SampleRules rules_;
  scrape::ScrapeCache cache_;
  scrape::AppendBuffers buffers_;
  std::unique_ptr<Appender> appender_;
  std::string copy_;
  Timestamp at_ = kStart;
};

template <typename Work>
absl::Status Report(const std::string& which, size_t bytes, Work work) {
  NARTHEX_ASSIGN_OR_RETURN(const size_t samples, work());
  const double wall0 = WallSeconds(), cpu0 = ProcessCpuSeconds();
  size_t rounds = 0;
  while (rounds < kLeastRounds || WallSeconds() - wall0 < kLeastSeconds) {
    NARTHEX_ASSIGN_OR_RETURN(const size_t again, work());
    if (again != samples) return Internal("a round read other samples");
    ++rounds;
  }
  const double wall = WallSeconds() - wall0;
  const double cpu = ProcessCpuSeconds() - cpu0;
  const double r = static_cast<double>(rounds);
  const double n = static_cast<double>(samples);
  const std::string name =
      StrCat(which.substr(0, which.find("mode=")), "samples=", samples, ",",
             which.substr(which.find("mode=")));
  Emit("W5", name, "mb_per_s", static_cast<double>(bytes) * r / wall / 1e6,
       "MB/s");
  Emit("W5", name, "mb_per_cpu_s", static_cast<double>(bytes) * r / cpu / 1e6,
       "MB/s");
  Emit("W5", name, "samples_per_s", n * r / wall, "1/s");
  Emit("W5", name, "cpu_ns_per_sample", cpu * 1e9 / (n * r), "ns");
  return absl::OkStatus();
}

}  // namespace

absl::Status RunParse(const BenchFlags& flags) {
  if (flags.files.empty()) return InvalidArgument("w5 wants pages");
  if (flags.dir.empty()) return InvalidArgument("-dir is missing");
  Sink sink;
  for (const std::string& file : flags.files) {
    NARTHEX_ASSIGN_OR_RETURN(const std::string page,
                             Env::Posix()->ReadFile(file));
    const bool om = file.ends_with(".om");
    const PageFormat format = om ? PageFormat::kOpenMetrics : PageFormat::kText;
    const std::string name =
        StrCat(om ? "openmetrics" : "text", "/", BaseName(file),
               ",bytes=", page.size(), ",mode=");
    NARTHEX_RETURN_IF_ERROR(Report(name + "values", page.size(), [&] {
      return Parse(page, format, /*labels=*/false, sink);
    }));
    NARTHEX_RETURN_IF_ERROR(Report(name + "labels", page.size(), [&] {
      return Parse(page, format, /*labels=*/true, sink);
    }));
    tsdb::Options options;
    options.retention = Duration(0);
    NARTHEX_ASSIGN_OR_RETURN(auto db, tsdb::Db::Open(flags.dir, options));
    {
      Scrape scrape(*db);
      NARTHEX_RETURN_IF_ERROR(Report(name + "scrape_append", page.size(),
                                     [&] { return scrape.Run(page, format); }));
    }
    NARTHEX_RETURN_IF_ERROR(db->Close());
    db.reset();
    std::error_code ignored;
    std::filesystem::remove_all(flags.dir, ignored);
  }
  return sink.sum != sink.sum && sink.bytes == 0 ? Internal("nothing was read")
                                                 : absl::OkStatus();
}

}  // namespace narthex::bench
