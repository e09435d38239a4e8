// YAML, written line by line: what config_print.cc writes with.
//
// A value; one thread.  Whatever text it is given, what comes out reads back as
// the same.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/http.h"

namespace narthex::config {

inline constexpr std::string_view kHidden = "<secret>";

// Whether YAML's readers take `text` for what it is without quotes.  Rather a
// quote too many than one too few.
inline bool IsPlain(std::string_view text) {
  if (text.empty()) return false;
  auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (const char c : text) {
    if (is_letter(c) || is_digit(c)) continue;
    if (std::string_view("_/.:-+()$;<>*|^?=~\\").find(c) ==
        std::string_view::npos) {
      return false;
    }
  }
  const char first = text.front();
  if (is_digit(first)) {
    // It may be a number or a date, unless it is a duration or an address.
    if (text.find(':') != std::string_view::npos) {
      return text.find('.') != std::string_view::npos;
    }
    const char last = text.back();
    return is_letter(last) && last != 'e' && last != 'E';
  }
  if (first == '.') {
    return text.size() > 1 && (text[1] == '*' || text[1] == '+');
  }
  if (first == ';' && text.size() == 1) return true;
  if (!is_letter(first) && first != '_' && first != '/' && first != '(' &&
      first != '$' && first != '^') {
    return text == kHidden;
  }
  if (text.back() == ':') return false;
  static constexpr std::string_view kWords[] = {
      "true", "false", "yes", "no", "on", "off", "y",   "n", "null",
      "True", "False", "Yes", "No", "On", "Off", "Y",   "N", "Null",
      "TRUE", "FALSE", "YES", "NO", "ON", "OFF", "NULL"};
  for (const std::string_view word : kWords) {
    if (text == word) return false;
  }
  return true;
}

inline std::string Quoted(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

// Lines of YAML at a level of indentation.
class YamlText {
 public:
  // `reveal`: secrets are written as they are.
  explicit YamlText(bool reveal = false) : reveal_(reveal) {}

  void Open(std::string_view key) {
    Line(StrCat(key, ":"));
    ++level_;
  }
  void Close() { --level_; }
  // The next line begins an item of a list; those after it belong to it.
  void Item() { dash_ = true; }

  void Text(std::string_view key, std::string_view value) {
    Line(StrCat(key, ": ", Quoted(value)));
  }
  void TextIf(std::string_view key, std::string_view value) {
    if (!value.empty()) Text(key, value);
  }
  void Flag(std::string_view key, bool value) {
    Line(StrCat(key, value ? ": true" : ": false"));
  }
  void Span(std::string_view key, Duration value) {
    Line(StrCat(key, ": ", FormatDuration(value)));
  }
  void LimitIf(std::string_view key, uint64_t value) {
    if (value != 0) Line(StrCat(key, ": ", value));
  }
  void List(std::string_view key, const std::vector<std::string>& values) {
    Line(StrCat(key, ":"));
    for (const std::string& value : values) Line(StrCat("- ", Quoted(value)));
  }
  void SecretIf(std::string_view key, const scrape::Secret& secret) {
    if (!secret.value.empty()) Text(key, Shown(secret));
    TextIf(StrCat(key, "_file"), secret.file);
    TextIf(StrCat(key, "_ref"), secret.ref);
  }
  std::string Shown(const scrape::Secret& secret) const {
    return reveal_ ? secret.value : std::string(kHidden);
  }
  bool reveal() const { return reveal_; }
  void Map(std::string_view key, const Labels& labels) {
    if (labels.empty()) return;
    Open(key);
    for (const Label& label : labels) Text(Quoted(label.name), label.value);
    Close();
  }

  void Raw(std::string_view key, std::string_view value) {
    Line(StrCat(key, ": ", value));
  }

  std::string Take() { return std::move(out_); }

 private:
  void Line(std::string_view text) {
    if (dash_) {
      out_.append(static_cast<size_t>(level_ - 1) * 2, ' ');
      out_ += "- ";
      dash_ = false;
    } else {
      out_.append(static_cast<size_t>(level_) * 2, ' ');
    }
    out_ += text;
    out_ += '\n';
  }

  const bool reveal_;
  std::string out_;
  int level_ = 0;
  bool dash_ = false;
};

}  // namespace narthex::config
