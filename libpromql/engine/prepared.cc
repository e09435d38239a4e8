// Queries with typed parameters: values are written as literals of their type,
// then parsed like any other text.

#include "narthex/promql/prepared.h"

#include <algorithm>
#include <cmath>

#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/promql/ast.h"
#include "narthex/promql/parser.h"

namespace narthex::promql {
namespace {

bool BeginsName(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool ContinuesName(char c) { return BeginsName(c) || (c >= '0' && c <= '9'); }

// The end of the string or comment that begins at `at`; else `at`.
size_t SkipText(std::string_view text, size_t at) {
  const char open = text[at];
  if (open == '#') return std::min(text.find('\n', at), text.size());
  if (open != '"' && open != '\'' && open != '`') return at;
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && open != '`') {
      ++i;
    } else if (text[i] == open) {
      return i + 1;
    }
  }
  return text.size();  // never closed: the parser will say so
}

std::string Quoted(std::string_view name) {
  return IsLegacyLabelName(name) ? std::string(name) : GoQuote(name);
}

// As a literal; in parentheses, so that it is one operand wherever it stands.
std::string NumberText(double v) { return StrCat("(", FormatFloat(v), ")"); }

std::string DurationText(Duration d) {
  std::string text = d.ms < 0 ? "-" : "";
  // Milliseconds are exact, and say it all.
  return StrCat(
      text,
      d.ms < 0 ? 0 - static_cast<uint64_t>(d.ms) : static_cast<uint64_t>(d.ms),
      "ms");
}

std::string_view Operator(Matcher::Type type) {
  switch (type) {
    case Matcher::Type::kEqual:
      return "=";
    case Matcher::Type::kNotEqual:
      return "!=";
    case Matcher::Type::kRegex:
      return "=~";
    case Matcher::Type::kNotRegex:
      break;
  }
  return "!~";
}

absl::Status CheckName(const std::string& name, std::string_view parameter) {
  if (!name.empty() && IsValidUtf8(name)) return absl::OkStatus();
  return InvalidArgument(
      StrCat("$", parameter, ": ", GoQuote(name), " is no label name"));
}

struct Writer {
  const Parameter& parameter;
  std::string& out;

  absl::Status WrongType() const {
    constexpr std::string_view kNames[] = {"a number", "a duration", "a string",
                                           "matchers", "labels"};
    return InvalidArgument(StrCat("$", parameter.name, " has to be ",
                                  kNames[static_cast<size_t>(parameter.type)]));
  }
  absl::Status operator()(double v) const {
    if (parameter.type != ParameterType::kNumber) return WrongType();
    out += NumberText(v);
    return absl::OkStatus();
  }
  absl::Status operator()(Duration d) const {
    if (parameter.type != ParameterType::kDuration) return WrongType();
    out += DurationText(d);
    return absl::OkStatus();
  }
  absl::Status operator()(const std::string& text) const {
    if (parameter.type != ParameterType::kString) return WrongType();
    out += GoQuote(text);
    return absl::OkStatus();
  }
  absl::Status operator()(const MatcherList& matchers) const {
    if (parameter.type != ParameterType::kMatchers) return WrongType();
    std::string_view comma = "";
    for (const MatcherValue& m : matchers) {
      NARTHEX_RETURN_IF_ERROR(CheckName(m.name, parameter.name));
      auto compiled = Matcher::Make(m.type, m.name, m.value);
      if (!compiled.ok()) {
        return Annotate(compiled.status(), StrCat("$", parameter.name));
      }
      StrAppend(&out, comma, Quoted(m.name), Operator(m.type),
                GoQuote(m.value));
      comma = ",";
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const LabelList& labels) const {
    if (parameter.type != ParameterType::kLabels) return WrongType();
    std::string_view comma = "";
    for (const std::string& name : labels) {
      NARTHEX_RETURN_IF_ERROR(CheckName(name, parameter.name));
      StrAppend(&out, comma, Quoted(name));
      comma = ",";
    }
    return absl::OkStatus();
  }
};

// Any value of a type, to see whether the query holds together.
Argument Sample(const Parameter& parameter) {
  Argument argument{parameter.name, 1.0};
  switch (parameter.type) {
    case ParameterType::kNumber:
      break;
    case ParameterType::kDuration:
      argument.value = Minutes(1);
      break;
    case ParameterType::kString:
      argument.value = std::string("x");
      break;
    case ParameterType::kMatchers:
      argument.value = MatcherList{{"x", "y", Matcher::Type::kEqual}};
      break;
    case ParameterType::kLabels:
      argument.value = LabelList{"x"};
      break;
  }
  return argument;
}

}  // namespace

absl::StatusOr<PreparedQuery> PreparedQuery::Prepare(
    std::string_view text, std::vector<Parameter> parameters,
    const Engine& engine) {
  PreparedQuery query;
  query.parameters_ = std::move(parameters);
  query.parser_ = ParserOptionsOf(engine.options());
  std::vector<bool> used(query.parameters_.size(), false);
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    if (const size_t end = SkipText(text, i); end != i) {
      i = end;
      continue;
    }
    if (text[i] != '$' || i + 1 == text.size() || !BeginsName(text[i + 1])) {
      ++i;
      continue;
    }
    size_t end = i + 1;
    while (end < text.size() && ContinuesName(text[end])) ++end;
    const std::string_view name = text.substr(i + 1, end - i - 1);
    const auto it =
        std::find_if(query.parameters_.begin(), query.parameters_.end(),
                     [name](const Parameter& p) { return p.name == name; });
    if (it == query.parameters_.end()) {
      return InvalidArgument(
          StrCat(LineColumn(text, i), ": there is no parameter $", name));
    }
    const size_t index = static_cast<size_t>(it - query.parameters_.begin());
    used[index] = true;
    query.pieces_.push_back(
        {std::string(text.substr(begin, i - begin)), index});
    begin = i = end;
  }
  query.pieces_.push_back(
      {std::string(text.substr(begin)), query.parameters_.size()});
  std::vector<Argument> samples;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) {
      return InvalidArgument(
          StrCat("parameter $", query.parameters_[i].name, " is not used"));
    }
    samples.push_back(Sample(query.parameters_[i]));
  }
  NARTHEX_RETURN_IF_ERROR(query.Bind(samples).status());
  return query;
}

absl::StatusOr<BoundQuery> PreparedQuery::Bind(
    const std::vector<Argument>& arguments) const {
  std::vector<std::string> texts(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const auto it = std::find_if(
        arguments.begin(), arguments.end(),
        [&](const Argument& a) { return a.name == parameter.name; });
    if (it == arguments.end()) {
      return InvalidArgument(StrCat("$", parameter.name, " has no value"));
    }
    NARTHEX_RETURN_IF_ERROR(std::visit(Writer{parameter, texts[i]}, it->value));
  }
  for (const Argument& argument : arguments) {
    if (std::none_of(
            parameters_.begin(), parameters_.end(),
            [&](const Parameter& p) { return p.name == argument.name; })) {
      return InvalidArgument(StrCat("there is no parameter $", argument.name));
    }
  }
  BoundQuery bound;
  for (const Piece& piece : pieces_) {
    bound.text_ += piece.text;
    if (piece.parameter < texts.size()) bound.text_ += texts[piece.parameter];
  }
  NARTHEX_ASSIGN_OR_RETURN(ExprPtr expr, ParseExpr(bound.text_, parser_));
  bound.expr_ = std::move(expr);
  return bound;
}

absl::StatusOr<QueryResult> BoundQuery::Instant(
    const Engine& engine, Queryable& store, Timestamp at,
    const QueryOptions& options) const {
  return engine.Instant(store, *expr_, text_, at, options);
}

absl::StatusOr<QueryResult> BoundQuery::Range(
    const Engine& engine, Queryable& store, TimeRange range, Duration step,
    const QueryOptions& options) const {
  return engine.Range(store, *expr_, text_, range, step, options);
}

}  // namespace narthex::promql
