#include "libnarthex/api/json.h"

#include <charconv>
#include <cmath>
#include <cstddef>

#include "narthex/model/labels.h"

namespace narthex::api {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// Length of the UTF-8 sequence at `p`, 0 if it is none.
size_t Utf8Length(const char* p, const char* end) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(p[i]); };
  const size_t left = static_cast<size_t>(end - p);
  const unsigned char lead = byte(0);
  const auto tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (lead >= 0xc2 && lead < 0xe0) return left >= 2 && tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead < 0xf0) {
    if (left < 3 || !tail(1) || !tail(2)) return 0;
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;
    if (lead == 0xed && byte(1) > 0x9f) return 0;  // surrogates
    return 3;
  }
  if (lead >= 0xf0 && lead < 0xf5) {
    if (left < 4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xf0 && byte(1) < 0x90) return 0;
    if (lead == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

void AppendEscape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default: {
      const auto byte = static_cast<unsigned char>(c);
      const char escape[] = {'\\',           'u', '0', '0', kHex[byte >> 4],
                             kHex[byte & 15]};
      out.append(escape, sizeof(escape));
    }
  }
}

bool NeedsEscape(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void AppendPlain(std::string& out, std::string_view text) {
  out.push_back('"');
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!NeedsEscape(text[i])) continue;
    out.append(text, begin, i - begin);
    AppendEscape(out, text[i]);
    begin = i + 1;
  }
  out.append(text, begin);
  out.push_back('"');
}

void AppendHtmlSafe(std::string& out, std::string_view text) {
  out.push_back('"');
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    const char c = *p;
    if (static_cast<unsigned char>(c) < 0x80) {
      if (NeedsEscape(c) || c == '<' || c == '>' || c == '&') {
        AppendEscape(out, c);
      } else {
        out.push_back(c);
      }
      ++p;
      continue;
    }
    const size_t n = Utf8Length(p, end);
    if (n == 0) {
      out += "\\ufffd";
      ++p;
      continue;
    }
    const std::string_view rune(p, n);
    if (rune == "\xe2\x80\xa8") {
      out += "\\u2028";
    } else if (rune == "\xe2\x80\xa9") {
      out += "\\u2029";
    } else {
      out += rune;
    }
    p += n;
  }
  out.push_back('"');
}

// Go's FormatFloat with 'e' for the very large and the very small, else 'f'.
void AppendFloat(std::string& out, double v) {
  if (std::isnan(v)) {
    out += "NaN";
    return;
  }
  if (std::isinf(v)) {
    out += v > 0 ? "+Inf" : "-Inf";
    return;
  }
  const double size = std::fabs(v);
  const bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
  if (size >= 0x1p53 && !exponent) {
    // Go shows the shortest digits, then zeros; to_chars all that are exact.
    out += FormatFloat(v, 'f');
    return;
  }
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), v,
                                 exponent ? std::chars_format::scientific
                                          : std::chars_format::fixed)
                       .ptr;
  out.append(buffer, static_cast<size_t>(end - buffer));
}

template <typename Integer>
void AppendInteger(std::string& out, Integer n) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), n).ptr;
  out.append(buffer, static_cast<size_t>(end - buffer));
}

void AppendTime(std::string& out, Timestamp t) {
  uint64_t ms = static_cast<uint64_t>(t.ms);
  if (t.ms < 0) {
    out.push_back('-');
    ms = ~ms + 1;
  }
  AppendInteger(out, ms / 1000);
  const auto fraction = static_cast<unsigned>(ms % 1000);
  if (fraction == 0) return;
  const char text[] = {'.', static_cast<char>('0' + fraction / 100),
                       static_cast<char>('0' + fraction / 10 % 10),
                       static_cast<char>('0' + fraction % 10)};
  out.append(text, sizeof(text));
}

}  // namespace

void JsonWriter::Key(std::string_view key) {
  Comma();
  AppendHtmlSafe(out_, key);
  out_.push_back(':');
  comma_ = false;
}

void JsonWriter::String(std::string_view text) {
  Comma();
  AppendHtmlSafe(out_, text);
}

void JsonWriter::PlainString(std::string_view text) {
  Comma();
  AppendPlain(out_, text);
}

void JsonWriter::Int(int64_t n) {
  Comma();
  AppendInteger(out_, n);
}

void JsonWriter::Uint(uint64_t n) {
  Comma();
  AppendInteger(out_, n);
}

void JsonWriter::Number(double v) {
  Comma();
  const size_t begin = out_.size();
  AppendFloat(out_, v);
  // Go writes 1e-9 where strconv writes 1e-09.
  const size_t n = out_.size();
  if (n - begin >= 4 && out_[n - 4] == 'e' && out_[n - 3] == '-' &&
      out_[n - 2] == '0') {
    out_.erase(n - 2, 1);
  }
}

void JsonWriter::Raw(std::string_view json) {
  Comma();
  out_ += json;
}

void JsonWriter::SampleValue(double v) {
  Comma();
  out_.push_back('"');
  AppendFloat(out_, v);
  out_.push_back('"');
}

void JsonWriter::Time(Timestamp t) {
  Comma();
  AppendTime(out_, t);
}

void JsonWriter::Write(const Labels& labels) {
  Comma();
  out_.push_back('{');
  bool first = true;
  for (const Label& label : labels) {
    if (!first) out_.push_back(',');
    first = false;
    AppendPlain(out_, label.name);
    out_.push_back(':');
    AppendPlain(out_, label.value);
  }
  out_.push_back('}');
}

void JsonWriter::Write(const FloatHistogram& histogram) {
  BeginObject();
  Key("count");
  SampleValue(histogram.count);
  Key("sum");
  SampleValue(histogram.sum);
  bool any = false;
  for (const FloatHistogram::Bucket& bucket : histogram.AllBuckets()) {
    if (bucket.count == 0) continue;
    if (!any) {
      Key("buckets");
      BeginArray();
      any = true;
    }
    // 0: open left, 1: open right, 2: open on both sides, 3: closed.
    int rule = bucket.upper_inclusive ? 0 : 2;
    if (bucket.lower_inclusive) rule = bucket.upper_inclusive ? 3 : 1;
    BeginArray();
    Int(rule);
    SampleValue(bucket.lower);
    SampleValue(bucket.upper);
    SampleValue(bucket.count);
    EndArray();
  }
  if (any) EndArray();
  EndObject();
}

void JsonWriter::Point(const Sample& sample) {
  BeginArray();
  Time(sample.t);
  SampleValue(sample.v);
  EndArray();
}

void JsonWriter::Point(const promql::HistogramSample& sample) {
  BeginArray();
  Time(sample.t);
  Write(*sample.histogram);
  EndArray();
}

void JsonWriter::Write(const promql::Value& value) {
  // Scalars and strings come from another encoder in Prometheus, which prints
  // their time as a plain number: 1.1, not 1.100.
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) {
    BeginArray();
    Number(static_cast<double>(scalar->t.ms) / 1000);
    PlainString(FormatValue(scalar->v));
    EndArray();
    return;
  }
  if (const auto* text = std::get_if<promql::StringValue>(&value)) {
    BeginArray();
    Number(static_cast<double>(text->t.ms) / 1000);
    String(text->v);
    EndArray();
    return;
  }
  BeginArray();
  if (const auto* vector = std::get_if<promql::Vector>(&value)) {
    for (const promql::VectorElement& element : *vector) {
      BeginObject();
      Key("metric");
      Write(element.labels);
      if (element.histogram == nullptr) {
        Key("value");
        Point(Sample{element.t, element.v});
      } else {
        Key("histogram");
        Point(promql::HistogramSample{element.t, element.histogram});
      }
      EndObject();
    }
  } else {
    for (const promql::MatrixSeries& series : std::get<promql::Matrix>(value)) {
      BeginObject();
      Key("metric");
      Write(series.labels);
      if (!series.floats.empty()) {
        Key("values");
        BeginArray();
        for (const Sample& sample : series.floats) Point(sample);
        EndArray();
      }
      if (!series.histograms.empty()) {
        Key("histograms");
        BeginArray();
        for (const promql::HistogramSample& sample : series.histograms) {
          Point(sample);
        }
        EndArray();
      }
      EndObject();
    }
  }
  EndArray();
}

}  // namespace narthex::api
