#include "narthex/model/labels.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace narthex {
namespace {

constexpr size_t kMaxText = 0xffffff;  // three bytes of length

std::string_view Cut(std::string_view text) {
  return text.size() > kMaxText ? text.substr(0, kMaxText) : text;
}

void AppendText(std::string_view text, std::string& out) {
  const size_t n = text.size();
  if (n < 255) {
    out += static_cast<char>(n);
  } else {
    const char length[4] = {static_cast<char>(0xff), static_cast<char>(n),
                            static_cast<char>(n >> 8),
                            static_cast<char>(n >> 16)};
    out.append(length, sizeof(length));
  }
  out += text;
}

size_t PackedSize(std::string_view text) {
  return text.size() + (text.size() < 255 ? 1 : 4);
}

std::strong_ordering Order(std::string_view a, std::string_view b) {
  return a.compare(b) <=> 0;
}

void AppendName(std::string_view name, std::string& out) {
  if (IsLegacyLabelName(name)) {
    out += name;
  } else {
    out += GoQuote(name);
  }
}

}  // namespace

Labels::Labels(
    std::initializer_list<std::pair<std::string_view, std::string_view>>
        pairs) {
  std::vector<Label> labels;
  labels.reserve(pairs.size());
  for (const auto& [name, value] : pairs) labels.push_back({name, value});
  *this = FromPairs(labels);
}

Labels Labels::FromPairs(std::span<const Label> pairs) {
  std::vector<Label> sorted(pairs.begin(), pairs.end());
  std::stable_sort(
      sorted.begin(), sorted.end(),
      [](const Label& a, const Label& b) { return a.name < b.name; });
  Labels out;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i + 1 < sorted.size() && sorted[i + 1].name == sorted[i].name) continue;
    if (!sorted[i].value.empty()) {
      out.AppendPacked(sorted[i].name, sorted[i].value);
    }
  }
  return out;
}

Labels Labels::FromSorted(std::span<const Label> pairs) {
  size_t bytes = 0;
  for (const Label& label : pairs) {
    bytes += PackedSize(label.name) + PackedSize(label.value);
  }
  Labels out;
  out.data_.reserve(bytes);
  [[maybe_unused]] std::string_view before;
  for (const Label& label : pairs) {
    assert(!label.value.empty());
    assert(before.data() == nullptr || before < label.name);
    out.AppendPacked(label.name, label.value);
    before = label.name;
  }
  return out;
}

void Labels::AppendPacked(std::string_view name, std::string_view value) {
  AppendText(Cut(name), data_);
  AppendText(Cut(value), data_);
}

size_t Labels::size() const {
  size_t n = 0;
  const Iterator last = end();
  for (Iterator it = begin(); it != last; ++it) ++n;
  return n;
}

std::string_view Labels::Get(std::string_view name) const {
  for (const Label& label : *this) {
    if (label.name == name) return label.value;
    // Sorted by bytes: behind a greater first byte it can't come any more.
    if (!name.empty() && !label.name.empty() &&
        static_cast<unsigned char>(label.name[0]) >
            static_cast<unsigned char>(name[0])) {
      break;
    }
  }
  return {};
}

bool Labels::Has(std::string_view name) const { return !Get(name).empty(); }

uint64_t Labels::Hash() const { return XXH64(data_.data(), data_.size(), 0); }

std::string Labels::ToString() const {
  std::string out = "{";
  for (const Label& label : *this) {
    if (out.size() > 1) out += ", ";
    AppendName(label.name, out);
    out += '=';
    out += GoQuote(label.value);
  }
  return out + '}';
}

std::string Labels::ToMetricString() const {
  const std::string_view metric = name();
  const bool in_front = IsLegacyMetricName(metric);
  std::string out;
  if (in_front) out += metric;
  const size_t open = out.size();
  auto separate = [&] { out += out.size() == open ? "{" : ", "; };
  // A name that is no identifier stands quoted within the braces.
  if (!metric.empty() && !in_front) {
    separate();
    out += GoQuote(metric);
  }
  for (const Label& label : *this) {
    if (label.name == kMetricName) continue;
    separate();
    AppendName(label.name, out);
    out += '=';
    out += GoQuote(label.value);
  }
  if (out.size() != open) {
    out += '}';
  } else if (open == 0) {
    out = "{}";
  }
  return out;
}

std::strong_ordering operator<=>(const Labels& a, const Labels& b) {
  const std::string_view x = a.data_, y = b.data_;
  // Equal beginnings are skipped at the speed of memcmp; then the label in
  // which the first difference lies decides.
  const size_t common = std::min(x.size(), y.size());
  if (std::memcmp(x.data(), y.data(), common) == 0) {
    return x.size() <=> y.size();
  }
  auto i = a.begin(), j = b.begin();
  const auto a_end = a.end(), b_end = b.end();
  for (; i != a_end && j != b_end; ++i, ++j) {
    if (auto order = Order(i->name, j->name); order != 0) return order;
    if (auto order = Order(i->value, j->value); order != 0) return order;
  }
  if (i != a_end) return std::strong_ordering::greater;
  return j != b_end ? std::strong_ordering::less : std::strong_ordering::equal;
}

namespace {

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool IsName(std::string_view name, bool colon) {
  if (name.empty()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (IsLetter(c) || (colon && c == ':')) continue;
    if (i == 0 || c < '0' || c > '9') return false;
  }
  return true;
}

}  // namespace

bool IsLegacyMetricName(std::string_view name) { return IsName(name, true); }
bool IsLegacyLabelName(std::string_view name) { return IsName(name, false); }

}  // namespace narthex
