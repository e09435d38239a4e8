#include "test/promql/naive/naive_store.h"

#include <cmath>
#include <limits>
#include <random>
#include <string_view>
#include <utility>

namespace narthex::promql::naive {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

using Hint = CounterResetHint;

class Builder {
 public:
  std::vector<SeriesData> Build() {
    for (const char* instance : {"0", "1", "2"}) {
      for (const char* job : {"api", "web"}) OfTarget(instance, job);
      for (const char* room : {"hall", "attic"}) {
        Add({{"__name__", "temp"}, {"instance", instance}, {"room", room}},
            [&](int) { return 18 + Below(4) * 0.75; });
      }
    }
    Odd("nan", [](int i) { return i % 7 < 3 ? std::nan("") : i / 3.0; });
    Odd("inf", [](int i) {
      return i % 5 == 0 ? kInf : i % 5 == 1 ? -kInf : i;
    });
    Odd("huge",
        [](int i) { return i % 4 == 2 ? -1e308 : 1e300 * (1 + i % 3); });
    Odd("tiny", [](int i) { return i % 3 == 0 ? 5e-324 : -1e-310; });
    Odd("signs", [](int i) { return i % 4 == 0 ? -0.0 : i % 2 - 0.7; });
    Add(
        {{"__name__", "odd"}, {"kind", "sparse"}}, [](int i) { return i; },
        /*gaps=*/true);
    for (const char* job : {"api", "web"}) {
      double factor = 0;
      for (const char* le : {"0.1", "0.5", "1", "+Inf"}) {
        ++factor;
        Add({{"__name__", "latency_bucket"}, {"job", job}, {"le", le}},
            [&](int i) { return i * factor + Below(2); });
      }
    }
    Natives();
    return std::move(rows_);
  }

 private:
  int Below(int n) { return static_cast<int>(random_() % n); }

  void OfTarget(std::string_view instance, std::string_view job) {
    for (const char* code : {"200", "500"}) {
      double v = 0;
      bool reset = false;
      Add({{"__name__", "requests_total"},
           {"code", code},
           {"instance", instance},
           {"job", job}},
          [&](int) {
            reset = Below(15) == 0;
            return v = reset ? 1 : v + Below(50) / 4.0;
          });
      StartTimes(rows_.back());
    }
    double errors = 0;
    Add(
        {{"__name__", "errors_total"}, {"instance", instance}, {"job", job}},
        [&](int i) { return errors += i % 3; }, /*gaps=*/true);
    Add({{"__name__", "load"}, {"instance", instance}, {"job", job}},
        [&](int) { return (Below(2000) - 1000) / 137.0; });
    Add({{"__name__", "up"}, {"instance", instance}, {"job", job}},
        [&](int) { return Below(6) > 0 ? 1 : 0; });
    const bool first = instance == "0";
    Add({{"__name__", "build_info"},
         {"instance", instance},
         {"job", job},
         {"version", first ? "1.9" : "1.10"}},
        [](int) { return 1; });
    Add({{"__name__", "target_info"},
         {"instance", instance},
         {"job", job},
         {"zone", first ? "east" : "west"}},
        [](int) { return 1; });
  }

  template <typename F>
  void Odd(std::string_view kind, F&& value) {
    Add({{"__name__", "odd"}, {"kind", kind}}, value);
  }

  template <typename F>
  void Add(Labels labels, F&& value, bool gaps = false) {
    SeriesData row;
    row.labels = std::move(labels);
    for (int i = 0; i < kScrapes; ++i) {
      const double v = value(i);
      if (gaps && (i % 5 == 0 || (i > 12 && i < 20))) continue;
      const Timestamp t = At(i);
      row.floats.push_back({t, gaps && i == 20 ? StaleNaN() : v});
    }
    rows_.push_back(std::move(row));
  }

  Timestamp At(int i) { return Timestamp(15'000 * i + Below(3) * 7); }

  // Of all sorts: known and kept, new, delta, overlapping, unknown, wrong.
  void StartTimes(SeriesData& row) {
    int64_t start = -30'000;
    for (size_t i = 0; i < row.floats.size(); ++i) {
      const int64_t before = i > 0 ? row.floats[i - 1].t.ms : -15'000;
      const int64_t now = row.floats[i].t.ms;
      switch (Below(12)) {
        case 0:
          start = before + 1000;
          break;
        case 1:
          start = before;
          break;
        case 2:
          start = before - 5000;
          break;
        case 3:
          start = 0;
          break;
        case 4:
          start = now;
          break;
        default:
          break;
      }
      row.start_times.push_back(Timestamp(start));
    }
  }

  template <typename F>
  void AddNative(Labels labels, F&& histogram) {
    SeriesData row;
    row.labels = std::move(labels);
    for (int i = 0; i < kScrapes; ++i) {
      const Timestamp t = At(i);
      FloatHistogram h;
      if (i % 11 == 4) {
        continue;
      } else if (!histogram(i, h)) {
        row.floats.push_back({t, i * 1.5});
      } else {
        row.histograms.push_back({t, std::move(h)});
      }
    }
    rows_.push_back(std::move(row));
  }

  // Counts of a counter, each at least what `state` had.
  void Fill(FloatHistogram& h, std::vector<double>& state, int negative) {
    for (double& n : state) n += Below(4) == 0 ? 0 : Below(9) * 0.5;
    const auto split = state.begin() + negative;
    h.negative_buckets.assign(state.begin(), split);
    h.positive_buckets.assign(split, state.end());
    const uint32_t n = static_cast<uint32_t>(h.positive_buckets.size());
    // Two spans with a gap of two.
    h.positive_spans = {{-1, 2}, {2, n - 2}};
    if (negative > 0) {
      h.negative_spans = {{0, static_cast<uint32_t>(negative)}};
    }
    for (double v : state) h.count += v;
    h.count += h.zero_count;
    h.sum = h.count * 0.7 + Below(5);
  }

  void Natives() {
    for (const char* instance : {"0", "1"}) {
      for (const char* job : {"api", "web"}) {
        std::vector<double> state(6);
        const int negative = *job == 'w' ? 2 : 0;
        double zeros = 0;
        AddNative(
            {{"__name__", "size"}, {"instance", instance}, {"job", job}},
            [&](int i, FloatHistogram& h) {
              if (Below(14) == 0) {
                state.assign(6, 0);
                zeros = 0;
              }
              h.schema = *instance == '0' ? (i < 25 ? 1 : 0) : 2;
              h.zero_threshold = i < 12 ? 0.001 : *job == 'w' ? 0.3 : 0.001;
              zeros += Below(3);
              h.zero_count = zeros;
              Fill(h, state, negative);
              return true;
            });
      }
    }
    for (const char* job : {"api", "web"}) {
      std::vector<double> state(4);
      AddNative({{"__name__", "custom"}, {"job", job}},
                [&](int i, FloatHistogram& h) {
                  if (Below(14) == 0) state.assign(4, 0);
                  Bounds(h, *job == 'w' && i > 22);
                  Fill(h, state, 0);
                  h.positive_spans = {{0, 3}, {1, 1}};
                  return true;
                });
    }
    for (const char* instance : {"0", "1"}) {
      std::vector<double> state(5);
      AddNative({{"__name__", "mixed"}, {"instance", instance}},
                [&](int i, FloatHistogram& h) {
                  if (i / 6 % 2 == (*instance == '0' ? 0 : 1)) return false;
                  h.schema = 1;
                  Fill(h, state, 1);
                  return true;
                });
    }
    Strange();
  }

  static void Bounds(FloatHistogram& h, bool others) {
    h.schema = kCustomBucketsSchema;
    h.custom_values = others ? std::vector<double>{-1, 0.5, 2, 8}
                             : std::vector<double>{-1, 0.5, 1, 2, 8};
  }

  void Strange() {
    auto add = [&](std::string_view kind, auto&& shape) {
      std::vector<double> state(6);
      AddNative({{"__name__", "strange"}, {"kind", kind}},
                [&](int i, FloatHistogram& h) {
                  h.schema = 1;
                  h.zero_threshold = 0.01;
                  h.zero_count = i % 4;
                  Fill(h, state, 2);
                  return shape(i, h);
                });
    };
    add("gauge", [](int i, FloatHistogram& h) {
      h.hint = Hint::kGauge;
      for (double& n : h.positive_buckets) n /= 1 + i % 3;
      return true;
    });
    add("hints", [](int i, FloatHistogram& h) {
      h.hint = i % 9 == 0   ? Hint::kReset
               : i % 2 == 0 ? Hint::kNotReset
                            : Hint::kUnknown;
      return true;
    });
    add("nan", [](int i, FloatHistogram& h) {
      if (i % 3 == 0) {
        h.sum = std::nan("");
        h.count += 7;
      }
      return true;
    });
    add("schemas", [&](int i, FloatHistogram& h) {
      if (i % 12 < 4) {
        h = FloatHistogram();
        Bounds(h, i > 20);
        h.positive_spans = {{0, 2}, {1, 2}};
        h.positive_buckets = {1.0 + i, 2, 0, 3.5};
        h.count = 6.5 + i;
        h.sum = 2 * i;
      } else {
        h.schema = i % 4 - 1;
        h.zero_threshold = i % 5 == 0 ? 0.2 : 0.01;
      }
      return true;
    });
    add("huge", [](int i, FloatHistogram& h) {
      const double factor = i % 3 == 0 ? 4e306 : 1e305;
      for (double& n : h.positive_buckets) n *= factor;
      h.count = 1.5e308;
      h.sum = i % 2 == 0 ? -1e308 : 1.6e308;
      return true;
    });
    add("stale", [](int i, FloatHistogram& h) {
      if (i % 13 == 7) {
        h = FloatHistogram();
        h.sum = StaleNaN();
      }
      return true;
    });
    add("empty", [](int i, FloatHistogram& h) {
      if (i % 4 == 1) h = FloatHistogram();
      for (size_t k = 0; k < h.positive_buckets.size(); k += 2) {
        h.positive_buckets[k] = 0;
      }
      return true;
    });
  }

  std::mt19937 random_{5};
  std::vector<SeriesData> rows_;
};

}  // namespace

std::vector<SeriesData> Vocabulary() { return Builder().Build(); }

}  // namespace narthex::promql::naive
