// The printer of many lines.  A node that fits into a line is printed as one;
// what doesn't is opened, its children a level further in.

#include <string>
#include <string_view>
#include <utility>

#include "libpromql/parse/print_state.h"
#include "narthex/promql/printer.h"

namespace narthex::promql {
namespace {

constexpr size_t kLineLimit = 100;
constexpr std::string_view kIndent = "  ";

class PrettyPrinter {
 public:
  explicit PrettyPrinter(std::string& out) : out_(out), line_(out) {}

  void Print(const Expr& expr, int level) {
    const Subquery* subquery = As<Subquery>(expr);
    if (Fits(expr)) {
      // A subquery isn't indented, as in Prometheus.
      if (subquery == nullptr) Indent(level);
      bare_ = false;
      line_.Print(expr);
      return;
    }
    switch (expr.kind) {
      case ExprKind::kAggregate: {
        const auto& aggregate = *As<Aggregate>(expr);
        Indent(level);
        line_.Head(aggregate);
        out_ += "(\n";
        if (aggregate.param != nullptr) {
          Inside(*aggregate.param, level + 1);
          out_ += ",\n";
        }
        Inside(*aggregate.expr, level + 1);
        return Close(level);
      }
      case ExprKind::kBinary: {
        const auto& binary = *As<Binary>(expr);
        const bool follows = line_.LeftOperandOf(binary.op);
        Print(*binary.lhs, level + 1);
        line_.set_arithmetic_follows(follows);
        out_ += '\n';
        Indent(level);
        line_.Head(binary);
        out_ += '\n';
        return Print(*binary.rhs, level + 1);
      }
      case ExprKind::kCall: {
        const auto& call = *As<Call>(expr);
        Indent(level);
        out_ += call.function->name;
        out_ += "(\n";
        for (size_t i = 0; i < call.args.size(); ++i) {
          if (i > 0) out_ += ",\n";
          Inside(*call.args[i], level + 1);
        }
        return Close(level);
      }
      case ExprKind::kParen:
        Indent(level);
        out_ += "(\n";
        Inside(*As<Paren>(expr)->expr, level + 1);
        return Close(level);
      case ExprKind::kSubquery:
        Inside(*subquery->expr, level);
        return line_.Range(*subquery);
      case ExprKind::kUnary: {
        const auto& unary = *As<Unary>(expr);
        Indent(level);
        out_ += line_.Sign(unary);
        bare_ = true;  // the sign sits where the operand would be indented
        return Print(*unary.expr, level);
      }
      default:
        Indent(level);
        bare_ = false;
        line_.Print(expr);
    }
  }

 private:
  static bool Fits(const Expr& expr) {
    std::string text;
    PrintState(text, kLineLimit).Print(expr);
    return text.size() <= kLineLimit;
  }

  // Between brackets: what follows behind them doesn't matter.
  void Inside(const Expr& expr, int level) {
    const bool follows = line_.set_arithmetic_follows(false);
    Print(expr, level);
    line_.set_arithmetic_follows(follows);
  }

  void Indent(int level) {
    if (std::exchange(bare_, false)) return;
    for (int i = 0; i < level; ++i) out_ += kIndent;
  }

  void Close(int level) {
    out_ += '\n';
    Indent(level);
    out_ += ')';
  }

  std::string& out_;
  PrintState line_;
  bool bare_ = false;
};

}  // namespace

std::string PrettyPrint(const Expr& expr) {
  std::string out;
  PrettyPrinter(out).Print(expr, 0);
  return out;
}

}  // namespace narthex::promql
