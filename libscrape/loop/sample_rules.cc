#include "libscrape/loop/sample_rules.h"

#include <algorithm>
#include <string>
#include <vector>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kExported = "exported_";
constexpr size_t kShown = 50;  // characters of a text in a limit's error

bool HasName(const LabelsScratch& scraped, std::string_view name) {
  return std::any_of(scraped.pairs().begin(), scraped.pairs().end(),
                     [&](const Label& label) { return label.name == name; });
}

std::string_view ValueOf(const LabelsScratch& scraped, std::string_view name) {
  for (const Label& label : scraped.pairs()) {
    if (label.name == name) return label.value;
  }
  return {};
}

void AddTargetLabels(const Labels& target_labels, const LabelsScratch& scraped,
                     LabelsBuilder& builder) {
  std::vector<Label> conflicts;
  for (const Label& label : target_labels) {
    const std::string_view existing = ValueOf(scraped, label.name);
    if (!existing.empty()) conflicts.push_back({label.name, existing});
    builder.Set(label.name, label.value);
  }
  // Short names first, so that renaming one can't take another's new name.
  std::stable_sort(conflicts.begin(), conflicts.end(),
                   [](const Label& a, const Label& b) {
                     return a.name.size() < b.name.size();
                   });
  for (const Label& label : conflicts) {
    std::string name(label.name);
    do {
      name.insert(0, kExported);
    } while (!builder.Get(name).empty());
    builder.Set(name, label.value);
  }
}

absl::Status CheckLimits(const SampleRules& rules, const Labels& labels) {
  if (rules.label_limit == 0 && rules.label_name_length_limit == 0 &&
      rules.label_value_length_limit == 0) {
    return absl::OkStatus();
  }
  const std::string_view metric = labels.name().substr(0, kShown);
  if (rules.label_limit != 0 && labels.size() > rules.label_limit) {
    return InvalidArgument(StrCat("label_limit exceeded (metric: ", metric,
                                  ", number of labels: ", labels.size(),
                                  ", limit: ", rules.label_limit, ")"));
  }
  for (const Label& label : labels) {
    const size_t name_limit = rules.label_name_length_limit;
    if (name_limit != 0 && label.name.size() > name_limit) {
      return InvalidArgument(StrCat(
          "label_name_length_limit exceeded (metric: ", metric,
          ", label name: ", label.name.substr(0, kShown),
          ", length: ", label.name.size(), ", limit: ", name_limit, ")"));
    }
    const size_t value_limit = rules.label_value_length_limit;
    if (value_limit != 0 && label.value.size() > value_limit) {
      return InvalidArgument(StrCat(
          "label_value_length_limit exceeded (metric: ", metric,
          ", label name: ", label.name.substr(0, kShown),
          ", value: ", GoQuote(label.value.substr(0, kShown)),
          ", length: ", label.value.size(), ", limit: ", value_limit, ")"));
    }
  }
  return absl::OkStatus();
}

bool IsValid(const Labels& labels, NameValidation validation) {
  return std::all_of(labels.begin(), labels.end(), [&](const Label& label) {
    return label.name == kMetricName
               ? IsValidMetricName(label.value, validation)
               : IsValidLabelName(label.name, validation) &&
                     IsValidUtf8(label.value);
  });
}

}  // namespace

absl::StatusOr<Labels> MakeSampleLabels(const SampleRules& rules,
                                        LabelsScratch& scraped,
                                        LabelsBuilder& builder,
                                        bool* over_limit) {
  scraped.Sort();
  std::string_view twice;
  if (scraped.HasDuplicate(twice)) {
    return InvalidArgument(StrCat("label name ", GoQuote(twice),
                                  " is not unique: invalid sample"));
  }
  Labels labels;
  scraped.BuildInto(labels);
  const bool relabels = rules.relabel != nullptr && !rules.relabel->empty();
  if (!rules.target_labels.empty() || relabels) {
    builder.Reset(labels);
    if (rules.honor_labels) {
      for (const Label& label : rules.target_labels) {
        // One that the page gives as empty counts as given.
        if (!HasName(scraped, label.name)) builder.Set(label.name, label.value);
      }
    } else {
      AddTargetLabels(rules.target_labels, scraped, builder);
    }
    if (relabels && !rules.relabel->Process(builder)) return Labels();
    labels = builder.Build();
  }
  if (labels.empty()) return labels;
  if (labels.name().empty()) {
    return InvalidArgument("missing metric name (__name__ label)");
  }
  if (!IsValid(labels, rules.validation)) {
    return InvalidArgument(
        StrCat("invalid metric name or label names: ", labels.ToString()));
  }
  const absl::Status limits = CheckLimits(rules, labels);
  if (!limits.ok()) {
    if (over_limit != nullptr) *over_limit = true;
    return limits;
  }
  return labels;
}

Labels MakeReportLabels(const Labels& target_labels, std::string_view name) {
  LabelsBuilder builder;
  builder.Set(kMetricName, name);
  for (const Label& label : target_labels) {
    if (label.name == kMetricName) {
      builder.Set(StrCat(kExported, label.name), name);
    }
    builder.Set(label.name, label.value);
  }
  return builder.Build();
}

}  // namespace narthex::scrape
