// How the parts of a tree are called in texts.

#include <string_view>

#include "narthex/promql/ast.h"

namespace narthex::promql {

std::string_view ShortName(ValueType type) {
  constexpr std::string_view kNames[] = {"none", "scalar", "string", "vector",
                                         "matrix"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view DocumentedName(ValueType type) {
  switch (type) {
    case ValueType::kVector:
      return "instant vector";
    case ValueType::kMatrix:
      return "range vector";
    default:
      return ShortName(type);
  }
}

std::string_view Text(BinaryOp op) {
  constexpr std::string_view kTexts[] = {"+",   "-",     "*",     "/",  "%",
                                         "^",   "atan2", "==",    "!=", "<",
                                         "<=",  ">",     ">=",    "</", ">/",
                                         "and", "or",    "unless"};
  return kTexts[static_cast<size_t>(op)];
}

std::string_view Text(AggregateOp op) {
  constexpr std::string_view kTexts[] = {
      "sum",          "avg",      "count",  "min",        "max",
      "group",        "stddev",   "stdvar", "topk",       "bottomk",
      "count_values", "quantile", "limitk", "limit_ratio"};
  return kTexts[static_cast<size_t>(op)];
}

std::string_view Text(DurationExpr::Op op) {
  constexpr std::string_view kTexts[] = {"",  "step",   "range", "-", "+",
                                         "+", "-",      "*",     "/", "%",
                                         "^", "min_of", "max_of"};
  return kTexts[static_cast<size_t>(op)];
}

std::string_view Text(VectorMatching::Card card) {
  constexpr std::string_view kTexts[] = {"one-to-one", "many-to-one",
                                         "one-to-many", "many-to-many"};
  return kTexts[static_cast<size_t>(card)];
}

}  // namespace narthex::promql
