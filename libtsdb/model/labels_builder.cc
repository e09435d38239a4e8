#include "narthex/model/labels_builder.h"

#include <algorithm>
#include <cstring>

namespace narthex {
namespace {

constexpr size_t kShortText = 255;  // from here a length has four bytes

// Labels are short: two moves that overlap copy most of them.
char* CopyText(std::string_view text, char* to) {
  const size_t n = text.size();
  const char* from = text.data();
  const auto two = [&](size_t width) {
    std::memcpy(to, from, width);
    std::memcpy(to + n - width, from + n - width, width);
  };
  if (n > 32) {
    std::memcpy(to, from, n);
  } else if (n >= 16) {
    two(16);
  } else if (n >= 8) {
    two(8);
  } else if (n >= 4) {
    two(4);
  } else {
    for (size_t i = 0; i < n; ++i) to[i] = from[i];
  }
  return to + n;
}

}  // namespace

void LabelsBuilder::Reset(const Labels& base) {
  base_ = base;
  edits_.clear();
}

void LabelsBuilder::Set(std::string_view name, std::string_view value) {
  for (Edit& edit : edits_) {
    if (edit.name == name) {
      edit.value = value;
      return;
    }
  }
  edits_.push_back({std::string(name), std::string(value)});
}

void LabelsBuilder::Keep(const std::vector<std::string>& names) {
  const auto wanted = [&names](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (Edit& edit : edits_) {
    if (!wanted(edit.name)) edit.value.clear();
  }
  for (const Label& label : base_) {
    if (!wanted(label.name)) Del(label.name);
  }
}

std::string_view LabelsBuilder::Get(std::string_view name) const {
  for (const Edit& edit : edits_) {
    if (edit.name == name) return edit.value;
  }
  return base_.Get(name);
}

std::vector<Label> LabelsBuilder::Pairs() const {
  std::vector<Label> pairs;
  for (const Label& label : base_) {
    const bool edited =
        std::any_of(edits_.begin(), edits_.end(),
                    [&](const Edit& edit) { return edit.name == label.name; });
    if (!edited) pairs.push_back(label);
  }
  for (const Edit& edit : edits_) {
    if (!edit.value.empty()) pairs.push_back({edit.name, edit.value});
  }
  std::sort(pairs.begin(), pairs.end(),
            [](const Label& a, const Label& b) { return a.name < b.name; });
  return pairs;
}

Labels LabelsBuilder::Build() const {
  if (edits_.empty()) return base_;
  return Labels::FromSorted(Pairs());
}

void LabelsScratch::Sort() {
  const auto less = [](const Label& a, const Label& b) {
    // Mostly the first byte decides.
    if (!a.name.empty() && !b.name.empty() && a.name[0] != b.name[0]) {
      return static_cast<unsigned char>(a.name[0]) <
             static_cast<unsigned char>(b.name[0]);
    }
    return a.name < b.name;
  };
  // Pages are mostly written in order already.
  if (std::is_sorted(pairs_.begin(), pairs_.end(), less)) return;
  std::stable_sort(pairs_.begin(), pairs_.end(), less);
}

bool LabelsScratch::HasDuplicate(std::string_view& name) const {
  for (size_t i = 1; i < pairs_.size(); ++i) {
    if (pairs_[i].name == pairs_[i - 1].name) {
      name = pairs_[i].name;
      return true;
    }
  }
  return false;
}

void LabelsScratch::BuildInto(Labels& out) const {
  size_t bytes = 0;
  bool is_short = true;
  for (const Label& label : pairs_) {
    bytes += 2 + label.name.size() + label.value.size();
    is_short &=
        label.name.size() < kShortText && label.value.size() < kShortText;
  }
  if (!is_short) {
    out.data_.clear();
    for (const Label& label : pairs_) {
      if (!label.value.empty()) out.AppendPacked(label.name, label.value);
    }
    return;
  }
  // Every length is one byte: written without growing step by step.
  out.data_.resize(bytes);
  char* p = out.data_.data();
  for (const Label& label : pairs_) {
    if (label.value.empty()) continue;
    *p++ = static_cast<char>(label.name.size());
    p = CopyText(label.name, p);
    *p++ = static_cast<char>(label.value.size());
    p = CopyText(label.value, p);
  }
  out.data_.resize(static_cast<size_t>(p - out.data_.data()));
}

}  // namespace narthex
