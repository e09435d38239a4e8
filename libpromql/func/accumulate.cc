#include "libpromql/func/accumulate.h"

#include <algorithm>
#include <cmath>

#include "libpromql/func/kahan.h"

namespace narthex::promql {
namespace {

// State is an array of lanes per group; LaneOp says what one value does to its
// lane.  Words that are full are a loop of 64 without branches on presence.
template <typename Lanes>
class LaneAccumulator final : public Accumulator {
 public:
  LaneAccumulator(size_t groups, size_t steps)
      : steps_(steps),
        words_((steps + 63) / 64),
        present_(groups * words_, 0),
        lanes_(groups * words_ * 64) {}

  void Add(size_t group, const double* values, const uint64_t* present,
           size_t begin_word, size_t end_word) override {
    for (size_t w = begin_word; w < end_word; ++w) {
      uint64_t word = present[w];
      if (word == 0) continue;
      present_[group * words_ + w] |= word;
      const size_t base = (group * words_ + w) * 64;
      const double* const v = values + w * 64;
      if (word == ~uint64_t{0}) {
        lanes_.AddFull(base, v);
        continue;
      }
      for (; word != 0; word &= word - 1) {
        const size_t lane = static_cast<size_t>(__builtin_ctzll(word));
        lanes_.AddOne(base + lane, v[lane]);
      }
    }
  }

  const uint64_t* present(size_t group) const override {
    return present_.data() + group * words_;
  }

  void Finish(size_t group, double* values, uint64_t* present) override {
    std::copy_n(present_.data() + group * words_, words_, present);
    for (size_t k = 0; k < steps_; ++k) {
      values[k] = lanes_.Result(group * words_ * 64 + k);
    }
  }

  size_t doubles() const override { return Lanes::kDoubles; }

 private:
  const size_t steps_;
  const size_t words_;
  std::vector<uint64_t> present_;
  Lanes lanes_;
};

// -0 as the start makes the first addition exact whatever the sign of its zero.
struct SumLanes {
  static constexpr size_t kDoubles = 2;
  explicit SumLanes(size_t n) : sum(n, -0.0), c(n, 0.0) {}

  void AddFull(size_t base, const double* v) {
    double* const s = sum.data() + base;
    double* const e = c.data() + base;
    for (size_t i = 0; i < 64; ++i) {
      const double x = v[i];
      const double t = s[i] + x;
      const bool big = std::fabs(s[i]) >= std::fabs(x);
      const double first = big ? s[i] : x;
      const double second = big ? x : s[i];
      const double correction = (first - t) + second;
      // Not finite: NaN keeps its correction, which is NaN as well.
      const bool infinite = std::fabs(t) > 1.7976931348623157e308;
      e[i] = infinite ? 0.0 : e[i] + correction;
      s[i] = t;
    }
  }
  void AddOne(size_t lane, double x) {
    KahanSum k{sum[lane], c[lane]};
    k.Add(x);
    sum[lane] = k.sum;
    c[lane] = k.c;
  }
  double Result(size_t lane) const { return sum[lane] + c[lane]; }

  std::vector<double> sum, c;
};

struct AvgLanes {
  static constexpr size_t kDoubles = 6;
  explicit AvgLanes(size_t n) : mean(n) {}
  void AddFull(size_t base, const double* v) {
    for (size_t i = 0; i < 64; ++i) mean[base + i].Add(v[i]);
  }
  void AddOne(size_t lane, double x) { mean[lane].Add(x); }
  double Result(size_t lane) const { return mean[lane].Mean(); }

  std::vector<KahanMean> mean;
};

// NaN gives way to any later value.
template <bool kMax>
struct ExtremeLanes {
  static constexpr size_t kDoubles = 1;
  explicit ExtremeLanes(size_t n) : best(n, std::nan("")) {}
  void AddFull(size_t base, const double* v) {
    for (size_t i = 0; i < 64; ++i) AddOne(base + i, v[i]);
  }
  void AddOne(size_t lane, double x) {
    const double b = best[lane];
    const bool replace = (kMax ? b < x : b > x) || b != b;
    best[lane] = replace ? x : b;
  }
  double Result(size_t lane) const { return best[lane]; }

  std::vector<double> best;
};

struct CountLanes {
  static constexpr size_t kDoubles = 1;
  explicit CountLanes(size_t n) : count(n, 0.0) {}
  void AddFull(size_t base, const double*) {
    for (size_t i = 0; i < 64; ++i) count[base + i] += 1;
  }
  void AddOne(size_t lane, double) { count[lane] += 1; }
  double Result(size_t lane) const { return count[lane]; }

  std::vector<double> count;
};

struct GroupLanes {
  static constexpr size_t kDoubles = 0;
  explicit GroupLanes(size_t) {}
  void AddFull(size_t, const double*) {}
  void AddOne(size_t, double) {}
  double Result(size_t) const { return 1; }
};

// Welford without compensation, as Prometheus has it.
template <bool kRoot>
struct VarianceLanes {
  static constexpr size_t kDoubles = 3;
  explicit VarianceLanes(size_t n) : count(n, 0.0), mean(n, 0.0), m2(n, 0.0) {}
  void AddFull(size_t base, const double* v) {
    for (size_t i = 0; i < 64; ++i) AddOne(base + i, v[i]);
  }
  void AddOne(size_t lane, double x) {
    count[lane] += 1;
    const double delta = x - mean[lane];
    mean[lane] += delta / count[lane];
    m2[lane] += delta * (x - mean[lane]);
  }
  double Result(size_t lane) const {
    const double variance = m2[lane] / count[lane];
    return kRoot ? std::sqrt(variance) : variance;
  }

  std::vector<double> count, mean, m2;
};

}  // namespace

std::unique_ptr<Accumulator> NewAccumulator(AggregateOp op, size_t groups,
                                            size_t steps) {
  switch (op) {
    case AggregateOp::kAvg:
      return std::make_unique<LaneAccumulator<AvgLanes>>(groups, steps);
    case AggregateOp::kMin:
      return std::make_unique<LaneAccumulator<ExtremeLanes<false>>>(groups,
                                                                    steps);
    case AggregateOp::kMax:
      return std::make_unique<LaneAccumulator<ExtremeLanes<true>>>(groups,
                                                                   steps);
    case AggregateOp::kCount:
      return std::make_unique<LaneAccumulator<CountLanes>>(groups, steps);
    case AggregateOp::kGroup:
      return std::make_unique<LaneAccumulator<GroupLanes>>(groups, steps);
    case AggregateOp::kStddev:
      return std::make_unique<LaneAccumulator<VarianceLanes<true>>>(groups,
                                                                    steps);
    case AggregateOp::kStdvar:
      return std::make_unique<LaneAccumulator<VarianceLanes<false>>>(groups,
                                                                     steps);
    default:
      return std::make_unique<LaneAccumulator<SumLanes>>(groups, steps);
  }
}

}  // namespace narthex::promql
