#include "libscrape/exposition/lexer.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

// Of decimal digits, points, exponents and signs alone.  from_chars knows more
// kinds of numbers than Go does.
bool IsDecimal(std::string_view text) {
  for (const char c : text) {
    const bool ok = (c >= '0' && c <= '9') || c == '.' || c == 'e' ||
                    c == 'E' || c == '+' || c == '-';
    if (!ok) return false;
  }
  return !text.empty();
}

// Into `out`, which has room.
std::string_view Unescape(std::string_view text, bool quotes,
                          std::string& out) {
  const size_t start = out.size();
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' &&
        (next == '\\' || next == 'n' || (quotes && next == '"'))) {
      out.push_back(next == 'n' ? '\n' : next);
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
  return std::string_view(out).substr(start);
}

}  // namespace

std::string FormatOpenMetricsFloat(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  std::string text = FormatFloat(v, 'g');
  if (text.find_first_of("e.") == std::string::npos) text += ".0";
  return text;
}

size_t PageLexer::LineAt(size_t offset) const {
  return 1 + static_cast<size_t>(std::count(begin_, begin_ + offset, '\n'));
}

PageLexer::Entry PageLexer::Fail(const char* at, std::string_view what) {
  const auto offset = static_cast<size_t>(at - begin_);
  const char* line = at;
  while (line > begin_ && line[-1] != '\n') --line;
  const char* from = entry_ != nullptr ? entry_ : begin_;
  if (cut_entry_ != nullptr) from = cut_entry_;
  const std::string said =
      PageError({from, static_cast<size_t>(end_ - from)}, grammar_);
  status_ = InvalidArgument(
      StrCat("line ", LineAt(offset), ", column ", at - line + 1, ": ",
             said.empty() ? what : std::string_view(said)));
  p_ = end_;
  return Entry::kEnd;
}

template <bool line_ends>
bool PageLexer::ParseQuoted(std::string_view& text, bool& ascii) {
  const char* const start = p_;
  const char* p = start;
  for (;;) {
    p = FindQuoteOrBackslash(p, end_, ascii);
    if (p == end_) {
      Fail(start - 1, "quoted text without its closing quote");
      return false;
    }
    if (*p == '"') break;
    escapes_ = true;
    if (end_ - p < 2 || p[1] == '\n') {
      Fail(p, "nothing to escape after the backslash");
      return false;
    }
    // What follows the backslash is not searched, and may be no ASCII.
    ascii = ascii && static_cast<unsigned char>(p[1]) < 0x80;
    p += 2;
  }
  text = {start, static_cast<size_t>(p - start)};
  if constexpr (!line_ends) {
    if (std::memchr(start, '\n', text.size()) != nullptr) {
      Fail(start - 1, "quoted text without its closing quote");
      return false;
    }
  }
  p_ = p + 1;
  return true;
}

template <Strictness strictness>
bool PageLexer::ParseLabels(std::vector<RawLabel>& labels, bool named) {
  constexpr bool kLoose = strictness == Strictness::kLoose;
  for (;;) {
    if constexpr (kLoose) p_ = SkipBlanks(p_, end_);
    const char* const start = p_;
    if (p_ < end_ && *p_ == '}') {
      ++p_;
      return true;
    }
    RawLabel label;
    bool ascii = true;
    const bool quoted = p_ < end_ && *p_ == '"';
    if (quoted) {
      ++p_;
      // Names of an exemplar's labels have no line ends.
      if (named ? !ParseQuoted<true>(label.name, ascii)
                : !ParseQuoted<false>(label.name, ascii)) {
        return false;
      }
    } else if (p_ < end_ && Is(*p_, kLabelStart)) {
      p_ = SkipLabel(p_ + 1, end_);
      label.name = {start, static_cast<size_t>(p_ - start)};
    } else {
      Fail(p_, "expected label name");
      return false;
    }
    if constexpr (kLoose) p_ = SkipBlanks(p_, end_);
    if (quoted && p_ < end_ && (*p_ == ',' || *p_ == '}')) {
      if (!named) {
        Fail(p_, "expected equal");
        return false;
      }
      if (has_name_) {
        Fail(start, "metric name already set");
        return false;
      }
      has_name_ = true;
      name_ = label.name;
      if (*p_++ == '}') return true;
      continue;
    }
    if (p_ == end_ || *p_ != '=') {
      Fail(p_, "expected equal");
      return false;
    }
    ++p_;
    if constexpr (kLoose) p_ = SkipBlanks(p_, end_);
    if (p_ == end_ || *p_ != '"') {
      Fail(p_, "expected label value");
      return false;
    }
    const char* const value = ++p_;
    ascii = true;
    if (!ParseQuoted<kLoose>(label.value, ascii)) return false;
    if (!ascii && !IsValidUtf8(label.value)) {
      Fail(value, "invalid UTF-8 label value");
      return false;
    }
    labels.push_back(label);
    if constexpr (kLoose) p_ = SkipBlanks(p_, end_);
    if (p_ < end_ && *p_ == ',') {
      ++p_;
    } else if (!kLoose && (p_ == end_ || *p_ != '}')) {
      Fail(p_, "expected comma or brace close");
      return false;
    }
  }
}

void PageLexer::RememberShape() {
  shape_.clear();
  if (labels_.empty() || escapes_) return;
  const char* from = series_.data();
  for (const RawLabel& label : labels_) {
    shape_.emplace_back(from, static_cast<size_t>(label.value.data() - from));
    from = label.value.data() + label.value.size();
  }
  const char* const series_end = series_.data() + series_.size();
  shape_.emplace_back(from, static_cast<size_t>(series_end - from));
}

template <Strictness strictness>
bool PageLexer::ParseLikeLast() {
  const char* const start = entry_;
  const char* p = start;
  const size_t n = labels_.size();
  for (size_t i = 0;; ++i) {
    const std::string_view part = shape_[i];
    if (!StartsWith(p, end_, part)) return false;
    p += part.size();
    if (i == n) break;
    bool ascii = true;
    const char* const value = p;
    if constexpr (strictness == Strictness::kLoose) {
      p = FindQuoteOrBackslash(p, end_, ascii);
    } else {
      p = FindQuoteBackslashOrLineEnd(p, end_, ascii);
    }
    if (p == end_ || *p != '"') return false;
    const std::string_view text(value, static_cast<size_t>(p - value));
    if (!ascii && !IsValidUtf8(text)) return false;
    labels_[i].value = text;
  }
  // Names are those of the series before: the same bytes.
  series_ = {start, static_cast<size_t>(p - start)};
  p_ = p;
  return true;
}

template <Strictness strictness>
bool PageLexer::ParseSeries() {
  if (!shape_.empty()) {
    if (ParseLikeLast<strictness>()) return true;
    shape_.clear();
  }
  labels_.clear();
  escapes_ = false;
  has_name_ = *p_ != '{';
  // Blanks before a name belong to it, as in Prometheus.
  const char* const start = entry_;
  if (has_name_) {
    p_ = SkipName(p_, end_);
    name_ = {start, static_cast<size_t>(p_ - start)};
    series_ = name_;
    const char* brace = p_;
    if constexpr (strictness == Strictness::kLoose) {
      brace = SkipBlanks(p_, end_);
    }
    if (brace == end_ || *brace != '{') return true;
    p_ = brace;
  }
  ++p_;
  if (!ParseLabels<strictness>(labels_, /*named=*/true)) return false;
  if (!has_name_) {
    Fail(p_, "metric name not set");
    return false;
  }
  series_ = {start, static_cast<size_t>(p_ - start)};
  RememberShape();
  return true;
}

template bool PageLexer::ParseSeries<Strictness::kLoose>();
template bool PageLexer::ParseSeries<Strictness::kStrict>();
template bool PageLexer::ParseLabels<Strictness::kLoose>(std::vector<RawLabel>&,
                                                         bool);
template bool PageLexer::ParseLabels<Strictness::kStrict>(
    std::vector<RawLabel>&, bool);

bool PageLexer::ParseValue(std::string_view token, double& out) {
  const char* const end = token.data() + token.size();
  if (ParseShortDecimal(token.data(), end, out) == end) return true;
  const bool plus = token.size() > 1 && token[0] == '+';
  const std::string_view digits = plus ? token.substr(1) : token;
  const bool numeric = IsDecimal(digits);
  if (numeric && digits[0] != '+' && !(plus && digits[0] == '-')) {
    const auto [p, error] = std::from_chars(digits.data(), end, out);
    if (error == std::errc() && p == end) return true;
  }
  // Out of range, infinities, NaN, and what is no number at all.
  if (token.find_first_of("pP_") != std::string_view::npos) {
    Fail(token.data(), "unsupported character in float");
    return false;
  }
  if (!ParseGoFloat(token, out)) {
    Fail(token.data(), "expected a number");
    return false;
  }
  if (std::isinf(out) && numeric) {
    Fail(token.data(), "value out of range");
    return false;
  }
  if (std::isnan(out)) out = NormalNaN();
  return true;
}

const char* PageLexer::ParseLongValue(const char* start) {
  constexpr std::ptrdiff_t kLongest = 64;
  const auto room = static_cast<size_t>(std::min(end_ - start, kLongest));
  const auto* const stop =
      static_cast<const char*>(std::memchr(start, '\n', room));
  if (stop == nullptr) return nullptr;
  const std::string_view text(start, static_cast<size_t>(stop - start));
  if (text == "NaN") {
    value_ = NormalNaN();
    return stop;
  }
  if (text == "+Inf" || text == "-Inf") {
    value_ = text[0] == '+' ? HUGE_VAL : -HUGE_VAL;
    return stop;
  }
  if (!IsDecimal(text)) return nullptr;
  const auto [p, error] = std::from_chars(start, stop, value_);
  return error == std::errc() && p == stop ? stop : nullptr;
}

bool PageLexer::ParseMetricName(std::string_view keyword, const char*& line_end,
                                bool& plain) {
  if (p_ < line_end && *p_ == '"') {
    ++p_;
    bool ascii = true;
    if (!ParseQuoted<true>(metric_, ascii)) return false;
    if (p_ > line_end) line_end = FindLineEnd(p_, end_, plain);
    if (metric_.find('\\') != std::string_view::npos) {
      name_text_.clear();
      metric_ = Unescape(metric_, true, name_text_);
    }
    return true;
  }
  if (p_ == line_end || !Is(*p_, kNameStart)) {
    Fail(p_, StrCat("expected metric name after ", keyword));
    return false;
  }
  const char* const start = p_;
  p_ = SkipName(p_, line_end);
  metric_ = {start, static_cast<size_t>(p_ - start)};
  return true;
}

std::string_view PageLexer::UnescapeText(std::string_view text, bool quotes) {
  if (text.find('\\') == std::string_view::npos) return text;
  line_text_.clear();
  return Unescape(text, quotes, line_text_);
}

void PageLexer::GetLabels(LabelsScratch& out) {
  out.Clear();
  const std::string_view rewritten = type_ == MetricType::kHistogram ? "le"
                                     : type_ == MetricType::kSummary
                                         ? "quantile"
                                         : std::string_view();
  // Room for all texts that differ from the page's, so that none moves.
  constexpr size_t kFloatRoom = 32;
  size_t room = kFloatRoom;
  if (escapes_) {
    room += series_.size();
  }
  room += labels_.size() * kFloatRoom;
  label_texts_.clear();
  if (label_texts_.capacity() < room) label_texts_.reserve(room);

  const auto plain = [&](std::string_view text) {
    if (!escapes_ || text.find('\\') == std::string_view::npos) return text;
    return Unescape(text, true, label_texts_);
  };
  out.Add(kMetricName, plain(name_));
  for (const RawLabel& label : labels_) {
    const std::string_view name = plain(label.name);
    std::string_view value = plain(label.value);
    if (!rewritten.empty() && name == rewritten) {
      double bound = 0;
      if (ParseGoFloat(value, bound)) {
        const size_t start = label_texts_.size();
        label_texts_ += FormatOpenMetricsFloat(bound);
        value = std::string_view(label_texts_).substr(start);
      }
    }
    out.Add(name, value);
  }
}

}  // namespace narthex::scrape
