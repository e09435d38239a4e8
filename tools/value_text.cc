#include "tools/value_text.h"

#include "narthex/base/status.h"
#include "narthex/base/time.h"

namespace narthex::tools {
namespace {

// `name{a="b", c="d"}`; `{}` if there is nothing.
std::string MetricText(const Labels& labels) {
  std::string name, rest;
  for (const Label& label : labels) {
    if (label.name == kMetricName) {
      name = std::string(label.value);
    } else {
      StrAppend(&rest, rest.empty() ? "" : ", ", label.name, "=",
                GoQuote(label.value));
    }
  }
  if (rest.empty()) return name.empty() ? "{}" : name;
  return StrCat(name, "{", rest, "}");
}

std::string PointText(Timestamp t, std::string_view value) {
  return StrCat(value, " @[", FormatSeconds(t), "]");
}

struct PromqlPrinter {
  std::string out = {};

  void operator()(const promql::ScalarValue& scalar) {
    out = StrCat("scalar: ", PointText(scalar.t, FormatValue(scalar.v)), "\n");
  }
  void operator()(const promql::StringValue& text) { out = text.v + "\n"; }
  void operator()(const promql::Vector& vector) {
    for (const promql::VectorElement& element : vector) {
      StrAppend(&out, MetricText(element.labels), " => ",
                PointText(element.t, element.histogram == nullptr
                                         ? FormatValue(element.v)
                                         : element.histogram->ToString()),
                "\n");
    }
    if (vector.empty()) out = "\n";
  }
  void operator()(const promql::Matrix& matrix) {
    for (const promql::MatrixSeries& series : matrix) {
      StrAppend(&out, MetricText(series.labels), " =>\n");
      for (const Sample& sample : series.floats) {
        StrAppend(&out, PointText(sample.t, FormatValue(sample.v)), "\n");
      }
      for (const promql::HistogramSample& sample : series.histograms) {
        StrAppend(&out, PointText(sample.t, sample.histogram->ToString()),
                  "\n");
      }
    }
    if (matrix.empty()) out = "\n";
  }
};

// As Go's encoding/json writes texts.
void AppendJson(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      out += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void AppendJson(std::string& out, const Labels& labels) {
  out.push_back('{');
  bool first = true;
  for (const Label& label : labels) {
    if (!first) out.push_back(',');
    first = false;
    AppendJson(out, label.name);
    out.push_back(':');
    AppendJson(out, label.value);
  }
  out.push_back('}');
}

void AppendPoint(std::string& out, Timestamp t, std::string_view value) {
  StrAppend(&out, "[", FormatSeconds(t), ",");
  AppendJson(out, value);
  out.push_back(']');
}

void AppendHistogram(std::string& out, const promql::HistogramSample& sample) {
  const FloatHistogram& h = *sample.histogram;
  StrAppend(&out, "[", FormatSeconds(sample.t), ",{\"count\":\"",
            FormatValue(h.count), "\",\"sum\":\"", FormatValue(h.sum),
            "\",\"buckets\":[");
  bool first = true;
  for (const FloatHistogram::Bucket& bucket : h.AllBuckets()) {
    if (bucket.count == 0) continue;
    int rule = bucket.upper_inclusive ? 0 : 2;
    if (bucket.lower_inclusive) rule = bucket.upper_inclusive ? 3 : 1;
    StrAppend(&out, first ? "" : ",", "[", rule, ",\"",
              FormatValue(bucket.lower), "\",\"", FormatValue(bucket.upper),
              "\",\"", FormatValue(bucket.count), "\"]");
    first = false;
  }
  out += "]}]";
}

struct JsonPrinter {
  std::string out = {};

  void operator()(const promql::ScalarValue& scalar) {
    AppendPoint(out, scalar.t, FormatValue(scalar.v));
  }
  void operator()(const promql::StringValue& text) {
    AppendPoint(out, text.t, text.v);
  }
  void operator()(const promql::Vector& vector) {
    out = "[";
    for (const promql::VectorElement& element : vector) {
      if (out.size() > 1) out.push_back(',');
      out += "{\"metric\":";
      AppendJson(out, element.labels);
      if (element.histogram == nullptr) {
        out += ",\"value\":";
        AppendPoint(out, element.t, FormatValue(element.v));
      } else {
        out += ",\"histogram\":";
        AppendHistogram(out, {element.t, element.histogram});
      }
      out.push_back('}');
    }
    out += "]";
  }
  void operator()(const promql::Matrix& matrix) {
    out = "[";
    for (const promql::MatrixSeries& series : matrix) {
      if (out.size() > 1) out.push_back(',');
      out += "{\"metric\":";
      AppendJson(out, series.labels);
      auto list = [&](std::string_view key, const auto& points, auto append) {
        if (points.empty()) return;
        StrAppend(&out, ",\"", key, "\":[");
        for (size_t i = 0; i < points.size(); ++i) {
          if (i != 0) out.push_back(',');
          append(points[i]);
        }
        out.push_back(']');
      };
      list("values", series.floats, [&](const Sample& sample) {
        AppendPoint(out, sample.t, FormatValue(sample.v));
      });
      list("histograms", series.histograms,
           [&](const promql::HistogramSample& sample) {
             AppendHistogram(out, sample);
           });
      out.push_back('}');
    }
    out += "]";
  }
};

template <typename T>
std::string JsonList(std::span<const T> items) {
  std::string out = "[";
  for (const T& item : items) {
    if (out.size() > 1) out.push_back(',');
    AppendJson(out, item);
  }
  return out + "]\n";
}

}  // namespace

std::string JsonQuote(std::string_view text) {
  std::string out;
  AppendJson(out, text);
  return out;
}

std::string PromqlText(const promql::Value& value) {
  PromqlPrinter printer;
  std::visit(printer, value);
  return std::move(printer.out);
}

std::string PromqlText(std::span<const Labels> series) {
  std::string out;
  for (const Labels& labels : series) StrAppend(&out, labels.ToString(), "\n");
  return out;
}

std::string PromqlText(std::span<const std::string> values) {
  std::string out;
  for (const std::string& value : values) StrAppend(&out, value, "\n");
  return out;
}

std::string JsonText(const promql::Value& value) {
  JsonPrinter printer;
  std::visit(printer, value);
  return printer.out + "\n";
}

std::string JsonText(std::span<const Labels> series) {
  return JsonList(series);
}
std::string JsonText(std::span<const std::string> values) {
  return JsonList(values);
}

}  // namespace narthex::tools
