#include "libnarthex/api/form.h"

#include "narthex/base/ascii.h"
#include "narthex/model/labels.h"

namespace narthex::api {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void AppendUtf8(uint32_t rune, std::string& out) {
  auto tail = [&](int shift) {
    out.push_back(static_cast<char>(0x80 | (rune >> shift & 0x3f)));
  };
  if (rune < 0x80) {
    out.push_back(static_cast<char>(rune));
  } else if (rune < 0x800) {
    out.push_back(static_cast<char>(0xc0 | rune >> 6));
    tail(0);
  } else if (rune < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | rune >> 12));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | rune >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

bool IsForm(std::string_view content_type) {
  std::string type = AsciiLower(content_type.substr(0, content_type.find(';')));
  std::erase_if(type, [](char c) { return c == ' ' || c == '\t'; });
  return type == "application/x-www-form-urlencoded";
}

}  // namespace

bool Unescape(std::string_view text, bool plus_is_blank, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+' && plus_is_blank) {
      out.push_back(' ');
    } else if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(c);
    }
  }
  return true;
}

std::string UnescapeLabelName(std::string_view name) {
  constexpr std::string_view kPrefix = "U__";
  const std::string as_it_is(name);
  if (!name.starts_with(kPrefix)) return as_it_is;
  std::string_view rest = name.substr(kPrefix.size());
  std::string out;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '_') {
      out.push_back(c);
      continue;
    }
    if (rest.starts_with('_')) {
      out.push_back('_');
      rest.remove_prefix(1);
      continue;
    }
    // Up to six hex digits, then an underscore.
    uint32_t rune = 0;
    size_t digits = 0;
    while (digits < rest.size() && digits < 6 && HexDigit(rest[digits]) >= 0) {
      rune = rune * 16 + static_cast<uint32_t>(HexDigit(rest[digits++]));
    }
    const bool legal = digits > 0 && digits < rest.size() &&
                       rest[digits] == '_' && rune <= 0x10ffff &&
                       !(rune >= 0xd800 && rune < 0xe000);
    if (!legal) return as_it_is;
    AppendUtf8(rune, out);
    rest.remove_prefix(digits + 1);
  }
  return out;
}

Form::Form(const Request& request) {
  const std::string_view target = request.target;
  const size_t question = target.find('?');
  path_ = std::string(target.substr(0, question));
  const bool has_form = request.method == "POST" || request.method == "PUT" ||
                        request.method == "PATCH";
  if (has_form && IsForm(request.content_type)) Parse(request.body);
  from_url_ = pairs_.size();
  if (question != std::string_view::npos) {
    std::string_view query = target.substr(question + 1);
    Parse(query.substr(0, query.find('#')));
  }
}

void Form::Parse(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    const size_t equals = pair.find('=');
    std::string name, value;
    if (!Unescape(pair.substr(0, equals), true, name)) continue;
    if (equals != std::string_view::npos &&
        !Unescape(pair.substr(equals + 1), true, value)) {
      continue;
    }
    pairs_.emplace_back(std::move(name), std::move(value));
  }
}

std::string_view Form::Get(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return {};
}

std::string_view Form::GetFromUrl(std::string_view name) const {
  for (size_t i = from_url_; i < pairs_.size(); ++i) {
    if (pairs_[i].first == name) return pairs_[i].second;
  }
  return {};
}

std::vector<std::string> Form::All(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : pairs_) {
    if (key == name) out.push_back(value);
  }
  return out;
}

}  // namespace narthex::api
