// `narthex promql format EXPR` and `narthex promql parse EXPR`: an expression
// in lines as long as they should be, and as the tree that it is.

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "narthex/base/status.h"
#include "narthex/promql/parser.h"
#include "narthex/promql/printer.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

using promql::Expr;
using promql::ExprKind;

std::string_view KindName(ExprKind kind) {
  switch (kind) {
    case ExprKind::kNumber:
      return "number";
    case ExprKind::kString:
      return "string";
    case ExprKind::kVector:
      return "selector";
    case ExprKind::kMatrix:
      return "range";
    case ExprKind::kSubquery:
      return "subquery";
    case ExprKind::kCall:
      return "call";
    case ExprKind::kAggregate:
      return "aggregation";
    case ExprKind::kBinary:
      return "binary";
    case ExprKind::kUnary:
      return "unary";
    case ExprKind::kParen:
      return "parentheses";
  }
  return "";
}

absl::StatusOr<promql::ExprPtr> Read(const std::string& text) {
  return promql::ParseExpr(text, promql::ParserOptions::Everything());
}

int Refuse(const std::string& text, const absl::Status& status) {
  Fail(StrCat("error parsing query: ", Message(status)));
  std::cerr << MarkQueryError(text, Message(status));
  return kFailure;
}

int Format(const std::string& text) {
  const auto expr = Read(text);
  if (!expr.ok()) return Refuse(text, expr.status());
  Print(StrCat(promql::PrettyPrint(**expr), "\n"));
  return kSuccess;
}

// A node a line: what it is, what it says, its type and place.
int Parse(const std::string& text) {
  const auto expr = Read(text);
  if (!expr.ok()) return Refuse(text, expr.status());
  promql::Walk(**expr,
               [&](const Expr& node, std::span<const Expr* const> path) {
                 Print(StrCat(std::string(2 * path.size(), ' '),
                              KindName(node.kind), " ", promql::PrintHead(node),
                              "  (", promql::DocumentedName(node.type), ", ",
                              promql::LineColumn(text, node.pos.begin), " to ",
                              promql::LineColumn(text, node.pos.end), ")\n"));
                 return true;
               });
  return kSuccess;
}

void AddVerb(CLI::App& parent, const char* name, const char* description,
             int (*run)(const std::string&), int& exit_code) {
  auto text = std::make_shared<std::string>();
  CLI::App* verb = parent.add_subcommand(name, description);
  verb->add_option("query", *text, "PromQL expression")->required();
  verb->callback([text, run, &exit_code] { exit_code = run(*text); });
}

}  // namespace

void AddPromqlFormat(CLI::App& parent, int& exit_code) {
  AddVerb(parent, "format", "Format a PromQL expression to pretty printed form",
          Format, exit_code);
}

void AddPromqlParse(CLI::App& parent, int& exit_code) {
  AddVerb(parent, "parse", "Show the tree that a PromQL expression is", Parse,
          exit_code);
}

}  // namespace narthex::tools
