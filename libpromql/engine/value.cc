// Values as text, and compared.

#include "narthex/promql/value.h"

#include <bit>
#include <string>

#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {
namespace {

void AppendPoint(double v, Timestamp t, std::string& out) {
  StrAppend(&out, FormatValue(v), " @[", t.ms, "]");
}
void AppendPoint(const FloatHistogram& h, Timestamp t, std::string& out) {
  StrAppend(&out, h.ToString(), " @[", t.ms, "]");
}

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}
bool SameHistogram(const HistogramPtr& a, const HistogramPtr& b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a == b || (a->hint == b->hint && a->SameAs(*b));
}

struct Printer {
  std::string& out;

  void operator()(const ScalarValue& s) const {
    out += "scalar: ";
    AppendPoint(s.v, s.t, out);
  }
  void operator()(const StringValue& s) const { out += s.v; }
  void operator()(const Vector& vector) const {
    for (size_t i = 0; i < vector.size(); ++i) {
      if (i > 0) out += "\n";
      StrAppend(&out, vector[i].labels.ToMetricString(), " => ");
      if (vector[i].histogram != nullptr) {
        AppendPoint(*vector[i].histogram, vector[i].t, out);
      } else {
        AppendPoint(vector[i].v, vector[i].t, out);
      }
    }
  }
  void operator()(const Matrix& matrix) const {
    for (size_t i = 0; i < matrix.size(); ++i) {
      if (i > 0) out += "\n";
      StrAppend(&out, matrix[i].labels.ToMetricString(), " =>");
      for (const Sample& sample : matrix[i].floats) {
        out += "\n";
        AppendPoint(sample.v, sample.t, out);
      }
      for (const HistogramSample& sample : matrix[i].histograms) {
        out += "\n";
        AppendPoint(*sample.histogram, sample.t, out);
      }
    }
  }
};

struct Comparer {
  const Value& other;

  bool operator()(const ScalarValue& a) const {
    const auto& b = std::get<ScalarValue>(other);
    return a.t == b.t && SameBits(a.v, b.v);
  }
  bool operator()(const StringValue& a) const {
    const auto& b = std::get<StringValue>(other);
    return a.t == b.t && a.v == b.v;
  }
  bool operator()(const Vector& a) const {
    const auto& b = std::get<Vector>(other);
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i].labels != b[i].labels || a[i].t != b[i].t ||
          !SameBits(a[i].v, b[i].v) ||
          !SameHistogram(a[i].histogram, b[i].histogram)) {
        return false;
      }
    }
    return true;
  }
  bool operator()(const Matrix& a) const {
    const auto& b = std::get<Matrix>(other);
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (!SameSeries(a[i], b[i])) return false;
    }
    return true;
  }
  static bool SameSeries(const MatrixSeries& a, const MatrixSeries& b) {
    if (a.labels != b.labels || a.floats.size() != b.floats.size() ||
        a.histograms.size() != b.histograms.size()) {
      return false;
    }
    for (size_t i = 0; i < a.floats.size(); ++i) {
      if (a.floats[i].t != b.floats[i].t ||
          !SameBits(a.floats[i].v, b.floats[i].v)) {
        return false;
      }
    }
    for (size_t i = 0; i < a.histograms.size(); ++i) {
      if (a.histograms[i].t != b.histograms[i].t ||
          !SameHistogram(a.histograms[i].histogram,
                         b.histograms[i].histogram)) {
        return false;
      }
    }
    return true;
  }
};

}  // namespace

std::string_view ResultType(const Value& value) {
  constexpr std::string_view kNames[] = {"scalar", "string", "vector",
                                         "matrix"};
  return kNames[value.index()];
}

std::string ToString(const Value& value) {
  std::string out;
  std::visit(Printer{out}, value);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Value& value) {
  return out << ToString(value);
}

bool SameBits(const Value& a, const Value& b) {
  return a.index() == b.index() && std::visit(Comparer{b}, a);
}

std::ostream& operator<<(std::ostream& out, const QueryResult& result) {
  out << ToString(result.value);
  for (Annotation::Kind kind :
       {Annotation::Kind::kWarning, Annotation::Kind::kInfo}) {
    for (const std::string& text :
         result.annotations.Render(kind, result.query)) {
      out << "\n" << text;
    }
  }
  return out;
}

}  // namespace narthex::promql
