// rate, increase and delta, plain, anchored and smoothed; irate, idelta, resets
// and changes: promql.md 1.8, of floats and of histograms.

#include <algorithm>
#include <cmath>

#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

using Hint = Hist::Hint;

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

// Whether `now`'s start time says that it began anew after `before`.
bool StartedAnew(const Point& before, const Point& now) {
  if (now.start == 0 || now.start >= now.t) return false;
  if (now.start != before.t) return now.start > before.t;
  return before.start != 0 && before.start < before.t;
}

bool Overlaps(const Point& before, const Point& now) {
  return now.start != 0 && now.start < before.t && now.start != before.start;
}

bool ResetBetween(const Point& before, const Point& now) {
  if (StartedAnew(before, now)) return true;
  return now.h != nullptr ? now.h->ResetSince(*before.h) : now.v < before.v;
}

size_t HistogramsOf(const Window& window) {
  return static_cast<size_t>(
      std::count_if(window.points.begin(), window.points.end(),
                    [](const Point& p) { return p.h != nullptr; }));
}

double ValueAt(const Point& a, const Point& b, int64_t t, bool counter) {
  const double from = counter && b.v < a.v ? 0 : a.v;
  return from + (b.v - from) * static_cast<double>(t - a.t) /
                    static_cast<double>(b.t - a.t);
}

// Which points an extended window is measured from and to.
struct Ends {
  size_t first = 0, last = 0;
};
std::optional<Ends> EndsOf(const Window& w) {
  const std::vector<Point>& p = w.points;
  Ends out;
  out.last = p.size() - 1;
  // The last one at or before the begin, else the first; the very last one only
  // if it is alone.
  for (size_t i = 0; i + 1 < p.size(); ++i) {
    if (p[i].t <= w.begin()) out.first = i;
  }
  if (w.smoothed) {
    for (size_t i = 0; i < p.size(); ++i) {
      out.last = i;
      if (p[i].t >= w.end) break;
    }
  }
  if (p[out.last].t <= w.begin()) return std::nullopt;
  if (w.smoothed && p[out.first].t > w.end) return std::nullopt;
  return out;
}

}  // namespace

// Adds or subtracts, and tells what there is to tell; false: they don't fit.
bool Evaluator::AddNoted(bool subtract, Hist& to, const Hist& other,
                         const std::string& name, TextRange at) {
  const Meeting met = subtract ? Subtract(to, other) : Add(to, other);
  if (met.incompatible) notes_.Warn(MixedSchemas(name), at);
  if (met.reconciled) {
    notes_.Info(Reconciled(subtract ? "subtraction" : "addition"), at);
  }
  return !met.incompatible;
}

HistPtr Evaluator::Interpolated(const Point& a, const Point& b, int64_t t,
                                bool counter, const std::string& name,
                                TextRange at) {
  if (t == a.t) return a.h;
  if (t == b.t) return b.h;
  const double fraction =
      static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t);
  Hist h = *b.h;
  if (counter && b.h->ResetSince(*a.h)) {
    h.Scale(fraction);
  } else {
    if (!AddNoted(true, h, *a.h, name, at)) return nullptr;
    h.Scale(fraction);
    if (!AddNoted(false, h, *a.h, name, at)) return nullptr;
  }
  return std::make_shared<const Hist>(std::move(h));
}

HistPtr Evaluator::HistogramDifference(const Window& window, bool counter,
                                       TextRange at) {
  const std::vector<Point>& p = window.points;
  const std::string name = window.name();
  // A misfit found later takes back what was told before it.
  const Notes before_all = notes_;
  auto misfit = [&]() -> HistPtr {
    notes_ = before_all;
    notes_.Warn(MixedSchemas(name), at);
    return nullptr;
  };
  const Hist& last = *p.back().h;
  Hist first = *p.front().h;
  bool gauge = p.front().h->hint == Hint::kGauge || last.hint == Hint::kGauge;
  if (counter && gauge) notes_.Warn(NoCounter(name), at);
  if (counter && ResetBetween(p[0], p[1])) {
    first = Hist();
    first.schema = p[1].h->schema;
    first.bounds = p[1].h->bounds;
  }
  if (last.custom() != first.custom()) {
    notes_.Warn(MixedSchemas(name), at);
    return nullptr;
  }
  int32_t schema = std::min(last.schema, first.schema);
  for (size_t i = 1; counter && i + 1 < p.size(); ++i) {
    if (p[i].h->hint == Hint::kGauge) notes_.Warn(NoCounter(name), at);
    schema = std::min(schema, p[i].h->schema);
    if (p[i].h->custom() != first.custom()) return misfit();
  }
  Hist h = last.Coarser(schema);
  if (!AddNoted(true, h, first, name, at)) return misfit();
  if (counter) {
    bool overlap = false;
    for (size_t i = 1; i < p.size(); ++i) {
      if (!overlap && Overlaps(p[i - 1], p[i])) {
        notes_.Overlap(name, at);
        overlap = true;
      }
      const Hist& before = i == 1 ? first : *p[i - 1].h;
      if (!StartedAnew(p[i - 1], p[i]) && !p[i].h->ResetSince(before)) continue;
      if (!AddNoted(false, h, before, name, at)) return misfit();
    }
  } else if (p.front().h->hint != Hint::kGauge || last.hint != Hint::kGauge) {
    notes_.Warn(NoGauge(name), at);
  }
  h.hint = Hint::kGauge;
  h.Compact();
  return std::make_shared<const Hist>(std::move(h));
}

std::optional<Element> Evaluator::Rate(std::string_view name,
                                       const Window& window, TextRange at) {
  Window w = window;
  const size_t histograms = HistogramsOf(w);
  if (histograms > 0 && histograms < w.points.size()) {
    notes_.Warn(MixedFloats(w.name()), at);
    return std::nullopt;
  }
  if (!options_.start_timestamps || w.anchored || w.smoothed) {
    for (Point& p : w.points) p.start = 0;
  }
  if (w.anchored || w.smoothed) return ExtendedRate(name, w, at);
  const std::vector<Point>& p = w.points;
  const bool counter = name != "delta";
  double d = p.back().v - p.front().v;
  HistPtr h;
  if (histograms > 1) {
    h = HistogramDifference(w, counter, at);
    if (h == nullptr) return std::nullopt;
  } else if (histograms == 0 && counter) {
    bool overlap = false;
    for (size_t i = 1; i < p.size(); ++i) {
      if (!overlap && Overlaps(p[i - 1], p[i])) {
        notes_.Overlap(w.name(), at);
        overlap = true;
      }
      if (ResetBetween(p[i - 1], p[i])) d += p[i - 1].v;
    }
  }
  double to_start = Seconds(p.front().t - w.begin());
  double to_end = Seconds(w.end - p.back().t);
  double sampled = Seconds(p.back().t - p.front().t);
  const double average =
      p.size() > 1 ? sampled / static_cast<double>(p.size() - 1) : 0;
  const double threshold = average * 1.1;
  const int64_t start = p.front().start;
  if (counter && start != 0 && start > w.begin() && start < p.front().t) {
    to_start = 0;
    sampled = Seconds(p.back().t - start);
    if (histograms == 0) {
      d += p.front().v;
    } else if (h == nullptr) {
      h = p.front().h;
    } else {
      Hist sum = *h;
      if (!AddNoted(false, sum, *p.front().h, w.name(), at)) {
        return std::nullopt;
      }
      h = std::make_shared<const Hist>(std::move(sum));
    }
  } else if (p.size() < 2) {
    return std::nullopt;
  } else {
    if (to_start >= threshold) to_start = average / 2;
    if (counter) {
      const double from = h != nullptr ? p.front().h->count : p.front().v;
      const double grown = h != nullptr ? h->count : d;
      double to_zero = to_start;
      if (grown > 0 && from >= 0) to_zero = sampled * (from / grown);
      if (to_zero < to_start) to_start = to_zero;
    }
  }
  if (to_end >= threshold) to_end = average / 2;
  double factor = 1;
  if (sampled != 0) factor = (sampled + to_start + to_end) / sampled;
  if (name == "rate") factor /= Seconds(w.range);
  Element out;
  if (h != nullptr) {
    Hist scaled = *h;
    scaled.Scale(factor);
    out.h = std::make_shared<const Hist>(std::move(scaled));
  } else {
    out.v = d * factor;
  }
  return out;
}

HistPtr Evaluator::ExtendedDifference(const Window& w, bool counter,
                                      TextRange at) {
  const std::optional<Ends> ends = EndsOf(w);
  if (!ends.has_value()) return nullptr;
  const std::vector<Point>& p = w.points;
  const std::string name = w.name();
  const auto [first, last] = *ends;
  for (size_t i = first; i <= last; ++i) {
    if (p[i].h->custom() != p[first].h->custom()) {
      notes_.Warn(MixedSchemas(name), at);
      return nullptr;
    }
    if (counter && p[i].h->hint == Hint::kGauge) {
      notes_.Warn(NoCounter(name), at);
    }
  }
  HistPtr left = p[first].h, right = p[last].h;
  const bool before = w.smoothed && p[first].t < w.begin();
  if (before) {
    left = Interpolated(p[first], p[first + 1], w.begin(), counter, name, at);
  }
  if (w.smoothed && last > 0 && p[last].t > w.end) {
    right = Interpolated(p[last - 1], p[last], w.end, counter, name, at);
  }
  if (left == nullptr || right == nullptr) return nullptr;
  if (!counter && (left->hint != Hint::kGauge || right->hint != Hint::kGauge)) {
    notes_.Warn(NoGauge(name), at);
  }
  Hist out = *right;
  if (!AddNoted(true, out, *left, name, at)) return nullptr;
  if (counter) {
    // What each reset took away, all added up, then added.
    std::optional<Hist> correction;
    auto correct = [&](const Hist& lost) {
      if (correction.has_value()) {
        return AddNoted(false, *correction, lost, name, at);
      }
      correction = lost;
      return true;
    };
    const Hist* previous = left.get();
    size_t i = first + 1;
    // Interpolation has accounted for a reset that lies in its way.
    if (before && p[first + 1].h->ResetSince(*p[first].h)) {
      previous = p[first + 1].h.get();
      ++i;
    }
    if (i <= last) {
      for (; i < last; ++i) {
        if (p[i].h->ResetSince(*previous) && !correct(*previous))
          return nullptr;
        previous = p[i].h.get();
      }
      if (right->ResetSince(*previous) && !correct(*previous)) return nullptr;
    }
    if (correction.has_value() &&
        !AddNoted(false, out, *correction, name, at)) {
      return nullptr;
    }
  }
  return std::make_shared<const Hist>(std::move(out));
}

std::optional<Element> Evaluator::ExtendedRate(std::string_view name,
                                               const Window& w, TextRange at) {
  const bool counter = name != "delta";
  const std::vector<Point>& p = w.points;
  Element out;
  if (p.front().h != nullptr) {
    const HistPtr difference = ExtendedDifference(w, counter, at);
    if (difference == nullptr) return std::nullopt;
    Hist h = *difference;
    if (name == "rate") h.Divide(Seconds(w.range));
    h.hint = Hint::kGauge;
    h.Compact();
    out.h = std::make_shared<const Hist>(std::move(h));
    return out;
  }
  const std::optional<Ends> ends = EndsOf(w);
  if (!ends.has_value()) return std::nullopt;
  const auto [first, last] = *ends;
  double left = p[first].v, right = p[last].v;
  if (w.smoothed && p[first].t < w.begin()) {
    left = ValueAt(p[first], p[first + 1], w.begin(), counter);
  }
  if (w.smoothed && last > 0 && p[last].t > w.end) {
    right = ValueAt(p[last - 1], p[last], w.end, counter);
  }
  out.v = right - left;
  if (counter) {
    double correction = 0, previous = left;
    for (size_t i = first; i <= last; ++i) {
      if (i == first && p[i].t <= w.begin()) continue;
      if (i == last && p[i].t >= w.end) continue;
      if (p[i].v < previous) correction += previous;
      previous = p[i].v;
    }
    if (right < previous) correction += previous;
    out.v += correction;
  }
  if (name == "rate") out.v /= Seconds(w.range);
  return out;
}

std::optional<Element> Evaluator::LastTwo(bool rate, const Window& window,
                                          TextRange at) {
  if (window.points.size() < 2) return std::nullopt;
  Point before = window.points[window.points.size() - 2];
  Point last = window.points.back();
  if (!options_.start_timestamps) before.start = last.start = 0;
  if (before.t == last.t) return std::nullopt;
  const std::string name = window.name();
  const double seconds = static_cast<double>(last.t - before.t) / 1000;
  if ((before.h == nullptr) != (last.h == nullptr)) {
    notes_.Warn(MixedFloats(name), at);
    return std::nullopt;
  }
  Element out;
  if (last.h == nullptr) {
    out.v = rate && ResetBetween(before, last) ? last.v : last.v - before.v;
    if (rate) out.v /= seconds;
    return out;
  }
  const bool gauges =
      last.h->hint == Hint::kGauge && before.h->hint == Hint::kGauge;
  const bool any_gauge =
      last.h->hint == Hint::kGauge || before.h->hint == Hint::kGauge;
  if (rate && any_gauge) notes_.Warn(NoCounter(name), at);
  if (!rate && !gauges) notes_.Warn(NoGauge(name), at);
  Hist h = *last.h;
  if (!rate || !ResetBetween(before, last)) {
    if (!AddNoted(true, h, *before.h, name, at)) return std::nullopt;
  }
  h.hint = Hint::kGauge;
  h.Compact();
  if (rate) h.Divide(seconds);
  out.h = std::make_shared<const Hist>(std::move(h));
  return out;
}

// resets() and changes().
std::optional<double> Evaluator::Walk(bool resets, const Window& window) {
  std::vector<Point> p = window.points;
  if (window.anchored) {
    if (p.back().t <= window.begin()) return std::nullopt;
    // One anchor: the newest at or before the begin.
    while (p.size() > 1 && p[1].t <= window.begin()) p.erase(p.begin());
  }
  if (!options_.start_timestamps) {
    for (Point& point : p) point.start = 0;
  }
  double n = 0;
  for (size_t i = 1; i < p.size(); ++i) {
    const Point &a = p[i - 1], &b = p[i];
    if ((a.h == nullptr) != (b.h == nullptr)) {
      n += 1;
    } else if (resets) {
      n += ResetBetween(a, b);
    } else if (a.h != nullptr) {
      n += !SameHist(*a.h, *b.h);
    } else {
      n += a.v != b.v && !(std::isnan(a.v) && std::isnan(b.v));
    }
  }
  return n;
}

}  // namespace narthex::promql::naive
