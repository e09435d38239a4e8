#include "tools/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "narthex/base/status.h"
#include "tools/tool.h"

namespace narthex::tools {
namespace {

constexpr int kDotsAcross = 2;  // of a braille cell
constexpr int kDotsDown = 4;
constexpr size_t kMaxLegend = 12;
// Colours that are told apart on light and dark ground.
constexpr std::array<const char*, 6> kStyles = {"36", "33", "35",
                                                "32", "31", "34"};

// Beyond it, differences of two numbers overflow: drawn as if it were that.
constexpr double kHuge = 1e307;
double Drawn(double v) { return std::clamp(v, -kHuge, kHuge); }

// "1.5k", "2.25M", "0.003": four digits at most, so that axes stay narrow.
std::string ShortNumber(double v) {
  static constexpr const char* kUnits[] = {"", "k", "M", "G", "T", "P"};
  double size = std::fabs(v);
  size_t unit = 0;
  while (size >= 10000 && unit + 1 < std::size(kUnits)) {
    size /= 1000;
    v /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", v);
  return StrCat(std::string(text), std::string(kUnits[unit]));
}

// 1, 2 or 5 times a power of ten, at least `step`.
double NiceStep(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

struct Scale {
  double low = 0, high = 1, step = 1;
};

Scale MakeScale(const promql::Matrix& matrix, int height) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const promql::MatrixSeries& series : matrix) {
    for (const Sample& sample : series.floats) {
      if (!std::isfinite(sample.v)) continue;
      low = std::min(low, Drawn(sample.v));
      high = std::max(high, Drawn(sample.v));
    }
  }
  if (low > high) return {};
  // What is near zero is seen from zero.
  if (low > 0 && low < high / 2) low = 0;
  if (high < 0 && high > low / 2) high = 0;
  if (high - low < std::max(std::fabs(high), 1e-300) * 1e-9) {
    const double room = low == 0 ? 1 : std::fabs(low) * 0.1;
    low -= low == 0 ? 0 : room;
    high += room;
  }
  Scale scale;
  scale.step = NiceStep((high - low) / std::max(1, height / 3));
  scale.low = std::floor(low / scale.step + 1e-9) * scale.step;
  scale.high = std::ceil(high / scale.step - 1e-9) * scale.step;
  return scale;
}

// Cells of the picture; each knows the series that was drawn last.
class Canvas {
 public:
  Canvas(int columns, int rows)
      : columns_(columns),
        rows_(rows),
        cells_(static_cast<size_t>(columns * rows)) {}

  int dots_across() const { return columns_ * kDotsAcross; }
  int dots_down() const { return rows_ * kDotsDown; }

  void Dot(int x, int y, int series) {
    if (x < 0 || y < 0 || x >= dots_across() || y >= dots_down()) return;
    Cell& cell = At(x / kDotsAcross, y / kDotsDown);
    static constexpr unsigned char kBits[kDotsDown][kDotsAcross] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    cell.dots |= kBits[y % kDotsDown][x % kDotsAcross];
    cell.series = series;
  }
  void Line(int x0, int y0, int x1, int y1, int series) {
    const int n = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int64_t i = 0; i <= n; ++i) {  // 64 bits: pictures may be very wide
      Dot(x0 + static_cast<int>((x1 - x0) * i / n),
          y0 + static_cast<int>((y1 - y0) * i / n), series);
    }
  }

  std::string Row(int row, bool colors, bool letters) const {
    std::string out, run;  // `run` is of one colour
    size_t run_series = 0;
    auto end_run = [&] {
      if (run.empty()) return;
      out += Paint(run, kStyles[run_series % kStyles.size()], colors);
      run.clear();
    };
    for (int column = 0; column < columns_; ++column) {
      const Cell& cell = cells_[static_cast<size_t>(row * columns_ + column)];
      const auto series = static_cast<size_t>(cell.series);
      if (cell.dots == 0) {
        end_run();
        out.push_back(' ');
        continue;
      }
      if (series != run_series) end_run();
      run_series = series;
      if (letters) {
        run.push_back(static_cast<char>('a' + series % 26));
      } else {
        run += {'\xe2', static_cast<char>(0xa0 | cell.dots >> 6),
                static_cast<char>(0x80 | (cell.dots & 0x3f))};
      }
    }
    end_run();
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
  }

 private:
  struct Cell {
    unsigned char dots = 0;
    int series = 0;
  };
  Cell& At(int column, int row) {
    return cells_[static_cast<size_t>(row * columns_ + column)];
  }

  const int columns_;
  const int rows_;
  std::vector<Cell> cells_;
};

void Draw(const promql::Matrix& matrix, TimeRange range, const Scale& scale,
          Canvas& canvas) {
  const double span =
      std::max(1.0, static_cast<double>((range.max - range.min).ms));
  for (size_t i = matrix.size(); i-- > 0;) {  // the first one on top
    const auto series = static_cast<int>(i);
    bool before = false;
    int last_x = 0, last_y = 0;
    Timestamp last_t = 0;
    // A gap of more than two usual steps is no line.
    const auto& floats = matrix[i].floats;
    int64_t step = std::numeric_limits<int64_t>::max();
    for (size_t k = 1; k < floats.size(); ++k) {
      step = std::min(step, (floats[k].t - floats[k - 1].t).ms);
    }
    for (const Sample& sample : floats) {
      if (!std::isfinite(sample.v) || sample.t < range.min ||
          sample.t > range.max) {
        before = false;
        continue;
      }
      const double across =
          static_cast<double>((sample.t - range.min).ms) / span;
      const double up =
          (Drawn(sample.v) - scale.low) / (scale.high - scale.low);
      const int x =
          static_cast<int>(std::lround(across * (canvas.dots_across() - 1)));
      const int y =
          static_cast<int>(std::lround((1 - up) * (canvas.dots_down() - 1)));
      if (before && (sample.t - last_t).ms / 2 <= step) {
        canvas.Line(last_x, last_y, x, y, series);
      } else {
        canvas.Dot(x, y, series);
      }
      before = true;
      last_x = x;
      last_y = y;
      last_t = sample.t;
    }
  }
}

// "12:23:53", or "11-20 12:23" if more than a day is shown.
std::string TimeLabel(Timestamp t, TimeRange range) {
  const std::string text = FormatRfc3339(t.ms / 1000 * 1000);
  if (text.size() < 19) return text;
  if ((range.max - range.min) > Days(1)) {
    return StrCat(text.substr(5, 5), " ", text.substr(11, 5));
  }
  return text.substr(11, 8);
}

std::string TimeAxis(TimeRange range, int columns) {
  std::string line;
  const size_t width = TimeLabel(range.min, range).size();
  const int labels = std::clamp(columns / static_cast<int>(width + 6), 2, 6);
  for (int i = 0; i < labels; ++i) {
    const Timestamp t = range.min + (range.max - range.min) * i / (labels - 1);
    const std::string label = TimeLabel(t, range);
    // The first stands at the left, the last at the right, the others centred.
    size_t at = static_cast<size_t>((columns - 1) * i / (labels - 1));
    at = i == 0 ? 0 : i == labels - 1 ? at + 1 - width : at - width / 2;
    if (line.size() < at) line.append(at - line.size(), ' ');
    line += label;
  }
  return line;
}

std::string Legend(const promql::Matrix& matrix, const PlotOptions& options,
                   bool letters) {
  std::string out;
  for (size_t i = 0; i < std::min(matrix.size(), kMaxLegend); ++i) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    double last = std::numeric_limits<double>::quiet_NaN();
    for (const Sample& sample : matrix[i].floats) {
      if (!std::isfinite(sample.v)) continue;
      low = std::min(low, sample.v);
      high = std::max(high, sample.v);
      last = sample.v;
    }
    const std::string mark =
        letters ? std::string(1, static_cast<char>('a' + i % 26)) : "━━";
    StrAppend(&out, "  ",
              Paint(mark, kStyles[i % kStyles.size()], options.colors), " ",
              matrix[i].labels.ToMetricString());
    if (low <= high) {
      StrAppend(&out,
                Paint(StrCat("  min ", ShortNumber(low), "  max ",
                             ShortNumber(high), "  last ", ShortNumber(last)),
                      "2", options.colors));
    }
    out += "\n";
  }
  if (matrix.size() > kMaxLegend) {
    StrAppend(&out, "  and ", matrix.size() - kMaxLegend, " more\n");
  }
  return out;
}

}  // namespace

std::string Plot(const promql::Matrix& matrix, TimeRange range,
                 const PlotOptions& options) {
  if (matrix.empty()) return "no data\n";
  const Scale scale = MakeScale(matrix, options.height);
  const bool letters = !options.colors && matrix.size() > 1;

  // Labels stand at every step, on the row that is nearest.
  std::vector<std::string> marks(static_cast<size_t>(options.height));
  size_t gutter = 0;
  const int steps =
      static_cast<int>(std::lround((scale.high - scale.low) / scale.step));
  for (int i = 0; i <= steps; ++i) {
    const double v = scale.low + scale.step * i;
    const double up = (v - scale.low) / (scale.high - scale.low);
    const auto row =
        static_cast<size_t>(std::lround((1 - up) * (options.height - 1)));
    // Steps are round; what differs from zero by rounding alone is zero.
    marks[row] = ShortNumber(std::fabs(v) < scale.step / 2 ? 0 : v);
    gutter = std::max(gutter, marks[row].size());
  }

  const int columns =
      std::max(20, options.width - static_cast<int>(gutter) - 3);
  Canvas canvas(columns, options.height);
  Draw(matrix, range, scale, canvas);

  std::string out;
  for (int row = 0; row < options.height; ++row) {
    const std::string& mark = marks[static_cast<size_t>(row)];
    StrAppend(&out, std::string(gutter - mark.size() + 1, ' '), mark,
              mark.empty() ? "│" : "┤",
              canvas.Row(row, options.colors, letters), "\n");
  }
  const std::string indent(gutter + 1, ' ');
  out += indent + "└";
  for (int i = 0; i < columns; ++i) out += "─";
  StrAppend(&out, "\n", indent, " ", TimeAxis(range, columns), "\n",
            Legend(matrix, options, letters));
  return out;
}

}  // namespace narthex::tools
