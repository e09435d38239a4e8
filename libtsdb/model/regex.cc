#include "libtsdb/model/regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "narthex/model/labels.h"

namespace narthex {
namespace {

// Alternatives that a product of groups may come to.
constexpr size_t kMaxProduct = 1024;
constexpr int kMaxDepth = 100;
// Larger sets are asked through a hash table.
constexpr size_t kLinearSet = 8;

bool IsPunctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

size_t RuneLength(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x80 ? 1 : u < 0xe0 ? 2 : u < 0xf0 ? 3 : 4;
}

// Reads the part of the syntax that means texts and gaps.  Whatever else it
// meets, valid or not, it gives up and leaves to RE2.
class Simplifier {
 public:
  explicit Simplifier(std::string_view pattern) : rest_(pattern) {}

  bool Run(std::vector<Glob>& out) {
    return IsValidUtf8(rest_) && Alternation(0, out) && rest_.empty();
  }

 private:
  using Alternatives = std::vector<Glob>;

  bool Alternation(int depth, Alternatives& out) {
    if (depth > kMaxDepth) return false;
    while (true) {
      Alternatives branch;
      if (!Concatenation(depth, branch)) return false;
      std::move(branch.begin(), branch.end(), std::back_inserter(out));
      if (rest_.empty() || rest_.front() != '|') return true;
      rest_.remove_prefix(1);
    }
  }

  bool Concatenation(int depth, Alternatives& out) {
    out.resize(1);
    out[0].texts.resize(1);
    // Anchors at the very ends say what is so anyway.
    if (depth == 0 && !rest_.empty() && rest_.front() == '^') {
      rest_.remove_prefix(1);
      if (AtQuantifier()) return false;
    }
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      if (depth == 0 && rest_.front() == '$' &&
          (rest_.size() == 1 || rest_[1] == '|')) {
        rest_.remove_prefix(1);
        break;
      }
      Alternatives atom;
      if (!Atom(depth, atom) || !Multiply(atom, out)) return false;
    }
    return true;
  }

  bool Atom(int depth, Alternatives& out) {
    const char c = rest_.front();
    switch (c) {
      case '.':
        return Gap(out);
      case '(':
        if (!Group(depth, out)) return false;
        break;
      case '[':
        if (!Class(out)) return false;
        break;
      case '\\':
        if (rest_.size() < 2 || !IsPunctuation(rest_[1])) return false;
        AddText(rest_.substr(1, 1), out);
        rest_.remove_prefix(2);
        break;
      case '^':
      case '$':
      case '*':
      case '+':
      case '?':
      case '{':
        return false;
      default: {
        const size_t n = RuneLength(c);
        AddText(rest_.substr(0, n), out);
        rest_.remove_prefix(n);
      }
    }
    if (!AtQuantifier()) return true;
    if (rest_.front() != '?') return false;
    rest_.remove_prefix(1);
    SkipLazy();
    AddText({}, out);
    return !AtQuantifier();
  }

  bool Gap(Alternatives& out) {
    if (rest_.size() < 2 || (rest_[1] != '*' && rest_[1] != '+')) return false;
    Glob glob;
    glob.texts.resize(2);
    glob.gap_needs_one.push_back(rest_[1] == '+');
    rest_.remove_prefix(2);
    SkipLazy();
    out.push_back(std::move(glob));
    return !AtQuantifier();
  }

  bool Group(int depth, Alternatives& out) {
    rest_.remove_prefix(1);
    if (rest_.starts_with("?:")) {
      rest_.remove_prefix(2);
    } else if (rest_.starts_with("?")) {
      return false;  // flags and names
    }
    if (!Alternation(depth + 1, out)) return false;
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);  // the parenthesis that ended it
    return true;
  }

  // A short list of ASCII characters and ranges.
  bool Class(Alternatives& out) {
    rest_.remove_prefix(1);
    if (rest_.empty() || rest_.front() == '^' || rest_.front() == ']') {
      return false;
    }
    while (!rest_.empty() && rest_.front() != ']') {
      char low = 0, high = 0;
      if (!ClassChar(low)) return false;
      high = low;
      if (rest_.size() >= 2 && rest_[0] == '-' && rest_[1] != ']') {
        rest_.remove_prefix(1);
        if (!ClassChar(high) || high < low) return false;
      }
      for (int c = low; c <= high; ++c) {
        const char text = static_cast<char>(c);
        AddText({&text, 1}, out);
      }
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool ClassChar(char& c) {
    if (rest_.empty()) return false;
    c = rest_.front();
    if (static_cast<unsigned char>(c) >= 0x80 || c == '[' || c == ']') {
      return false;
    }
    if (c == '\\') {
      if (rest_.size() < 2 || !IsPunctuation(rest_[1])) return false;
      c = rest_[1];
      rest_.remove_prefix(1);
    }
    rest_.remove_prefix(1);
    return true;
  }

  bool AtQuantifier() const {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    return c == '*' || c == '+' || c == '?' || c == '{';
  }
  void SkipLazy() {
    if (!rest_.empty() && rest_.front() == '?') rest_.remove_prefix(1);
  }

  static void AddText(std::string_view text, Alternatives& out) {
    Glob& glob = out.emplace_back();
    glob.texts.emplace_back(text);
  }

  // out := out x atom
  static bool Multiply(const Alternatives& atom, Alternatives& out) {
    if (atom.size() == 1) {
      for (Glob& glob : out) {
        if (!Append(atom[0], glob)) return false;
      }
      return true;
    }
    if (out.size() > 1 && out.size() * atom.size() > kMaxProduct) return false;
    Alternatives product;
    product.reserve(out.size() * atom.size());
    for (const Glob& head : out) {
      for (const Glob& tail : atom) {
        product.push_back(head);
        if (!Append(tail, product.back())) return false;
      }
    }
    out = std::move(product);
    return true;
  }

  static bool Append(const Glob& tail, Glob& glob) {
    // Two gaps with nothing between them are one, unless both need a rune: how
    // many bytes two runes have is not known.
    if (!tail.gap_needs_one.empty() && !glob.gap_needs_one.empty() &&
        glob.texts.back().empty() && tail.texts.front().empty()) {
      if (glob.gap_needs_one.back() && tail.gap_needs_one.front()) return false;
      glob.gap_needs_one.back() =
          glob.gap_needs_one.back() || tail.gap_needs_one.front();
      glob.texts.pop_back();
      glob.texts.insert(glob.texts.end(), tail.texts.begin() + 1,
                        tail.texts.end());
      glob.gap_needs_one.insert(glob.gap_needs_one.end(),
                                tail.gap_needs_one.begin() + 1,
                                tail.gap_needs_one.end());
      return true;
    }
    glob.texts.back() += tail.texts.front();
    glob.texts.insert(glob.texts.end(), tail.texts.begin() + 1,
                      tail.texts.end());
    glob.gap_needs_one.insert(glob.gap_needs_one.end(),
                              tail.gap_needs_one.begin(),
                              tail.gap_needs_one.end());
    return true;
  }

  std::string_view rest_;
};

std::string_view CommonPrefix(std::string_view a, std::string_view b) {
  const size_t n = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return a.substr(0, i);
}

// Literal bytes at the front of a pattern without alternatives.
std::string LiteralPrefix(std::string_view pattern) {
  std::string prefix;
  if (pattern.find('|') != std::string_view::npos) return prefix;
  while (!pattern.empty()) {
    size_t n = RuneLength(pattern.front());
    std::string_view text = pattern.substr(0, n);
    if (text == "\\") {
      if (pattern.size() < 2 || !IsPunctuation(pattern[1])) break;
      text = pattern.substr(1, 1);
      n = 2;
    } else if (text == "^" && prefix.empty()) {
      text = {};
    } else if (text.size() == 1 &&
               std::string_view("^$.[](){}*+?").find(text[0]) !=
                   std::string_view::npos) {
      break;
    }
    pattern.remove_prefix(std::min(n, pattern.size()));
    // What a quantifier follows may be absent.
    if (!pattern.empty() && std::string_view("*+?{").find(pattern.front()) !=
                                std::string_view::npos) {
      break;
    }
    prefix += text;
  }
  return prefix;
}

std::string GoError(const re2::RE2& regex) {
  std::string_view what = "invalid or unsupported Perl syntax";
  switch (regex.error_code()) {
    case re2::RE2::ErrorBadEscape:
      what = "invalid escape sequence";
      break;
    case re2::RE2::ErrorBadCharClass:
      what = "invalid character class";
      break;
    case re2::RE2::ErrorBadCharRange:
      what = "invalid character class range";
      break;
    case re2::RE2::ErrorMissingBracket:
      what = "missing closing ]";
      break;
    case re2::RE2::ErrorMissingParen:
      what = "missing closing )";
      break;
    case re2::RE2::ErrorUnexpectedParen:
      what = "unexpected )";
      break;
    case re2::RE2::ErrorTrailingBackslash:
      what = "trailing backslash at end of expression";
      break;
    case re2::RE2::ErrorRepeatArgument:
      what = "missing argument to repetition operator";
      break;
    case re2::RE2::ErrorRepeatSize:
      what = "invalid repeat count";
      break;
    case re2::RE2::ErrorRepeatOp:
      what = "invalid nested repetition operator";
      break;
    case re2::RE2::ErrorBadUTF8:
      return "error parsing regexp: invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture:
      what = "invalid named capture";
      break;
    case re2::RE2::ErrorPatternTooLarge:
      return "error parsing regexp: expression too large";
    default:
      break;
  }
  // Go shows the whole pattern where RE2 names only the parenthesis.
  const bool whole = regex.error_code() == re2::RE2::ErrorMissingParen ||
                     regex.error_code() == re2::RE2::ErrorUnexpectedParen;
  const std::string& arg = whole ? regex.pattern() : regex.error_arg();
  if (arg.empty()) return StrCat("error parsing regexp: ", what);
  return StrCat("error parsing regexp: ", what, ": `", arg, "`");
}

}  // namespace

bool Glob::Matches(std::string_view text) const {
  const std::string& head = texts.front();
  if (gap_needs_one.empty()) return text == head;
  if (!text.starts_with(head)) return false;
  size_t at = head.size();
  // The leftmost place of each text leaves the most room for the next.
  for (size_t i = 1; i + 1 < texts.size(); ++i) {
    at = text.find(texts[i], at + (gap_needs_one[i - 1] ? 1 : 0));
    if (at == std::string_view::npos) return false;
    at += texts[i].size();
  }
  const size_t need = at + (gap_needs_one.back() ? 1 : 0) + texts.back().size();
  return text.size() >= need && text.ends_with(texts.back());
}

bool Needles::Adopt(std::span<const Glob> globs) {
  for (const Glob& glob : globs) {
    if (glob.texts.size() != 3 || !glob.texts.front().empty() ||
        glob.texts[1].empty() || !glob.texts.back().empty() ||
        glob.gap_needs_one[0] || glob.gap_needs_one[1]) {
      return false;
    }
  }
  texts_.clear();
  for (const Glob& glob : globs) texts_.push_back(glob.texts[1]);
  std::string_view begin = texts_.front();
  for (const std::string& text : texts_) begin = CommonPrefix(begin, text);
  begin_ = begin;
  for (const std::string& text : texts_) {
    if (text.size() == begin_.size()) {
      begin_is_all_ = true;
    } else {
      next_.set(static_cast<unsigned char>(text[begin_.size()]));
    }
  }
  return true;
}

bool Needles::OccurIn(std::string_view text) const {
  size_t at = 0;
  while (true) {
    at = begin_.size() == 1 ? text.find(begin_[0], at) : text.find(begin_, at);
    if (at == std::string_view::npos) return false;
    if (begin_is_all_) return true;
    const size_t next = at + begin_.size();
    if (next >= text.size()) return false;
    if (next_.test(static_cast<unsigned char>(text[next]))) {
      for (const std::string& one : texts_) {
        if (text.compare(at, one.size(), one) == 0) return true;
      }
    }
    ++at;
  }
}

bool SimplifyRegex(std::string_view pattern, std::vector<Glob>& alternatives) {
  alternatives.clear();
  return Simplifier(pattern).Run(alternatives);
}

absl::StatusOr<std::unique_ptr<re2::RE2>> CompileRegex(std::string_view pattern,
                                                       bool captures) {
  // RE2 writes to standard error, whatever its options say, when it gives up on
  // a very large pattern: those don't get so far.
  constexpr size_t kMaxPattern = 256 * 1024;
  if (pattern.size() > kMaxPattern) {
    return InvalidArgument("error parsing regexp: expression too large");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_never_capture(!captures);
  options.set_max_mem(int64_t{32} << 20);
  auto regex = std::make_unique<re2::RE2>(
      re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) return InvalidArgument(GoError(*regex));
  return regex;
}

absl::StatusOr<std::unique_ptr<AnchoredRegex>> AnchoredRegex::Make(
    std::string_view pattern) {
  std::unique_ptr<AnchoredRegex> regex(new AnchoredRegex);
  std::vector<Glob> alternatives;
  if (SimplifyRegex(pattern, alternatives)) {
    regex->Adopt(std::move(alternatives));
    return regex;
  }
  NARTHEX_ASSIGN_OR_RETURN(regex->regex_,
                           CompileRegex(pattern, /*captures=*/false));
  regex->prefix_ = LiteralPrefix(pattern);
  return regex;
}

AnchoredRegex::~AnchoredRegex() = default;

void AnchoredRegex::Adopt(std::vector<Glob> alternatives) {
  bool takes_nonempty = false, takes_empty = false;
  for (Glob& glob : alternatives) {
    if (glob.gap_needs_one.empty()) {
      takes_empty = takes_empty || glob.texts[0].empty();
      set_.push_back(std::move(glob.texts[0]));
      continue;
    }
    if (glob.gap_needs_one.size() == 1 && glob.texts[0].empty() &&
        glob.texts[1].empty()) {
      takes_nonempty = true;
      takes_empty = takes_empty || !glob.gap_needs_one[0];
    }
    globs_.push_back(std::move(glob));
  }
  if (takes_nonempty) {
    kind_ = takes_empty ? Kind::kEverything : Kind::kNonEmpty;
    set_.clear();
    globs_.clear();
    return;
  }
  std::sort(set_.begin(), set_.end());
  set_.erase(std::unique(set_.begin(), set_.end()), set_.end());
  std::optional<std::string_view> prefix;
  const auto narrow = [&prefix](std::string_view text) {
    prefix = prefix.has_value() ? CommonPrefix(*prefix, text) : text;
  };
  if (globs_.empty()) {
    kind_ = Kind::kSet;
    if (set_.size() > kLinearSet) index_.insert(set_.begin(), set_.end());
    narrow(set_.front());
    narrow(set_.back());
  } else {
    kind_ = Kind::kGlobs;
    for (std::string& text : set_) {
      Glob& glob = globs_.emplace_back();
      glob.texts.push_back(std::move(text));
    }
    set_.clear();
    for (const Glob& glob : globs_) narrow(glob.texts.front());
    if (needles_.Adopt(globs_)) {
      kind_ = Kind::kNeedles;
      globs_.clear();
    }
  }
  prefix_ = *prefix;
}

bool AnchoredRegex::InSet(std::string_view text) const {
  if (!index_.empty()) return index_.contains(text);
  for (const std::string& one : set_) {
    if (one == text) return true;
  }
  return false;
}

bool AnchoredRegex::Matches(std::string_view text) const {
  switch (kind_) {
    case Kind::kEverything:
      return true;
    case Kind::kNonEmpty:
      return !text.empty();
    case Kind::kSet:
      return InSet(text);
    case Kind::kGlobs:
      for (const Glob& glob : globs_) {
        if (glob.Matches(text)) return true;
      }
      return false;
    case Kind::kNeedles:
      return needles_.OccurIn(text);
    case Kind::kRegex:
      break;
  }
  if (!text.starts_with(prefix_)) return false;
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()),
                             *regex_);
}

}  // namespace narthex
