#include "libnarthex/testing/promql_script.h"

#include <algorithm>
#include <utility>

#include "narthex/base/ascii.h"
#include "narthex/base/status.h"

namespace narthex::testing {
namespace {

constexpr std::string_view kBlank = " \t\r\f\v";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// The first word; `rest` begins with the second.
std::string_view EatWord(std::string_view& rest) {
  const size_t end = std::min(rest.find_first_of(kBlank), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest = Trim(rest.substr(end));
  return word;
}

bool EatPrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// A regular expression that may match anywhere.
absl::StatusOr<std::shared_ptr<const Regex>> Searching(
    std::string_view pattern) {
  return Regex::Make(StrCat(".*(?:", pattern, ").*"));
}

class ScriptParser {
 public:
  explicit ScriptParser(std::string_view text) {
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = Trim(text.substr(0, end));
      if (line.starts_with('#')) line = {};  // and so it ends a block
      lines_.push_back(line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  absl::StatusOr<std::vector<Command>> Parse() {
    std::vector<Command> commands;
    for (; next_ < lines_.size(); ++next_) {
      std::string_view rest = lines_[next_];
      if (rest.empty()) continue;
      const std::string word = AsciiLower(EatWord(rest));
      absl::Status status;
      if (word == "clear") {
        commands.emplace_back(std::in_place_type<ClearCommand>);
      } else if (word.starts_with("load")) {
        status = Load(word, rest, commands);
      } else if (word.starts_with("eval")) {
        status = Eval(word, rest, commands);
      } else {
        status =
            InvalidArgument(StrCat("invalid command ", GoQuote(lines_[next_])));
      }
      if (!status.ok()) return Annotate(status, StrCat("line ", next_ + 1));
    }
    return commands;
  }

 private:
  // Goes to the next line if it belongs to the block.
  bool NextInBlock() {
    if (next_ + 1 >= lines_.size() || lines_[next_ + 1].empty()) return false;
    ++next_;
    return true;
  }

  absl::Status Load(std::string_view word, std::string_view rest,
                    std::vector<Command>& out) {
    LoadCommand load;
    load.with_nhcb = word == "load_with_nhcb";
    if ((word != "load" && !load.with_nhcb) || rest.empty()) {
      return InvalidArgument(
          "invalid load command. (load[_with_nhcb] <step:duration>)");
    }
    auto step = ParseDuration(rest);
    if (!step.ok()) {
      return Annotate(step.status(),
                      StrCat("invalid step definition ", GoQuote(rest)));
    }
    load.step = *step;
    load.line = static_cast<int>(next_) + 2;
    while (NextInBlock()) StrAppend(&load.series, lines_[next_], "\n");
    out.emplace_back(std::in_place_type<LoadCommand>, std::move(load));
    return absl::OkStatus();
  }

  absl::Status Eval(std::string_view word, std::string_view rest,
                    std::vector<Command>& out) {
    EvalCommand eval;
    eval.line = static_cast<int>(next_) + 1;
    const std::string_view kind = EatWord(rest);
    eval.range = kind == "range";
    if ((kind != "instant" && !eval.range) || !Suffix(word, eval)) {
      return InvalidArgument(
          "invalid evaluation command. Must be either 'eval[_fail|_warn|"
          "_ordered] instant [at <offset:duration>] <query>' or 'eval[_fail|"
          "_warn] range from <from> to <to> step <step> <query>'");
    }
    if (eval.range) {
      NARTHEX_RETURN_IF_ERROR(Grid(rest, eval));
    } else {
      std::string_view after = rest;
      std::string_view at;
      if (EatWord(after) == "at") {
        at = EatWord(after);
        rest = after;
      }
      auto offset = ParseDuration(at);
      if (!offset.ok()) {
        return Annotate(offset.status(),
                        StrCat("invalid timestamp definition ", GoQuote(at)));
      }
      eval.at = Timestamp(0) + *offset;
    }
    eval.expr = std::string(rest);
    auto expr =
        promql::ParseExpr(eval.expr, promql::ParserOptions::Everything());
    if (!expr.ok()) return expr.status();
    NARTHEX_RETURN_IF_ERROR(Expectations(eval));
    out.emplace_back(std::in_place_type<EvalCommand>, std::move(eval));
    return absl::OkStatus();
  }

  static bool Suffix(std::string_view word, EvalCommand& eval) {
    if (word == "eval") return true;
    eval.fail = word == "eval_fail";
    eval.any_warning = word == "eval_warn";
    eval.any_info = word == "eval_info";
    eval.ordered = word == "eval_ordered" && !eval.range;
    return eval.fail || eval.any_warning || eval.any_info || eval.ordered;
  }

  // `from 0 to 5m step 1m`
  static absl::Status Grid(std::string_view& rest, EvalCommand& eval) {
    Duration from, to;
    auto part = [&rest](std::string_view name, std::string_view what,
                        Duration& value) -> absl::Status {
      const std::string_view word = EatWord(rest);
      const std::string_view text = EatWord(rest);
      auto parsed = ParseDuration(word == name ? text : std::string_view());
      if (!parsed.ok()) {
        return Annotate(parsed.status(), StrCat("invalid ", what,
                                                " definition ", GoQuote(text)));
      }
      value = *parsed;
      return absl::OkStatus();
    };
    NARTHEX_RETURN_IF_ERROR(part("from", "start timestamp", from));
    NARTHEX_RETURN_IF_ERROR(part("to", "end timestamp", to));
    NARTHEX_RETURN_IF_ERROR(part("step", "step", eval.step));
    if (to < from) {
      return InvalidArgument(
          StrCat("invalid test definition, end timestamp (", FormatDuration(to),
                 ") is before start timestamp (", FormatDuration(from), ")"));
    }
    eval.start = Timestamp(0) + from;
    eval.end = Timestamp(0) + to;
    return absl::OkStatus();
  }

  absl::Status Expectations(EvalCommand& eval) {
    bool range_vector = false;
    while (NextInBlock()) {
      const std::string_view line = lines_[next_];
      std::string_view rest = line;
      if (eval.fail && EatPrefix(rest, "expected_fail_message")) {
        eval.failure = {{std::string(Trim(rest)), nullptr}};
        return absl::OkStatus();
      }
      if (eval.fail && EatPrefix(rest, "expected_fail_regexp")) {
        NARTHEX_ASSIGN_OR_RETURN(auto regex, Searching(Trim(rest)));
        eval.failure = {{std::nullopt, std::move(regex)}};
        return absl::OkStatus();
      }
      if (EatPrefix(rest, "expect range vector")) {
        rest = Trim(rest);
        NARTHEX_RETURN_IF_ERROR(Grid(rest, eval));
        range_vector = eval.instant_only = true;
        eval.at = eval.end;
        continue;
      }
      if (EatPrefix(rest, "expect string")) {
        NARTHEX_RETURN_IF_ERROR(ExpectString(Trim(rest), eval));
        continue;
      }
      if (EatWord(rest) == "expect") {
        NARTHEX_RETURN_IF_ERROR(Expect(rest, eval));
        continue;
      }
      // A number alone is the last line.
      if (Number(line, eval)) return absl::OkStatus();
      NARTHEX_ASSIGN_OR_RETURN(promql::SeriesDescription series,
                               promql::ParseSeriesDescription(line));
      if (series.values.size() > 1 && !eval.range && !range_vector) {
        return InvalidArgument(
            "expecting multiple values in instant evaluation not allowed. "
            "consider using 'expect range vector' directive to enable a range "
            "vector result for an instant query");
      }
      eval.series.push_back(
          {std::move(series.labels), std::move(series.values)});
    }
    return absl::OkStatus();
  }

  static bool Number(std::string_view line, EvalCommand& eval) {
    auto expr = promql::ParseExpr(line);
    if (!expr.ok()) return false;
    const auto* number = promql::As<promql::NumberLiteral>(**expr);
    if (number == nullptr || number->as_duration) return false;
    eval.scalar = number->value;
    return true;
  }

  static absl::Status ExpectString(std::string_view text, EvalCommand& eval) {
    auto expr = promql::ParseExpr(text);
    const auto* string =
        expr.ok() ? promql::As<promql::StringLiteral>(**expr) : nullptr;
    if (string == nullptr) {
      return InvalidArgument(
          "expected string literal not valid - check that the string is "
          "correctly quoted");
    }
    eval.string = string->value;
    eval.instant_only = true;
    return absl::OkStatus();
  }

  // `warn msg: ...`; the word `expect` is gone.
  static absl::Status Expect(std::string_view rest, EvalCommand& eval) {
    const std::string_view kind = EatWord(rest);
    ExpectedText expected;
    std::string_view text = rest;
    bool known = true;
    if (EatPrefix(text, "msg:")) {
      expected.text = std::string(Trim(text));
    } else if (EatPrefix(text, "regex:")) {
      auto regex = Searching(Trim(text));
      if (!regex.ok()) {
        return InvalidArgument(
            StrCat("invalid regex ", Trim(text), " for ", kind));
      }
      expected.regex = *std::move(regex);
    } else {
      known = rest.empty();
    }
    if (kind == "fail") {
      eval.fail = true;
      if (!eval.failure.empty()) {
        return InvalidArgument(
            "invalid expect lines, multiple expect fail lines are not allowed");
      }
      eval.failure.push_back(std::move(expected));
    } else if (kind == "warn") {
      eval.warnings.push_back(std::move(expected));
    } else if (kind == "info") {
      eval.infos.push_back(std::move(expected));
    } else if (kind == "no_warn") {
      eval.no_warnings = true;
    } else if (kind == "no_info") {
      eval.no_infos = true;
    } else if (kind == "ordered") {
      eval.ordered = true;
    } else {
      known = false;
    }
    if (!known) {
      return InvalidArgument(
          "invalid expect statement, must match `expect <type> <match_type>: "
          "<string>` format");
    }
    if ((eval.no_infos && !eval.infos.empty()) ||
        (eval.no_warnings && !eval.warnings.empty())) {
      const std::string_view both = eval.infos.empty() ? "warn" : "info";
      return InvalidArgument(StrCat("invalid expect lines, ", both, " and no_",
                                    both, " cannot be used together"));
    }
    return absl::OkStatus();
  }

  std::vector<std::string_view> lines_;
  size_t next_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Command>> ParseScript(std::string_view text) {
  return ScriptParser(text).Parse();
}

}  // namespace narthex::testing
