// label_replace and label_join: they look at labels alone, so they run once per
// series, whatever the number of steps.

#include <string>
#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/model/matcher.h"

namespace narthex::promql {
namespace {

const std::string& Text(const CallNode& node, size_t arg) {
  return static_cast<const StringNode&>(*node.inputs[arg]).value;
}

bool IsValidLabelName(std::string_view name) {
  return !name.empty() && IsValidUtf8(name);
}

// Gives `row` the label; a name that is given explicitly stays.
SeriesRow Relabel(QueryScope& scope, const SeriesRow& row,
                  std::string_view name, std::string_view value) {
  SeriesRow out = row;
  out.labels = scope.WithLabel(row.labels, scope.symbols().Intern(name),
                               scope.symbols().Intern(value));
  if (name == kMetricName) out.drop_name = false;
  return out;
}

absl::StatusOr<RelabeledRows> Replace(const CallNode& node, QueryScope& scope,
                                      SeriesRows before) {
  const std::string& target = Text(node, 1);
  const std::string& replacement = Text(node, 2);
  const SymbolId source = scope.symbols().Find(Text(node, 3));
  auto regex = Regex::Make(Text(node, 4));
  if (!regex.ok()) {
    return InvalidArgument(StrCat(
        "invalid regular expression in label_replace(): ", Text(node, 4)));
  }
  if (!IsValidLabelName(target)) {
    return InvalidArgument(
        StrCat("invalid destination label name in label_replace(): ", target));
  }
  const std::span<SeriesRow> rows = scope.NewRows(before.size());
  std::string value;
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] = before[i];
    const SymbolId id = source == 0 ? 0 : ValueOf(before[i].labels, source);
    if ((*regex)->Expand(scope.symbols().Text(id), replacement, value)) {
      rows[i] = Relabel(scope, before[i], target, value);
    }
  }
  return RelabeledRows{rows};
}

absl::StatusOr<RelabeledRows> Join(const CallNode& node, QueryScope& scope,
                                   SeriesRows before) {
  const std::string& target = Text(node, 1);
  const std::string& separator = Text(node, 2);
  std::vector<SymbolId> sources;
  for (size_t i = 3; i < node.inputs.size(); ++i) {
    if (!IsValidLabelName(Text(node, i))) {
      return InvalidArgument(
          StrCat("invalid source label name in label_join(): ", Text(node, i)));
    }
    sources.push_back(scope.symbols().Find(Text(node, i)));
  }
  if (!IsValidLabelName(target)) {
    return InvalidArgument(
        StrCat("invalid destination label name in label_join(): ", target));
  }
  const std::span<SeriesRow> rows = scope.NewRows(before.size());
  std::string value;
  for (size_t i = 0; i < rows.size(); ++i) {
    value.clear();
    for (size_t s = 0; s < sources.size(); ++s) {
      if (s > 0) value += separator;
      const SymbolId id =
          sources[s] == 0 ? 0 : ValueOf(before[i].labels, sources[s]);
      value += scope.symbols().Text(id);
    }
    rows[i] = Relabel(scope, before[i], target, value);
  }
  return RelabeledRows{rows};
}

}  // namespace

OperatorPtr NewLabelFunction(const CallNode& node, QueryScope& scope,
                             OperatorPtr input) {
  const bool replace = node.id == FunctionId::kLabelReplace;
  return NewRelabeled(scope, std::move(input), node.grid,
                      [&node, &scope, replace](SeriesRows before) {
                        return replace ? Replace(node, scope, before)
                                       : Join(node, scope, before);
                      });
}

}  // namespace narthex::promql
