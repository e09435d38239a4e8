// The two text formats, which differ in comments, exemplars, times and in how
// counters and infos are called.

#include <cmath>
#include <limits>

#include "narthex/base/status.h"
#include "narthex/instrument/metric_family.h"

namespace narthex::instrument {
namespace {

constexpr std::string_view kTotal = "_total";
constexpr std::string_view kInfo = "_info";

class Page {
 public:
  explicit Page(bool open_metrics) : open_metrics_(open_metrics) {}

  void Add(const MetricFamily& family, bool created) {
    const std::string name = FamilyName(family);
    // Units are the last part of the name, or they are none.
    const bool unit =
        open_metrics_ && !family.unit.empty() &&
        std::string_view(name).ends_with(StrCat("_", family.unit));
    if (!family.help.empty()) Comment("HELP", name, Escaped(family.help));
    Comment("TYPE", name, TypeText(family.type));
    if (unit) Comment("UNIT", name, family.unit);
    for (const Metric& metric : family.metrics) {
      AddMetric(family, name, metric);
      if (created && open_metrics_ && metric.created && Counts(family.type)) {
        Line(name + "_created", metric.labels, {}, {},
             static_cast<double>(metric.created->ms) / 1000, metric, nullptr);
      }
    }
  }
  std::string Take() {
    if (open_metrics_) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  static bool Counts(MetricType type) {
    return type == MetricType::kCounter || type == MetricType::kHistogram ||
           type == MetricType::kSummary;
  }

  std::string FamilyName(const MetricFamily& family) const {
    std::string_view name = family.name;
    if (open_metrics_ && family.type == MetricType::kCounter &&
        name.ends_with(kTotal)) {
      name.remove_suffix(kTotal.size());
    }
    if (open_metrics_ && family.type == MetricType::kInfo &&
        name.ends_with(kInfo)) {
      name.remove_suffix(kInfo.size());
    }
    return std::string(name);
  }

  std::string_view TypeText(MetricType type) const {
    switch (type) {
      case MetricType::kCounter:
        return "counter";
      case MetricType::kGauge:
        return "gauge";
      case MetricType::kHistogram:
        return "histogram";
      case MetricType::kGaugeHistogram:
        return open_metrics_ ? "gaugehistogram" : "histogram";
      case MetricType::kSummary:
        return "summary";
      case MetricType::kInfo:
        return open_metrics_ ? "info" : "gauge";
      case MetricType::kStateset:
        return open_metrics_ ? "stateset" : "gauge";
      case MetricType::kUnknown:
        break;
    }
    return open_metrics_ ? "unknown" : "untyped";
  }

  void AddMetric(const MetricFamily& family, const std::string& name,
                 const Metric& metric) {
    const Exemplar* exemplar = metric.exemplar ? &*metric.exemplar : nullptr;
    switch (family.type) {
      case MetricType::kCounter:
        // OpenMetrics knows no counter without the suffix.
        return Line(open_metrics_ ? StrCat(name, kTotal) : name, metric.labels,
                    {}, {}, metric.value, metric, exemplar);
      case MetricType::kInfo:
        return Line(open_metrics_ ? StrCat(name, kInfo) : name, metric.labels,
                    {}, {}, metric.value, metric, nullptr);
      case MetricType::kHistogram:
      case MetricType::kGaugeHistogram:
        return AddHistogram(family.type, name, metric);
      case MetricType::kSummary:
        for (const QuantileValue& one : metric.quantiles) {
          Line(name, metric.labels, "quantile", Bound(one.quantile), one.value,
               metric, nullptr);
        }
        Line(name + "_sum", metric.labels, {}, {}, metric.sum, metric, nullptr);
        return Line(name + "_count", metric.labels, {}, {},
                    static_cast<double>(metric.count), metric, nullptr);
      case MetricType::kGauge:
      case MetricType::kStateset:
      case MetricType::kUnknown:
        break;
    }
    Line(name, metric.labels, {}, {}, metric.value, metric, nullptr);
  }

  void AddHistogram(MetricType type, const std::string& name,
                    const Metric& metric) {
    const bool gauge = open_metrics_ && type == MetricType::kGaugeHistogram;
    bool infinite = false;
    for (const BucketValue& bucket : metric.buckets) {
      infinite = std::isinf(bucket.upper_bound);
      Line(name + "_bucket", metric.labels, "le", Bound(bucket.upper_bound),
           static_cast<double>(bucket.cumulative_count), metric,
           bucket.exemplar ? &*bucket.exemplar : nullptr);
    }
    if (!infinite) {
      Line(name + "_bucket", metric.labels, "le", "+Inf",
           static_cast<double>(metric.count), metric, nullptr);
    }
    Line(name + (gauge ? "_gsum" : "_sum"), metric.labels, {}, {}, metric.sum,
         metric, nullptr);
    Line(name + (gauge ? "_gcount" : "_count"), metric.labels, {}, {},
         static_cast<double>(metric.count), metric, nullptr);
  }

  // A value of `le` or `quantile`: OpenMetrics writes floats as floats.
  std::string Bound(double v) const {
    std::string text = FormatFloat(v);
    const bool whole = text.find_first_of(".eIN") == std::string::npos;
    if (open_metrics_ && whole) text += ".0";
    return text;
  }

  std::string Escaped(std::string_view text) const {
    std::string out;
    for (const char c : text) {
      if (c == '\\') {
        out += "\\\\";
      } else if (c == '\n') {
        out += "\\n";
      } else if (c == '"' && open_metrics_) {
        out += "\\\"";
      } else {
        out.push_back(c);
      }
    }
    return out;
  }

  void Quote(std::string_view text) {
    out_.push_back('"');
    for (const char c : text) {
      if (c == '\\' || c == '"') out_.push_back('\\');
      if (c == '\n') {
        out_ += "\\n";
      } else {
        out_.push_back(c);
      }
    }
    out_.push_back('"');
  }

  void Comment(std::string_view word, std::string_view name,
               std::string_view text) {
    StrAppend(&out_, "# ", word, " ");
    if (IsLegacyMetricName(name)) {
      out_ += name;
    } else {
      Quote(name);
    }
    StrAppend(&out_, " ", text, "\n");
  }

  void Pair(char& before, std::string_view name, std::string_view value) {
    out_.push_back(before);
    before = ',';
    if (IsLegacyLabelName(name)) {
      out_ += name;
    } else {
      Quote(name);
    }
    out_.push_back('=');
    Quote(value);
  }

  void Line(std::string_view name, const Labels& labels,
            std::string_view extra_name, std::string_view extra_value,
            double value, const Metric& metric, const Exemplar* exemplar) {
    char before = '{';
    if (IsLegacyMetricName(name)) {
      out_ += name;
    } else {
      // A name in quotes stands among the labels.
      out_.push_back('{');
      Quote(name);
      before = ',';
    }
    for (const Label& label : labels) Pair(before, label.name, label.value);
    if (!extra_name.empty()) Pair(before, extra_name, extra_value);
    if (before == ',') out_.push_back('}');
    StrAppend(&out_, " ", FormatFloat(value));
    if (metric.timestamp) {
      out_.push_back(' ');
      AppendTime(*metric.timestamp);
    }
    if (exemplar != nullptr && open_metrics_) AppendExemplar(*exemplar);
    out_.push_back('\n');
  }

  void AppendTime(Timestamp t) {
    if (open_metrics_) {
      out_ += FormatFloat(static_cast<double>(t.ms) / 1000, 'f');
    } else {
      StrAppend(&out_, t.ms);
    }
  }

  void AppendExemplar(const Exemplar& exemplar) {
    out_ += " # ";
    char before = '{';
    for (const Label& label : exemplar.labels) {
      Pair(before, label.name, label.value);
    }
    out_ += before == '{' ? "{}" : "}";
    StrAppend(&out_, " ", FormatFloat(exemplar.value));
    if (exemplar.has_timestamp) {
      out_.push_back(' ');
      AppendTime(exemplar.t);
    }
  }

  const bool open_metrics_;
  std::string out_;
};

}  // namespace

std::string WriteText(const std::vector<MetricFamily>& families) {
  Page page(/*open_metrics=*/false);
  for (const MetricFamily& family : families) page.Add(family, false);
  return page.Take();
}

std::string WriteOpenMetrics(const std::vector<MetricFamily>& families,
                             const WriteOptions& options) {
  Page page(/*open_metrics=*/true);
  for (const MetricFamily& family : families) {
    page.Add(family, options.created_series);
  }
  return page.Take();
}

}  // namespace narthex::instrument
