// Queries with parameters, prepared once and run many times.
//
//   auto slow = PreparedQuery::Prepare(
//       "quantile_over_time($q, latency{$who}[$window])",
//       {{"q", ParameterType::kNumber},
//        {"who", ParameterType::kMatchers},
//        {"window", ParameterType::kDuration}}, engine);
//   auto bound = slow->Bind({{"q", 0.99}, {"window", Minutes(5)},
//                            {"who", MatcherList{{"job", "api"}}}});
//   bound->Range(engine, store, range, step);
//
// A value can only be what its type says: text that comes from users can't
// change the query's shape.  A `$name` inside a string or a comment is text.
//
// Values; any thread once made.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/matcher.h"
#include "narthex/promql/engine.h"
#include "narthex/promql/parser.h"

namespace narthex::promql {

enum class ParameterType : uint8_t {
  kNumber,    // a scalar
  kDuration,  // `[$d]`, `[5m:$d]`, `offset $d`; may be negative behind offset
  kString,    // an argument such as label_replace's
  kMatchers,  // inside the braces of a selector
  kLabels     // names inside by(...), on(...) and their like
};

struct Parameter {
  std::string name = {};  // without the dollar
  ParameterType type = ParameterType::kNumber;
};

// One matcher of a kMatchers value.  Regular expressions are checked by Bind.
struct MatcherValue {
  std::string name = {};
  std::string value = {};
  Matcher::Type type = Matcher::Type::kEqual;
};
using MatcherList = std::vector<MatcherValue>;
using LabelList = std::vector<std::string>;

struct Argument {
  std::string name = {};
  std::variant<double, Duration, std::string, MatcherList, LabelList> value =
      {};
};

// A query without parameters left, parsed.  Runs as often as one likes without
// being parsed again.
class BoundQuery {
 public:
  absl::StatusOr<QueryResult> Instant(const Engine& engine, Queryable& store,
                                      Timestamp at,
                                      const QueryOptions& options = {}) const;
  absl::StatusOr<QueryResult> Range(const Engine& engine, Queryable& store,
                                    TimeRange range, Duration step,
                                    const QueryOptions& options = {}) const;
  // Plain PromQL, which answers the same.
  const std::string& text() const { return text_; }
  const Expr& expr() const { return *expr_; }

 private:
  friend class PreparedQuery;
  std::string text_;
  std::shared_ptr<const Expr> expr_;
};

class PreparedQuery {
 public:
  // kInvalidArgument: a `$name` that is not declared, or declared and not used;
  // and what is wrong with the query for any values, with line and column.
  static absl::StatusOr<PreparedQuery> Prepare(
      std::string_view text, std::vector<Parameter> parameters,
      const Engine& engine);

  // kInvalidArgument: a parameter without argument, an argument of another
  // type, a matcher that does not compile, a name that is no name.
  absl::StatusOr<BoundQuery> Bind(const std::vector<Argument>& arguments) const;

  const std::vector<Parameter>& parameters() const { return parameters_; }

 private:
  // Text up to a parameter, and which.
  struct Piece {
    std::string text = {};
    size_t parameter = 0;  // parameters_.size(): none, the end
  };

  std::vector<Parameter> parameters_;
  std::vector<Piece> pieces_;
  ParserOptions parser_;
};

}  // namespace narthex::promql
