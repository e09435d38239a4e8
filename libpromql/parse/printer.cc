#include "narthex/promql/printer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "libpromql/parse/print_state.h"
#include "narthex/base/status.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

using Op = DurationExpr::Op;

std::string NumberText(double value, bool as_duration) {
  if (!as_duration) return FormatFloat(value, 'f');
  // Nanoseconds, cut; then milliseconds, cut.
  const double nanos = (value < 0 ? -value : value) * 1e9;
  const int64_t ms = nanos < 0x1p63 ? static_cast<int64_t>(nanos) / 1000000
                                    : kMaxMillis / 1000000;
  return StrCat(value < 0 ? "-" : "", FormatDuration(Duration(ms)));
}

std::string_view Extended(const VectorSelector& e) {
  return e.anchored ? " anchored" : e.smoothed ? " smoothed" : "";
}

}  // namespace

struct PrintState::Nodes {
  PrintState& p;

  void operator()(const NumberLiteral& e) const {
    p.Add(NumberText(e.value, e.as_duration));
  }
  void operator()(const StringLiteral& e) const { p.Add(GoQuote(e.value)); }
  void operator()(const VectorSelector& e) const {
    p.Matchers(e);
    p.Modifiers(e.at, Extended(e), e.offset);
  }
  void operator()(const MatrixSelector& e) const {
    p.Matchers(*e.selector);
    p.Range(e);
  }
  void operator()(const Subquery& e) const {
    p.Inside(*e.expr);
    p.Range(e);
  }
  void operator()(const Call& e) const {
    p.Add(e.function->name);
    p.Add("(");
    for (size_t i = 0; i < e.args.size() && !p.Full(); ++i) {
      if (i > 0) p.Add(", ");
      p.Inside(*e.args[i]);
    }
    p.Add(")");
  }
  void operator()(const Aggregate& e) const {
    p.Head(e);
    p.Add("(");
    if (e.param != nullptr) {
      p.Inside(*e.param);
      p.Add(", ");
    }
    p.Inside(*e.expr);
    p.Add(")");
  }
  void operator()(const Binary& e) const {
    const bool follows = p.LeftOperandOf(e.op);
    p.Print(*e.lhs);
    p.set_arithmetic_follows(follows);
    p.Add(" ");
    p.Head(e);
    p.Add(" ");
    p.Print(*e.rhs);
  }
  void operator()(const Unary& e) const {
    p.Add(p.Sign(e));
    p.Print(*e.expr);
  }
  void operator()(const Paren& e) const {
    p.Add("(");
    p.Inside(*e.expr);
    p.Add(")");
  }
};

void PrintState::Print(const Expr& expr) {
  if (!Full()) Visit(expr, Nodes{*this});
}

void PrintState::Inside(const Expr& expr) {
  const bool follows = std::exchange(arithmetic_follows_, false);
  Print(expr);
  arithmetic_follows_ = follows;
}

void PrintState::Matchers(const VectorSelector& e) {
  Add(e.name);
  std::vector<std::string> texts;
  for (const MatcherPtr& matcher : e.matchers) {
    const bool said = matcher->name() == kMetricName &&
                      matcher->type() == Matcher::Type::kEqual &&
                      matcher->value() == e.name && !e.name.empty();
    if (!said) texts.push_back(matcher->ToString());
  }
  if (texts.empty()) {
    // Prometheus writes nothing, which is no argument of info().
    if (e.name.empty()) Add("{}");
    return;
  }
  std::sort(texts.begin(), texts.end());
  char before = '{';
  for (const std::string& text : texts) {
    out_ += before;
    Add(text);
    before = ',';
  }
  Add("}");
}

void PrintState::Modifiers(const AtModifier& at, std::string_view extended,
                           const DurationSpec& offset) {
  const bool offset_first = OffsetFirst(offset);
  if (offset_first) Offset(offset);
  At(at);
  Add(extended);
  if (!offset_first) Offset(offset);
}

void PrintState::At(const AtModifier& at) {
  switch (at.kind) {
    case AtModifier::Kind::kNone:
      break;
    case AtModifier::Kind::kTime:
      Add(absl::StrFormat(" @ %.3f", static_cast<double>(at.t.ms) / 1000.0));
      break;
    case AtModifier::Kind::kStart:
      Add(" @ start()");
      break;
    case AtModifier::Kind::kEnd:
      Add(" @ end()");
      break;
  }
}

void PrintState::Offset(const DurationSpec& offset) {
  if (!offset.present()) return;
  Add(" offset ");
  Print(offset);
}

void PrintState::Range(const MatrixSelector& e) {
  Add("[");
  Print(e.range);
  Add("]");
  const VectorSelector& selector = *e.selector;
  // Behind a range, these come the other way round.
  const std::string_view extended = Extended(selector);
  const bool offset_first = OffsetFirst(selector.offset);
  if (!offset_first) Add(extended);
  Modifiers(selector.at, offset_first ? extended : "", selector.offset);
}

void PrintState::Range(const Subquery& e) {
  Add("[");
  Print(e.range);
  Add(":");
  if (e.step.present()) Print(e.step);
  Add("]");
  Modifiers(e.at, "", e.offset);
}

void PrintState::LabelNames(const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) Add(", ");
    const std::string& name = names[i];
    // Bare, these two are numbers; Prometheus prints them so.
    const bool number = absl::EqualsIgnoreCase(name, "nan") ||
                        absl::EqualsIgnoreCase(name, "inf");
    Add(IsLegacyLabelName(name) && !number ? name : GoQuote(name));
  }
}

void PrintState::Head(const Aggregate& e) {
  Add(Text(e.op));
  if (!e.without && e.grouping.empty()) return;
  Add(e.without ? " without (" : " by (");
  LabelNames(e.grouping);
  Add(") ");
}

void PrintState::Head(const Binary& e) {
  Add(Text(e.op));
  if (e.return_bool) Add(" bool");
  if (!e.matching) return;
  const VectorMatching& m = *e.matching;
  const bool left = m.card == VectorMatching::Card::kManyToOne;
  const bool right = m.card == VectorMatching::Card::kOneToMany;
  if (!m.labels.empty() || m.on || left || right) {
    Add(m.on ? " on (" : " ignoring (");
    LabelNames(m.labels);
    Add(")");
  }
  if (left || right) {
    Add(left ? " group_left (" : " group_right (");
    LabelNames(m.include);
    Add(")");
  }
  auto fill = [&](std::string_view word, double value) {
    Add(StrCat(" ", word, " (", FormatFloat(value), ")"));
  };
  if (m.fill_left && m.fill_right && *m.fill_left == *m.fill_right) {
    fill("fill", *m.fill_left);
  } else {
    if (m.fill_left) fill("fill_left", *m.fill_left);
    if (m.fill_right) fill("fill_right", *m.fill_right);
  }
}

void PrintState::Print(const DurationSpec& spec) {
  if (spec.expr != nullptr) return Print(*spec.expr);
  if (spec.value.ms < 0) Add("-");
  Add(FormatDuration(spec.value.ms < 0 ? -spec.value : spec.value));
}

void PrintState::Print(const DurationExpr& e) {
  if (Full()) return;
  if (e.wrapped) Add("(");
  switch (e.op) {
    case Op::kNumber:
      Add(NumberText(e.seconds, e.as_duration));
      break;
    case Op::kStep:
    case Op::kRange:
      Add(Text(e.op));
      Add("()");
      break;
    case Op::kMinOf:
    case Op::kMaxOf:
      Add(Text(e.op));
      Add("(");
      Print(*e.lhs);
      Add(", ");
      Print(*e.rhs);
      Add(")");
      break;
    case Op::kPlus:  // goes without saying
      Print(*e.rhs);
      break;
    case Op::kNegate:
      Add("-");
      Print(*e.rhs);
      break;
    default:
      Print(*e.lhs);
      Add(StrCat(" ", Text(e.op), " "));
      Print(*e.rhs);
      break;
  }
  if (e.wrapped) Add(")");
}

std::string Print(const Expr& expr) {
  std::string out;
  PrintState(out).Print(expr);
  return out;
}
std::string Print(const DurationExpr& expr) {
  std::string out;
  PrintState(out).Print(expr);
  return out;
}
std::string Print(const DurationSpec& spec) {
  std::string out;
  PrintState(out).Print(spec);
  return out;
}

std::string PrintHead(const Expr& expr) {
  std::string out;
  PrintState p(out);
  Visit(expr, Overloaded{
                  [&](const MatrixSelector& e) { p.Range(e); },
                  [&](const Subquery& e) { p.Range(e); },
                  [&](const Call& e) { out = e.function->name; },
                  [&](const Aggregate& e) { p.Head(e); },
                  [&](const Binary& e) { p.Head(e); },
                  [&](const Unary& e) { out = p.Sign(e); },
                  [&](const Paren&) { out = "()"; },
                  [&](const auto& leaf) { p.Print(leaf); },
              });
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace narthex::promql
