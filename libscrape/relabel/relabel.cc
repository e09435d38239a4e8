#include "narthex/scrape/relabel.h"

#include <algorithm>
#include <utility>

#include "libscrape/relabel/letter_case.h"
#include "libscrape/relabel/md5.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kActionNames[] = {
    "replace",  "keep",      "drop",      "keepequal", "dropequal", "hashmod",
    "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"};

bool HasVariable(std::string_view text) {
  return text.find('$') != std::string_view::npos;
}

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_';
}

// Past the `$name` or `${name}` at text[i]; npos if it is neither.
size_t SkipVariable(std::string_view text, size_t i) {
  const bool braces = i + 1 < text.size() && text[i + 1] == '{';
  const size_t start = i + (braces ? 2 : 1);
  size_t end = start;
  while (end < text.size() && IsWord(text[end])) ++end;
  if (end == start) return std::string_view::npos;
  if (!braces) return end;
  return end < text.size() && text[end] == '}' ? end + 1
                                               : std::string_view::npos;
}

// A label name in which `$1` or `${name}` may stand for parts.
bool IsValidNameTemplate(std::string_view text, NameValidation validation) {
  if (validation == NameValidation::kUtf8) {
    return IsValidLabelName(text, validation);
  }
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '$') {
      i = SkipVariable(text, i);
      if (i == std::string_view::npos) return false;
    } else if (IsWord(text[i])) {
      ++i;
    } else {
      return false;
    }
  }
  return true;
}

bool NeedsTarget(RelabelAction action) {
  switch (action) {
    case RelabelAction::kReplace:
    case RelabelAction::kHashMod:
    case RelabelAction::kLowercase:
    case RelabelAction::kUppercase:
    case RelabelAction::kKeepEqual:
    case RelabelAction::kDropEqual:
      return true;
    case RelabelAction::kKeep:
    case RelabelAction::kDrop:
    case RelabelAction::kLabelMap:
    case RelabelAction::kLabelDrop:
    case RelabelAction::kLabelKeep:
      return false;
  }
  return false;
}

absl::Status Validate(const RelabelRule& rule, NameValidation validation) {
  static const RelabelRule kDefault;
  const RelabelAction action = rule.action;
  const std::string_view name = RelabelActionName(action);
  if (action == RelabelAction::kHashMod && rule.modulus == 0) {
    return InvalidArgument(
        "relabel configuration for hashmod requires non-zero modulus");
  }
  if (NeedsTarget(action)) {
    if (rule.target_label.empty()) {
      return InvalidArgument(StrCat("relabel configuration for ", name,
                                    " action requires 'target_label' value"));
    }
    const bool is_template =
        action == RelabelAction::kReplace && HasVariable(rule.target_label);
    if (!(is_template ? IsValidNameTemplate(rule.target_label, validation)
                      : IsValidLabelName(rule.target_label, validation))) {
      return InvalidArgument(StrCat(GoQuote(rule.target_label),
                                    " is invalid 'target_label' for ", name,
                                    " action"));
    }
  }
  const bool equal_action = action == RelabelAction::kKeepEqual ||
                            action == RelabelAction::kDropEqual;
  if ((equal_action || action == RelabelAction::kLowercase ||
       action == RelabelAction::kUppercase) &&
      rule.replacement != kDefault.replacement) {
    return InvalidArgument(
        StrCat("'replacement' can not be set for ", name, " action"));
  }
  if (action == RelabelAction::kLabelMap &&
      !IsValidNameTemplate(rule.replacement, validation)) {
    return InvalidArgument(StrCat(GoQuote(rule.replacement),
                                  " is invalid 'replacement' for ", name,
                                  " action"));
  }
  const bool others_set = rule.modulus != kDefault.modulus ||
                          rule.separator != kDefault.separator ||
                          rule.replacement != kDefault.replacement;
  if (equal_action && (rule.regex != kDefault.regex || others_set)) {
    return InvalidArgument(StrCat(name,
                                  " action requires only 'source_labels' and "
                                  "`target_label`, and no other fields"));
  }
  if ((action == RelabelAction::kLabelDrop ||
       action == RelabelAction::kLabelKeep) &&
      (!rule.source_labels.empty() || !rule.target_label.empty() ||
       others_set)) {
    return InvalidArgument(
        StrCat(name, " action requires only 'regex', and no other fields"));
  }
  return absl::OkStatus();
}

std::string Join(const RelabelRule& rule, const LabelsBuilder& labels) {
  std::string joined;
  for (size_t i = 0; i < rule.source_labels.size(); ++i) {
    if (i != 0) joined += rule.separator;
    joined += labels.Get(rule.source_labels[i]);
  }
  return joined;
}

std::string HashMod(std::string_view text, uint64_t modulus) {
  const auto digest = Md5(text);
  uint64_t last_half = 0;
  for (size_t i = 8; i < digest.size(); ++i) {
    last_half = last_half << 8 | digest[i];
  }
  return std::to_string(last_half % modulus);
}

}  // namespace

absl::StatusOr<RelabelAction> ParseRelabelAction(std::string_view text) {
  const std::string lower = ToLower(text);
  for (size_t i = 0; i < std::size(kActionNames); ++i) {
    if (kActionNames[i] == lower) return static_cast<RelabelAction>(i);
  }
  return InvalidArgument(StrCat("unknown relabel action ", GoQuote(text)));
}

std::string_view RelabelActionName(RelabelAction action) {
  return kActionNames[static_cast<size_t>(action)];
}

bool IsValidLabelName(std::string_view name, NameValidation validation) {
  if (validation == NameValidation::kLegacy) return IsLegacyLabelName(name);
  return !name.empty() && IsValidUtf8(name);
}

bool IsValidMetricName(std::string_view name, NameValidation validation) {
  if (validation == NameValidation::kLegacy) return IsLegacyMetricName(name);
  return !name.empty() && IsValidUtf8(name);
}

absl::StatusOr<Relabeler> Relabeler::Make(std::span<const RelabelRule> rules,
                                          NameValidation validation) {
  Relabeler relabeler;
  relabeler.validation_ = validation;
  for (const RelabelRule& rule : rules) {
    NARTHEX_RETURN_IF_ERROR(Validate(rule, validation));
    Rule compiled;
    compiled.rule = rule;
    compiled.fixed_target = !HasVariable(rule.target_label);
    NARTHEX_ASSIGN_OR_RETURN(compiled.regex, Regex::Make(rule.regex));
    relabeler.rules_.push_back(std::move(compiled));
  }
  return relabeler;
}

bool Relabeler::Process(LabelsBuilder& labels) const {
  return std::all_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return ProcessOne(rule, labels);
  });
}

bool Relabeler::ProcessOne(const Rule& compiled, LabelsBuilder& labels) const {
  const RelabelRule& rule = compiled.rule;
  const Regex& regex = *compiled.regex;
  const std::string joined = Join(rule, labels);
  switch (rule.action) {
    case RelabelAction::kDrop:
      return !regex.Matches(joined);
    case RelabelAction::kKeep:
      return regex.Matches(joined);
    case RelabelAction::kDropEqual:
      return labels.Get(rule.target_label) != joined;
    case RelabelAction::kKeepEqual:
      return labels.Get(rule.target_label) == joined;
    case RelabelAction::kReplace: {
      std::string value;
      if (!regex.Expand(joined, rule.replacement, value)) return true;
      if (compiled.fixed_target) {
        labels.Set(rule.target_label, value);
        return true;
      }
      std::string target;
      regex.Expand(joined, rule.target_label, target);
      if (IsValidLabelName(target, validation_)) labels.Set(target, value);
      return true;
    }
    case RelabelAction::kLowercase:
      labels.Set(rule.target_label, ToLower(joined));
      return true;
    case RelabelAction::kUppercase:
      labels.Set(rule.target_label, ToUpper(joined));
      return true;
    case RelabelAction::kHashMod:
      labels.Set(rule.target_label, HashMod(joined, rule.modulus));
      return true;
    case RelabelAction::kLabelMap: {
      // Copies: what Pairs() shows dies with the first Set.
      std::vector<std::pair<std::string, std::string>> mapped;
      std::string name;
      for (const Label& label : labels.Pairs()) {
        if (regex.Expand(label.name, rule.replacement, name)) {
          mapped.emplace_back(name, label.value);
        }
      }
      for (const auto& [to, value] : mapped) labels.Set(to, value);
      return true;
    }
    case RelabelAction::kLabelDrop:
    case RelabelAction::kLabelKeep: {
      const bool drop_matches = rule.action == RelabelAction::kLabelDrop;
      std::vector<std::string> dropped;
      for (const Label& label : labels.Pairs()) {
        if (regex.Matches(label.name) == drop_matches) {
          dropped.emplace_back(label.name);
        }
      }
      for (const std::string& name : dropped) labels.Del(name);
      return true;
    }
  }
  return true;
}

}  // namespace narthex::scrape
