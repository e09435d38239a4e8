// Quantiles of a sliding window: a sketch for each step of the window, each fed
// with everything until it is the oldest and is emptied.
//
// The sketch is that of targeted quantiles of Cormode, Korn, Muthukrishnan,
// Srivastava: "Effective computation of biased quantiles over data streams"
// (ICDE 2005): samples with the width of ranks that each stands for, as wide as
// the errors allow.

#include <algorithm>
#include <cmath>
#include <limits>

#include "narthex/instrument/metrics.h"

namespace narthex::instrument {
namespace {

constexpr size_t kBuffered = 256;

class Sketch {
 public:
  explicit Sketch(const std::vector<SummaryShape::Objective>& objectives)
      : objectives_(objectives) {}

  void Add(double v) {
    buffer_.push_back(v);
    if (buffer_.size() >= kBuffered) Merge();
  }
  void Clear() {
    buffer_.clear();
    samples_.clear();
    count_ = 0;
  }
  double Quantile(double q) {
    Merge();
    if (samples_.empty()) return std::numeric_limits<double>::quiet_NaN();
    const double wanted = std::ceil(q * count_);
    const double slack = wanted + Allowed(wanted) / 2;
    double rank = 0;
    for (size_t i = 1; i < samples_.size(); ++i) {
      rank += samples_[i - 1].width;
      if (rank + samples_[i].width + samples_[i].delta > slack) {
        return samples_[i - 1].value;
      }
    }
    return samples_.back().value;
  }

 private:
  struct Sample {
    double value = 0;
    double width = 1;  // ranks from the sample before to this one
    double delta = 0;  // by which its rank may be higher
  };

  // How many ranks a sample at `rank` may span: what the tightest objective
  // allows there.
  double Allowed(double rank) const {
    double least = std::numeric_limits<double>::max();
    for (const auto& [q, error] : objectives_) {
      const double allowed =
          rank < q * count_
              ? 2 * error * (count_ - rank) / std::max(1 - q, 1e-9)
              : 2 * error * rank / std::max(q, 1e-9);
      least = std::min(least, allowed);
    }
    return std::max(least, 1.0);
  }

  void Merge() {
    if (buffer_.empty()) return;
    std::sort(buffer_.begin(), buffer_.end());
    std::vector<Sample> merged;
    merged.reserve(samples_.size() + buffer_.size());
    double rank = 0;
    size_t next = 0;
    for (const double v : buffer_) {
      while (next < samples_.size() && samples_[next].value <= v) {
        rank += samples_[next].width;
        merged.push_back(samples_[next++]);
      }
      const bool edge = next == 0 || next == samples_.size();
      count_ += 1;
      merged.push_back({v, 1, edge ? 0 : std::floor(Allowed(rank)) - 1});
      rank += 1;
    }
    merged.insert(merged.end(),
                  samples_.begin() + static_cast<std::ptrdiff_t>(next),
                  samples_.end());
    buffer_.clear();
    samples_ = std::move(merged);
    Compress();
  }

  // Neighbours that one sample can stand for become one, from the right.
  void Compress() {
    if (samples_.size() < 3) return;
    std::vector<Sample> kept;
    double rank = count_;
    Sample last = samples_.back();
    for (size_t i = samples_.size() - 1; i-- > 0;) {
      const Sample& one = samples_[i];
      rank -= samples_[i + 1].width;
      if (i > 0 && one.width + last.width + last.delta <= Allowed(rank)) {
        last.width += one.width;
      } else {
        kept.push_back(last);
        last = one;
      }
    }
    kept.push_back(last);
    std::reverse(kept.begin(), kept.end());
    samples_ = std::move(kept);
  }

  const std::vector<SummaryShape::Objective>& objectives_;
  std::vector<double> buffer_;
  std::vector<Sample> samples_;
  double count_ = 0;
};

Summary::Shape Cleaned(Summary::Shape shape) {
  std::erase_if(shape.objectives, [](const SummaryShape::Objective& one) {
    return !(one.quantile >= 0 && one.quantile <= 1 && one.error >= 0);
  });
  std::sort(
      shape.objectives.begin(), shape.objectives.end(),
      [](const auto& a, const auto& b) { return a.quantile < b.quantile; });
  shape.age_buckets = std::clamp<size_t>(shape.age_buckets, 1, 100);
  shape.max_age.ms = std::max<int64_t>(shape.max_age.ms, 1);
  return shape;
}

}  // namespace

struct Summary::Window {
  Window(const Shape& shape, Timestamp now)
      : step(std::max<int64_t>(
            shape.max_age.ms / static_cast<int64_t>(shape.age_buckets), 1)),
        next_turn(now + step) {
    for (size_t i = 0; i < shape.age_buckets; ++i) {
      sketches.emplace_back(shape.objectives);
    }
  }
  // Empties what has become too old.
  void Turn(Timestamp now) {
    for (size_t turns = 0; next_turn <= now; ++turns) {
      if (turns == sketches.size()) {
        next_turn = now + step;  // all are empty
        break;
      }
      sketches[oldest].Clear();
      oldest = (oldest + 1) % sketches.size();
      next_turn = next_turn + step;
    }
  }

  const Duration step;
  Timestamp next_turn;
  size_t oldest = 0;  // holds all of the window
  std::vector<Sketch> sketches;
};

Summary::Summary(Clock* clock, const Shape& shape, size_t)
    : MetricBase(clock),
      shape_(Cleaned(shape)),
      window_(std::make_unique<Window>(shape_, created())) {}
Summary::~Summary() = default;

void Summary::Observe(double v) {
  {
    absl::MutexLock lock(&mu_);
    ++count_;
    sum_ += v;
    if (!shape_.objectives.empty() && !std::isnan(v)) {
      window_->Turn(clock_->Now());
      for (Sketch& sketch : window_->sketches) sketch.Add(v);
    }
  }
  Touch();
}

void Summary::Fill(Metric& out) const {
  absl::MutexLock lock(&mu_);
  out.count = count_;
  out.sum = sum_;
  out.created = created();
  if (shape_.objectives.empty()) return;
  window_->Turn(clock_->Now());
  Sketch& all = window_->sketches[window_->oldest];
  for (const auto& objective : shape_.objectives) {
    out.quantiles.push_back(
        {objective.quantile, all.Quantile(objective.quantile)});
  }
}

}  // namespace narthex::instrument
