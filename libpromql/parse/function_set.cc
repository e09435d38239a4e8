// The functions that a host adds to the language.

#include <algorithm>
#include <utility>

#include "libpromql/parse/function_table.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/promql/host_function.h"
#include "narthex/promql/parser.h"

namespace narthex::promql {

absl::Status FunctionSet::Add(HostFunction function) {
  const std::string& name = function.name;
  // `name(x)` has to be a call of an unknown function: keywords are not.
  ParseError error;
  const bool callable =
      IsLegacyLabelName(name) &&
      !ParseExpr(StrCat(name, "(x)"), ParserOptions::Everything(), &error)
           .ok() &&
      error.text == StrCat("unknown function with name ", GoQuote(name));
  if (FindFunction(name) != nullptr || Find(name) != nullptr) {
    return AlreadyExists(StrCat("there is a function ", name, " already"));
  }
  if (!callable) {
    return InvalidArgument(
        StrCat(GoQuote(name), " can't be the name of a function"));
  }
  if ((function.map == nullptr) == (function.window == nullptr)) {
    return InvalidArgument(
        StrCat("function ", name, " needs either map or window"));
  }
  if (function.scalars < 0) {
    return InvalidArgument(
        StrCat("function ", name, " can't have fewer than no arguments"));
  }
  Entry& entry = entries_.emplace_back();
  entry.host = std::move(function);
  entry.types.assign(static_cast<size_t>(entry.host.scalars) + 1,
                     ValueType::kScalar);
  entry.types[0] =
      entry.host.map != nullptr ? ValueType::kVector : ValueType::kMatrix;
  entry.name = entry.host.name;
  entry.id = FunctionId::kHost;
  entry.arg_types = entry.types;
  return absl::OkStatus();
}

const Function* FunctionSet::Find(std::string_view name) const {
  const auto it =
      std::find_if(entries_.begin(), entries_.end(),
                   [name](const Entry& e) { return e.name == name; });
  return it == entries_.end() ? nullptr : &*it;
}

}  // namespace narthex::promql
