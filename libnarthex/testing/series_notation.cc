#include "libnarthex/testing/series_notation.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "narthex/base/status.h"
#include "narthex/promql/parser.h"

namespace narthex::testing {
namespace {

constexpr std::string_view kBlank = " \t";
constexpr std::string_view kMark = "@st";

// Milliseconds from a sample's time to its start time; nothing: no start time.
using Offsets = std::vector<std::optional<int64_t>>;

std::string_view NextWord(std::string_view& rest) {
  const size_t begin = rest.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  const size_t end = std::min(rest.find_first_of(kBlank, begin), rest.size());
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

bool ReadCount(std::string_view text, uint64_t& out) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, out);
  return result.ec == std::errc() && result.ptr == end &&
         out < promql::kMaxSeriesValues;
}

// `-1m`, `30s`: a sign, digits and a unit at the beginning of `text`.
absl::StatusOr<int64_t> EatDuration(std::string_view& text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const size_t digits =
      std::min(text.find_first_not_of("0123456789"), text.size());
  const size_t end =
      std::min(text.find_first_not_of("mshdwy", digits), text.size());
  NARTHEX_ASSIGN_OR_RETURN(const Duration duration,
                           ParseDuration(text.substr(0, end)));
  text.remove_prefix(end);
  return negative ? -duration.ms : duration.ms;
}

// `_`, `_x3`, `-1m`, `-1mx3`, `-1m+10sx3`
absl::Status ReadOffset(std::string_view item, Offsets& out) {
  uint64_t n = 0;
  if (item[0] == '_') {
    if (item == "_") {
      n = 1;
    } else if (item[1] != 'x' || !ReadCount(item.substr(2), n) || n == 0) {
      return InvalidArgument("invalid repeat count");
    }
    out.insert(out.end(), n, std::nullopt);
    return absl::OkStatus();
  }
  std::string_view rest = item;
  NARTHEX_ASSIGN_OR_RETURN(int64_t offset, EatDuration(rest));
  int64_t delta = 0;
  if (!rest.empty() && rest[0] != 'x') {
    if (rest[0] != '+' && rest[0] != '-') {
      return InvalidArgument(StrCat("unexpected character '", rest.substr(0, 1),
                                    "' after duration"));
    }
    NARTHEX_ASSIGN_OR_RETURN(delta, EatDuration(rest));
    if (rest.empty() || rest[0] != 'x') {
      return InvalidArgument("expected 'x<count>' after step duration");
    }
  }
  if (!rest.empty() && !ReadCount(rest.substr(1), n)) {
    return InvalidArgument("invalid repeat count");
  }
  for (uint64_t i = 0; i <= n; ++i) {
    out.push_back(offset);
    offset = SaturatingAdd(offset, delta);
  }
  return absl::OkStatus();
}

struct StartLine {
  Labels labels = {};
  Offsets offsets = {};
  int line = 0;
};

absl::StatusOr<StartLine> ReadStartLine(std::string_view metric,
                                        std::string_view items, int line) {
  auto labels = promql::ParseMetric(metric);
  if (!labels.ok()) {
    return InvalidArgument(StrCat("invalid @st line metric \"", metric,
                                  "\": ", Message(labels.status())));
  }
  StartLine start = {*std::move(labels), {}, line};
  for (std::string_view item = NextWord(items); !item.empty();
       item = NextWord(items)) {
    if (absl::Status status = ReadOffset(item, start.offsets); !status.ok()) {
      return InvalidArgument(StrCat("invalid @st sequence: invalid ST item \"",
                                    item, "\": ", Message(status)));
    }
  }
  return start;
}

SeriesData ToSamples(promql::SeriesDescription series, const Offsets& offsets,
                     Duration step) {
  SeriesData data;
  data.labels = std::move(series.labels);
  Timestamp t = 0;
  for (size_t i = 0; i < series.values.size(); ++i, t = t + step) {
    const promql::SeriesValue& value = series.values[i];
    if (value.omitted) continue;
    const bool is_histogram = value.histogram != nullptr;
    if (is_histogram) {
      data.histograms.emplace_back(t, *value.histogram);
    } else {
      data.floats.push_back({t, value.value});
    }
    if (offsets.empty()) continue;
    (is_histogram ? data.histogram_start_times : data.start_times)
        .push_back(offsets[i] ? t + Duration(*offsets[i]) : Timestamp(0));
  }
  return data;
}

absl::Status At(int line, const absl::Status& status) {
  return Annotate(status, StrCat("line ", line));
}

}  // namespace

absl::StatusOr<std::vector<SeriesData>> ReadSeries(
    const std::vector<std::string_view>& lines, Duration step, int first_line) {
  std::vector<SeriesData> out;
  std::optional<StartLine> start;
  auto dangling = [&] {
    return At(start->line,
              InvalidArgument("@st line has no following sample line"));
  };
  for (size_t i = 0; i < lines.size(); ++i) {
    const int line = first_line + static_cast<int>(i);
    std::string_view rest = lines[i];
    std::string_view metric = NextWord(rest);
    if (metric.empty()) continue;
    if (metric.ends_with(kMark) && !rest.empty()) {
      if (start) return dangling();
      metric.remove_suffix(kMark.size());
      auto read = ReadStartLine(metric, rest, line);
      if (!read.ok()) return At(line, read.status());
      start = *std::move(read);
      continue;
    }
    auto series = promql::ParseSeriesDescription(lines[i]);
    if (!series.ok()) return At(line, series.status());
    if (start) {
      if (!(start->labels == series->labels)) {
        return At(start->line,
                  InvalidArgument("@st metric does not match the following "
                                  "sample line metric"));
      }
      if (start->offsets.size() != series->values.size()) {
        return At(start->line,
                  InvalidArgument(StrCat("@st line has ", start->offsets.size(),
                                         " values but sample line has ",
                                         series->values.size())));
      }
    }
    out.push_back(ToSamples(*std::move(series),
                            start ? start->offsets : Offsets(), step));
    start.reset();
  }
  if (start) return dangling();
  return out;
}

}  // namespace narthex::testing
