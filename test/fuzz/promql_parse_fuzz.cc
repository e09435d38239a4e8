// Any text: refused in words, or printed so that it parses to the same tree.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "narthex/promql/parser.h"
#include "narthex/promql/printer.h"
#include "test/support/fuzz_target.h"

using namespace narthex::promql;

namespace {

// Where Prometheus's text of a tree, which is ours, says less than the tree:
// signs in duration arithmetic and of 0s are not printed, bare arithmetic
// behind `offset` (it needs two signs) lacks its parentheses, and milliseconds
// are cut off after a floating point product.
bool IsExact(double seconds) {
  return seconds == std::trunc(seconds) && !std::signbit(seconds);
}

bool PrintedWithLoss(const DurationExpr* expr) {
  if (expr == nullptr) return false;
  switch (expr->op) {
    case DurationExpr::Op::kPlus:
      return true;
    case DurationExpr::Op::kNumber:
      return expr->as_duration && !IsExact(expr->seconds);
    default:
      return PrintedWithLoss(expr->lhs.get()) ||
             PrintedWithLoss(expr->rhs.get());
  }
}
bool PrintedWithLoss(const DurationSpec& spec) {
  return spec.value.ms % 1000 != 0 || PrintedWithLoss(spec.expr.get());
}
bool OffsetPrintedWithLoss(const DurationSpec& spec) {
  if (spec.expr == nullptr) return spec.value.ms % 1000 != 0;
  switch (spec.expr->op) {
    case DurationExpr::Op::kStep:
    case DurationExpr::Op::kRange:
    case DurationExpr::Op::kMinOf:
    case DurationExpr::Op::kMaxOf:
      return PrintedWithLoss(spec);
    default:
      return !spec.expr->wrapped || PrintedWithLoss(spec);
  }
}

bool PrintedWithLoss(const Expr& root) {
  bool found = false;
  Walk(root, [&found](const Expr& node, std::span<const Expr* const>) {
    if (const auto* selector = As<VectorSelector>(node)) {
      found |= OffsetPrintedWithLoss(selector->offset);
    } else if (const auto* matrix = As<MatrixSelector>(node)) {
      found |= PrintedWithLoss(matrix->range);
    } else if (const auto* sub = As<Subquery>(node)) {
      found |= PrintedWithLoss(sub->range) || PrintedWithLoss(sub->step) ||
               OffsetPrintedWithLoss(sub->offset);
    } else if (const auto* number = As<NumberLiteral>(node)) {
      found |= number->as_duration && !IsExact(number->value);
    }
    return true;
  });
  return found;
}

// Durations shorter than a millisecond are printed as 0s, as Prometheus does:
// no range.
bool HasTooShortDuration(const std::string& text) {
  return text.find("[0s") != std::string::npos ||
         text.find(":0s") != std::string::npos;
}

// The order of matchers in braces means nothing; they are printed sorted.
void SortMatchers(Expr& expr) {
  if (auto* selector = As<VectorSelector>(expr)) {
    std::sort(selector->matchers.begin(), selector->matchers.end(),
              [](const auto& a, const auto& b) {
                return a->ToString() < b->ToString();
              });
  }
  ForEachChild(expr, [](Expr& child) { SortMatchers(child); });
}

bool SameMeaning(const Expr& a, const Expr& b) {
  const ExprPtr x = Clone(a), y = Clone(b);
  SortMatchers(*x);
  SortMatchers(*y);
  return SameTree(*x, *y);
}

void CheckSameAgain(const Expr& expr, const std::string& text) {
  // Infinity is printed as +Inf, as Prometheus does; the sign may be read as an
  // operator.
  if (HasTooShortDuration(text) || text.find("+Inf") != std::string::npos) {
    return;
  }
  ParseError error;
  auto again = ParseExpr(text, ParserOptions::Everything(), &error);
  NARTHEX_FUZZ_CHECK(again.ok(), text + "\n" + error.text);
  if (PrintedWithLoss(expr)) return;
  NARTHEX_FUZZ_CHECK(SameMeaning(expr, **again), text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = narthex::test::FuzzText(data, size);
  ParseError error;
  auto expr = ParseExpr(text, ParserOptions::Everything(), &error);
  if (!expr.ok()) {
    NARTHEX_FUZZ_CHECK(!error.text.empty(), "an error without words");
    NARTHEX_FUZZ_CHECK(error.pos.begin <= text.size(), error.text);
    return 0;
  }
  CheckSameAgain(**expr, Print(**expr));
  CheckSameAgain(**expr, PrettyPrint(**expr));
  NARTHEX_FUZZ_CHECK(SameTree(**expr, *Clone(**expr)), Print(**expr));
  return 0;
}
