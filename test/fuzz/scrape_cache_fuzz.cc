// Pages of one target, one after the other (0x1d stands between them; the first
// byte says which format): with the cache of the pages before, the same samples
// are stored as without one.

#include <string>
#include <vector>

#include "libscrape/loop/scrape_append.h"
#include "test/support/fuzz_target.h"
#include "test/support/sample_recorder.h"

using namespace narthex;
using namespace narthex::scrape;

namespace {

struct Outcome {
  bool ok = false;
  size_t total = 0, added = 0, stored = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome Scrape(const std::string& page, PageFormat format, Timestamp at,
               ScrapeCache& cache, Appendable& storage) {
  // Times of their own would come in between those of scrapes.
  const SampleRules rules{.honor_timestamps = false};
  const auto appender = storage.NewAppender();
  AppendBuffers buffers;
  PageAppender reader(rules, cache, *appender, buffers);
  std::string text = page;
  Outcome outcome;
  outcome.ok = reader.Append(text, format, at, at).ok();
  outcome.total = reader.counts().total;
  outcome.added = reader.counts().added;
  if (outcome.ok) {
    outcome.stored = reader.counts().stored;
    cache.EndGood(reader.TakeKept(text));
    (void)appender->Commit();
  } else {
    (void)appender->Rollback();
    (void)reader.AppendStaleMarkers(at);
    cache.EndBad();
    (void)appender->Commit();
  }
  return outcome;
}

// Without its stale markers.
std::string Values(const test::SampleRecorder& storage,
                   const std::string& series) {
  std::string text = storage.Samples(series) + " ";
  for (size_t at = text.find("stale@"); at != std::string::npos;
       at = text.find("stale@")) {
    text.erase(at, text.find(' ', at) - at + 1);
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr PageFormat kFormats[] = {PageFormat::kText, PageFormat::kText,
                                     PageFormat::kOpenMetrics,
                                     PageFormat::kProtobuf};
  const PageFormat format = kFormats[data[0] & 3];
  std::string_view rest = test::FuzzText(data + 1, size - 1);
  // A text that is known stands for the labels that it had under the TYPE of
  // its first page, as in Prometheus; only these labels depend on it.
  const bool depends_on_type = rest.find("le") != std::string_view::npos ||
                               rest.find("quantile") != std::string_view::npos;
  test::SampleRecorder cached, fresh;
  ScrapeCache cache;
  Timestamp at = 1000;
  for (int pages = 0; pages < 16; ++pages, at = at + Seconds(10)) {
    const size_t end = std::min(rest.find('\x1d'), rest.size());
    const std::string page(rest.substr(0, end));
    ScrapeCache none;
    const Outcome want = Scrape(page, format, at, none, fresh);
    Outcome got = Scrape(page, format, at, cache, cached);
    if (depends_on_type) got.stored = want.stored;
    NARTHEX_FUZZ_CHECK(
        got == want,
        StrCat("page ", pages, ": ok ", got.ok, " not ", want.ok, ", total ",
               got.total, " not ", want.total, ", added ", got.added, " not ",
               want.added, ", stored ", got.stored, " not ", want.stored));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  if (depends_on_type) return 0;
  for (const std::string& series : fresh.Series()) {
    NARTHEX_FUZZ_CHECK(Values(cached, series) == Values(fresh, series),
                       StrCat(series, ": ", Values(cached, series), "not ",
                              Values(fresh, series)));
  }
  return 0;
}
