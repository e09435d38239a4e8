// The tree of an expression as /api/v1/parse_query shows it.  Keys come in
// alphabetical order, as Go writes maps.

#include "libnarthex/api/api.h"
#include "narthex/promql/ast.h"

namespace narthex::api {
namespace {

using promql::AtModifier;
using promql::DurationExpr;
using promql::DurationSpec;
using promql::VectorMatching;

void WriteDuration(JsonWriter& json, const DurationExpr* expr) {
  if (expr == nullptr) return json.Null();
  json.BeginObject();
  if (expr->op == DurationExpr::Op::kNumber) {
    json.Key("duration");
    json.Bool(expr->as_duration);
    json.Key("type");
    json.String("numberLiteral");
    json.Key("val");
    json.String(FormatValue(expr->seconds));
  } else {
    json.Key("lhs");
    WriteDuration(json, expr->lhs.get());
    json.Key("op");
    json.String(promql::Text(expr->op));
    json.Key("rhs");
    WriteDuration(json, expr->rhs.get());
    json.Key("type");
    json.String("durationExpr");
    json.Key("wrapped");
    json.Bool(expr->wrapped);
  }
  json.EndObject();
}

// "offset" and "offsetExpr", "range" and "rangeExpr", ...
void WriteSpec(JsonWriter& json, std::string_view key,
               const DurationSpec& spec) {
  json.Key(key);
  json.Int(spec.expr == nullptr ? spec.value.ms : 0);
  json.Key(StrCat(key, "Expr"));
  WriteDuration(json, spec.expr.get());
}

void WriteStartOrEnd(JsonWriter& json, const AtModifier& at) {
  json.Key("startOrEnd");
  if (at.kind == AtModifier::Kind::kStart) {
    json.String("start");
  } else if (at.kind == AtModifier::Kind::kEnd) {
    json.String("end");
  } else {
    json.Null();
  }
}

void WriteTimestamp(JsonWriter& json, const AtModifier& at) {
  json.Key("timestamp");
  if (at.kind == AtModifier::Kind::kTime) {
    json.Int(at.t.ms);
  } else {
    json.Null();
  }
}

void WriteList(JsonWriter& json, const std::vector<std::string>& texts) {
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

void WriteMatchers(JsonWriter& json, const Matchers& matchers) {
  static constexpr std::string_view kTypes[] = {"=", "!=", "=~", "!~"};
  json.Key("matchers");
  json.BeginArray();
  for (const MatcherPtr& matcher : matchers) {
    json.BeginObject();
    json.Key("name");
    json.String(matcher->name());
    json.Key("type");
    json.String(kTypes[static_cast<size_t>(matcher->type())]);
    json.Key("value");
    json.String(matcher->value());
    json.EndObject();
  }
  json.EndArray();
}

void WriteFill(JsonWriter& json, const std::optional<double>& fill) {
  if (fill) {
    json.Number(*fill);
  } else {
    json.Null();
  }
}

void WriteMatching(JsonWriter& json,
                   const std::optional<VectorMatching>& matching) {
  if (!matching) return json.Null();
  json.BeginObject();
  json.Key("card");
  json.String(promql::Text(matching->card));
  json.Key("fillValues");
  json.BeginObject();
  json.Key("lhs");
  WriteFill(json, matching->fill_left);
  json.Key("rhs");
  WriteFill(json, matching->fill_right);
  json.EndObject();
  json.Key("include");
  WriteList(json, matching->include);
  json.Key("labels");
  WriteList(json, matching->labels);
  json.Key("on");
  json.Bool(matching->on);
  json.EndObject();
}

struct AstWriter {
  JsonWriter& json;

  void Type(std::string_view type) {
    json.Key("type");
    json.String(type);
  }
  void Child(std::string_view key, const promql::ExprPtr& expr) {
    json.Key(key);
    if (expr == nullptr) {
      json.Null();
    } else {
      WriteAst(json, *expr);
    }
  }

  void operator()(const promql::NumberLiteral& n) {
    Type("numberLiteral");
    json.Key("val");
    json.String(FormatValue(n.value));
  }
  void operator()(const promql::StringLiteral& s) {
    Type("stringLiteral");
    json.Key("val");
    json.String(s.value);
  }
  void operator()(const promql::VectorSelector& v) {
    json.Key("anchored");
    json.Bool(v.anchored);
    WriteMatchers(json, v.matchers);
    json.Key("name");
    json.String(v.name);
    WriteSpec(json, "offset", v.offset);
    json.Key("smoothed");
    json.Bool(v.smoothed);
    WriteStartOrEnd(json, v.at);
    WriteTimestamp(json, v.at);
    Type("vectorSelector");
  }
  void operator()(const promql::MatrixSelector& m) {
    const promql::VectorSelector& v = *m.selector;
    json.Key("anchored");
    json.Bool(v.anchored);
    WriteMatchers(json, v.matchers);
    json.Key("name");
    json.String(v.name);
    WriteSpec(json, "offset", v.offset);
    WriteSpec(json, "range", m.range);
    json.Key("smoothed");
    json.Bool(v.smoothed);
    WriteStartOrEnd(json, v.at);
    WriteTimestamp(json, v.at);
    Type("matrixSelector");
  }
  void operator()(const promql::Subquery& s) {
    Child("expr", s.expr);
    WriteSpec(json, "offset", s.offset);
    WriteSpec(json, "range", s.range);
    WriteStartOrEnd(json, s.at);
    WriteSpec(json, "step", s.step);
    WriteTimestamp(json, s.at);
    Type("subquery");
  }
  void operator()(const promql::Call& c) {
    json.Key("args");
    json.BeginArray();
    for (const promql::ExprPtr& arg : c.args) WriteAst(json, *arg);
    json.EndArray();
    json.Key("func");
    json.BeginObject();
    json.Key("argTypes");
    json.BeginArray();
    for (const promql::ValueType type : c.function->arg_types) {
      json.String(promql::ShortName(type));
    }
    json.EndArray();
    json.Key("name");
    json.String(c.function->name);
    json.Key("returnType");
    json.String(promql::ShortName(c.function->return_type));
    json.Key("variadic");
    json.Int(c.function->variadic);
    json.EndObject();
    Type("call");
  }
  void operator()(const promql::Aggregate& a) {
    Child("expr", a.expr);
    json.Key("grouping");
    WriteList(json, a.grouping);
    json.Key("op");
    json.String(promql::Text(a.op));
    Child("param", a.param);
    Type("aggregation");
    json.Key("without");
    json.Bool(a.without);
  }
  void operator()(const promql::Binary& b) {
    json.Key("bool");
    json.Bool(b.return_bool);
    Child("lhs", b.lhs);
    json.Key("matching");
    WriteMatching(json, b.matching);
    json.Key("op");
    json.String(promql::Text(b.op));
    Child("rhs", b.rhs);
    Type("binaryExpr");
  }
  void operator()(const promql::Unary& u) {
    Child("expr", u.expr);
    json.Key("op");
    json.String(u.op == promql::UnaryOp::kMinus ? "-" : "+");
    Type("unaryExpr");
  }
  void operator()(const promql::Paren& p) {
    Child("expr", p.expr);
    Type("parenExpr");
  }
};

}  // namespace

void WriteAst(JsonWriter& json, const promql::Expr& expr) {
  json.BeginObject();
  promql::Visit(expr, AstWriter{json});
  json.EndObject();
}

}  // namespace narthex::api
