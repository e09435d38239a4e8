#include "libtsdb/head/late_samples.h"

#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "narthex/model/sample.h"
#include "test/tsdb/db/db_lab.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::DbLab;
using test::Point;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;
const Labels kUp = {{"__name__", "up"}, {"job", "a"}};

Options WithWindow(int64_t window) {
  Options options;
  options.out_of_order_time_window = Duration(window);
  return options;
}

std::vector<Point> Points(const std::map<int64_t, double>& model) {
  std::vector<Point> out;
  for (const auto& [t, v] : model) out.push_back({t, Bits(v)});
  return out;
}

}  // namespace

TEST_CASE("late samples are taken as Prometheus takes them", "[tsdb][late]") {
  DbLab lab(WithWindow(kHour));
  constexpr int64_t kNow = 100 * kHour;
  REQUIRE(lab.Append(kUp, kNow, 1) == Appended::kStored);
  REQUIRE(lab.Append(kUp, kNow, 2) == Appended::kDuplicate);
  REQUIRE(lab.Append(kUp, kNow - kHour, 2) == Appended::kStored);
  REQUIRE(lab.Append(kUp, kNow - kHour - 1, 2) == Appended::kTooOld);
  // Of that time there is one: the first stays, and it is no error.
  REQUIRE(lab.Append(kUp, kNow - kHour, 3) == Appended::kStored);
  REQUIRE(lab.Append(kUp, kNow - kMinute, 4) == Appended::kStored);
  REQUIRE(lab.Append(kUp, kNow + 1, 5) == Appended::kStored);
  REQUIRE(
      lab.Read(kUp) ==
      Points(
          {{kNow - kHour, 2}, {kNow - kMinute, 4}, {kNow, 1}, {kNow + 1, 5}}));
  lab.Reopen();
  REQUIRE(
      lab.Read(kUp) ==
      Points(
          {{kNow - kHour, 2}, {kNow - kMinute, 4}, {kNow, 1}, {kNow + 1, 5}}));
}

TEST_CASE("many late samples, in any order, come back", "[tsdb][late]") {
  DbLab lab(WithWindow(3 * kHour));
  constexpr int64_t kNow = 50 * kHour;
  std::map<int64_t, double> model;
  lab.Append(kUp, kNow, 0);
  model[kNow] = 0;
  std::mt19937_64 random(7);
  for (int i = 0; i < 400; ++i) {
    const int64_t t =
        kNow - static_cast<int64_t>(random() % (3 * kHour / 1000)) * 1000;
    REQUIRE(lab.Append(kUp, t, i) ==
            (t == kNow ? Appended::kDuplicate : Appended::kStored));
    // What has become a chunk does not keep a second one of its time out; the
    // reader is shown the first.
    model.try_emplace(t, i);
    if (i % 100 == 99) {
      REQUIRE(lab.Read(kUp) == Points(model));
      lab.Reopen();
      REQUIRE(lab.Read(kUp) == Points(model));
    }
  }
  // Without the chunks nothing is lost: the log has all of it.
  lab.CloseOnly();
  REQUIRE(lab.env().RemoveAll(lab.dir() + "/chunks_head").ok());
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == Points(model));
}

TEST_CASE("late samples become blocks of their own", "[tsdb][late]") {
  DbLab lab(WithWindow(6 * kHour));
  std::map<int64_t, double> model;
  const auto append = [&](int64_t t, double v) {
    REQUIRE(lab.Append(kUp, t, v) == Appended::kStored);
    model.try_emplace(t, v);
  };
  for (int64_t t = 10 * kHour; t < 14 * kHour; t += kMinute) append(t, 1);
  for (int64_t t = 9 * kHour; t < 13 * kHour; t += 7 * kMinute) {
    append(t + 1, 2);
  }
  auto reader = lab.db().NewQuerier(TimeRange());
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.Read(kUp) == Points(model));
  // An older reader keeps its own view.
  REQUIRE(DbLab::ReadFrom(**reader, kUp) == Points(model));
  reader->reset();
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.Read(kUp) == Points(model));
  for (int round = 0; round < 2; ++round) {
    append(13 * kHour + 2 + round, 3);
    lab.Reopen();
    REQUIRE(lab.Read(kUp) == Points(model));
  }
  // On: more time in order, more late samples, more blocks.
  for (int64_t t = 14 * kHour; t < 20 * kHour; t += kMinute) {
    append(t, 4);
    if (t % (10 * kMinute) == 0) append(t - 3 * kHour + 7, 5);
  }
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.Read(kUp) == Points(model));
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == Points(model));
  const auto segments = lab.env().ListDir(lab.dir() + "/wbl");
  REQUIRE(segments.ok());
  REQUIRE(segments->size() <= 3);
}

TEST_CASE("a reader sees no late samples of later commits", "[tsdb][late]") {
  DbLab lab(WithWindow(kHour));
  constexpr int64_t kNow = 100 * kHour;
  std::map<int64_t, double> model;
  lab.Append(kUp, kNow, 1);
  model[kNow] = 1;
  for (int64_t i = 1; i <= 20; ++i) {
    lab.Append(kUp, kNow - i * kMinute, 2);
    model[kNow - i * kMinute] = 2;
  }
  auto reader = lab.db().NewQuerier(TimeRange());
  // As many that they are written to a file together with the older ones.
  for (int64_t i = 1; i <= 40; ++i) lab.Append(kUp, kNow - i * 1001, 3);
  REQUIRE(DbLab::ReadFrom(**reader, kUp) == Points(model));
  for (int64_t i = 1; i <= 40; ++i) model.try_emplace(kNow - i * 1001, 3);
  REQUIRE(lab.Read(kUp) == Points(model));
}

TEST_CASE("late histograms come back", "[tsdb][late]") {
  DbLab lab(WithWindow(kHour));
  constexpr int64_t kNow = 100 * kHour;
  const auto histogram = [](int64_t n) {
    Histogram h;
    h.schema = 0;
    h.positive_spans = {{0, 2}};
    h.positive_deltas = {n, 1};
    h.count = static_cast<uint64_t>(2 * n + 1);
    h.sum = static_cast<double>(n);
    return h;
  };
  {
    auto appender = lab.db().NewAppender();
    const SeriesRef ref = *appender->Resolve(kUp);
    REQUIRE(appender->AppendHistogram(ref, kNow, 0, histogram(100)) ==
            Appended::kStored);
    REQUIRE(appender->Commit().ok());
    for (int64_t i = 1; i <= 50; ++i) {
      if (i % 2 == 0) {
        REQUIRE(appender->AppendHistogram(ref, kNow - i * 1000, 0,
                                          histogram(i)) == Appended::kStored);
      } else {
        REQUIRE(appender->AppendHistogram(ref, kNow - i * 1000, 0,
                                          histogram(i).ToFloat()) ==
                Appended::kStored);
      }
    }
    REQUIRE(appender->AppendHistogram(ref, kNow - 2 * kHour, 0, histogram(1)) ==
            Appended::kTooOld);
    REQUIRE(appender->Commit().ok());
  }
  for (int round = 0; round < 2; ++round) {
    auto querier = lab.db().NewQuerier(TimeRange());
    MemoryBudget budget;
    CancelToken cancel;
    const ReadContext ctx{budget, cancel};
    auto matcher = Matcher::Make(Matcher::Type::kEqual, "__name__", "up");
    const Matcher* matchers[] = {matcher->get()};
    SelectRequest request;
    request.matchers = matchers;
    auto set = (*querier)->Select(request, ctx);
    REQUIRE((*set)->size() == 1);
    SampleColumns columns(budget);
    REQUIRE((*set)->Read(0, TimeRange(), ctx, columns).ok());
    const HistogramColumn& all = columns.histograms();
    REQUIRE(all.points.size() == 51);
    for (size_t i = 0; i < 50; ++i) {
      const int64_t n = 50 - static_cast<int64_t>(i);
      REQUIRE(all.points[i].t.ms == kNow - n * 1000);
      REQUIRE(all.points[i].sum == static_cast<double>(n));
    }
    set->reset();
    querier->reset();
    lab.Reopen();
  }
}

TEST_CASE("without a window late samples are refused as before",
          "[tsdb][late]") {
  DbLab lab;
  REQUIRE(lab.Append(kUp, 100 * kHour, 1) == Appended::kStored);
  REQUIRE(lab.Append(kUp, 100 * kHour - 1, 1) == Appended::kOutOfOrder);
  REQUIRE(lab.Append(kUp, 98 * kHour, 1) == Appended::kOutOfBounds);
  REQUIRE_FALSE(lab.env().Exists(lab.dir() + "/wbl"));
  REQUIRE(lab.db().SetOutOfOrderTimeWindow(Duration(kHour)).ok());
  REQUIRE(lab.Append(kUp, 100 * kHour - 1, 1) == Appended::kStored);
  REQUIRE(lab.Read(kUp).size() == 2);
  lab.Reopen();  // closed again: what is there is shown
  REQUIRE(lab.Append(kUp, 100 * kHour - 2, 1) == Appended::kOutOfOrder);
  REQUIRE(lab.Read(kUp).size() == 2);
}

}  // namespace narthex::tsdb
