#include "narthex/model/matcher.h"

#include <re2/re2.h>

#include <algorithm>

#include "libtsdb/model/regex.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex {

Matcher::Matcher(Type type, std::string_view name, std::string_view value)
    : type_(type), name_(name), value_(value) {}
Matcher::~Matcher() = default;

absl::StatusOr<std::shared_ptr<const Matcher>> Matcher::Make(
    Type type, std::string_view name, std::string_view value) {
  std::shared_ptr<Matcher> matcher(new Matcher(type, name, value));
  if (type == Type::kRegex || type == Type::kNotRegex) {
    NARTHEX_ASSIGN_OR_RETURN(matcher->regex_, AnchoredRegex::Make(value));
  } else {
    matcher->equal_set_.emplace_back(value);
  }
  return matcher;
}

bool Matcher::Matches(std::string_view text) const {
  switch (type_) {
    case Type::kEqual:
      return text == value_;
    case Type::kNotEqual:
      return text != value_;
    case Type::kRegex:
      return regex_->Matches(text);
    case Type::kNotRegex:
      return !regex_->Matches(text);
  }
  return false;
}

std::span<const std::string> Matcher::set() const {
  return regex_ == nullptr ? std::span<const std::string>(equal_set_)
                           : regex_->set();
}

std::string_view Matcher::prefix() const {
  if (type_ == Type::kEqual) return value_;
  if (type_ == Type::kRegex) return regex_->prefix();
  return {};
}

bool Matcher::matches_everything() const {
  return type_ == Type::kRegex && regex_->matches_everything();
}

bool Matcher::matches_any_nonempty() const {
  if (type_ == Type::kRegex) return regex_->matches_any_nonempty();
  return type_ == Type::kNotEqual && value_.empty();
}

std::string Matcher::ToString() const {
  constexpr std::string_view kOperators[] = {"=", "!=", "=~", "!~"};
  std::string out = IsLegacyLabelName(name_) ? name_ : GoQuote(name_);
  out += kOperators[static_cast<size_t>(type_)];
  out += GoQuote(value_);
  return out;
}

struct Regex::Impl {
  enum class Kind : uint8_t { kWhole, kRegex };
  // The whole text is the match and group 1 (`(.*)`, relabeling's default), or
  // RE2 has to say.
  Kind kind = Kind::kRegex;
  bool needs_one = false;  // of kWhole: `(.+)`
  std::unique_ptr<AnchoredRegex> matches;
  std::unique_ptr<re2::RE2> regex;
};

Regex::Regex(std::string_view pattern, std::unique_ptr<Impl> impl)
    : pattern_(pattern), impl_(std::move(impl)) {}
Regex::~Regex() = default;

absl::StatusOr<std::shared_ptr<const Regex>> Regex::Make(
    std::string_view pattern) {
  auto impl = std::make_unique<Impl>();
  NARTHEX_ASSIGN_OR_RETURN(impl->matches, AnchoredRegex::Make(pattern));
  if (pattern == "(.*)" || pattern == "(.+)") {
    impl->kind = Impl::Kind::kWhole;
    impl->needs_one = pattern == "(.+)";
  } else {
    NARTHEX_ASSIGN_OR_RETURN(impl->regex,
                             CompileRegex(pattern, /*captures=*/true));
  }
  return std::shared_ptr<const Regex>(new Regex(pattern, std::move(impl)));
}

bool Regex::Matches(std::string_view text) const {
  return impl_->matches->Matches(text);
}

namespace {

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (c >= '0' && c <= '9');
}

// The group's name after a dollar sign, with or without braces; advances over
// it.  false: the dollar sign is a dollar sign.
bool GroupName(std::string_view& rest, std::string_view& name) {
  const bool braces = rest.starts_with('{');
  const size_t begin = braces ? 1 : 0;
  size_t end = begin;
  while (end < rest.size() && IsWord(rest[end])) ++end;
  if (end == begin) return false;
  if (braces && (end == rest.size() || rest[end] != '}')) return false;
  name = rest.substr(begin, end - begin);
  rest.remove_prefix(end + begin);
  return true;
}

// A number without leading zeros, else -1.
int GroupNumber(std::string_view name) {
  if (name.size() > 8 || (name.size() > 1 && name[0] == '0')) return -1;
  int n = 0;
  for (const char c : name) {
    if (c < '0' || c > '9') return -1;
    n = n * 10 + (c - '0');
  }
  return n;
}

}  // namespace

bool Regex::Expand(std::string_view text, std::string_view replacement,
                   std::string& out) const {
  std::vector<re2::StringPiece> groups;
  const bool literal = replacement.find('$') == std::string_view::npos;
  const re2::StringPiece whole(text.data(), text.size());
  if (literal || impl_->kind == Impl::Kind::kWhole) {
    if (!Matches(text)) return false;
    groups = {whole, whole};
  } else {
    groups.resize(static_cast<size_t>(impl_->regex->NumberOfCapturingGroups()) +
                  1);
    if (!impl_->regex->Match(whole, 0, text.size(), re2::RE2::ANCHOR_BOTH,
                             groups.data(), static_cast<int>(groups.size()))) {
      return false;
    }
  }
  out.clear();
  std::string_view rest = replacement;
  while (!rest.empty()) {
    const size_t dollar = rest.find('$');
    out += rest.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    rest.remove_prefix(dollar + 1);
    std::string_view name;
    if (rest.starts_with('$')) {
      out += '$';
      rest.remove_prefix(1);
    } else if (!GroupName(rest, name)) {
      out += '$';
    } else {
      int n = GroupNumber(name);
      if (n < 0 && impl_->regex != nullptr) {
        const auto& named = impl_->regex->NamedCapturingGroups();
        const auto it = named.find(std::string(name));
        if (it != named.end()) n = it->second;
      }
      if (n >= 0 && static_cast<size_t>(n) < groups.size()) {
        const re2::StringPiece& group = groups[static_cast<size_t>(n)];
        out.append(group.data() == nullptr ? "" : group.data(), group.size());
      }
    }
  }
  return true;
}

}  // namespace narthex
