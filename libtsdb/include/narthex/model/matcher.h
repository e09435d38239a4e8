// A condition on one label: = != =~ !~.  A regular expression is RE2's syntax,
// fully anchored, dot matching newline; literals, alternations of literals and
// prefixes are found first and never reach RE2.
//
// Immutable; any thread.  A label that is absent matches as the empty text.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace narthex {

class AnchoredRegex;

class Matcher {
 public:
  enum class Type : uint8_t { kEqual, kNotEqual, kRegex, kNotRegex };

  // Refuses a regular expression that doesn't parse, with Go's wording where
  // it can.
  static absl::StatusOr<std::shared_ptr<const Matcher>> Make(
      Type type, std::string_view name, std::string_view value);
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  Type type() const { return type_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  bool negative() const {
    return type_ == Type::kNotEqual || type_ == Type::kNotRegex;
  }

  bool Matches(std::string_view text) const;
  bool MatchesEmpty() const { return Matches({}); }

  // The texts that are all that this matcher (=, =~) or its inverse (!=, !~)
  // matches, sorted, if they are known and few; else empty.
  std::span<const std::string> set() const;
  // Every match begins with it; "" if nothing is known.  Positive kinds only.
  std::string_view prefix() const;
  // `.*` or `.+`: no need to look at values.
  bool matches_everything() const;
  bool matches_any_nonempty() const;

  // `name="value"`; a name that is no identifier is quoted.
  std::string ToString() const;

 private:
  Matcher(Type type, std::string_view name, std::string_view value);

  Type type_;
  std::string name_;
  std::string value_;
  std::unique_ptr<AnchoredRegex> regex_;  // null for = and !=
  std::vector<std::string> equal_set_;    // of = and !=: the value alone
};

using MatcherPtr = std::shared_ptr<const Matcher>;
using Matchers = std::vector<MatcherPtr>;

// An anchored regular expression with capture groups, for relabeling and
// label_replace: `^(?s:re)$`, and Go's `$1`, `${name}` templates.
class Regex {
 public:
  static absl::StatusOr<std::shared_ptr<const Regex>> Make(
      std::string_view pattern);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  const std::string& pattern() const { return pattern_; }
  bool Matches(std::string_view text) const;
  // If `text` matches: the template expanded as Go's Regexp.Expand does ($1,
  // ${1}, $name, ${name}, $$; an unknown group is empty) into `out`, replacing
  // it.
  bool Expand(std::string_view text, std::string_view replacement,
              std::string& out) const;

 private:
  struct Impl;
  Regex(std::string_view pattern, std::unique_ptr<Impl> impl);
  std::string pattern_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex
