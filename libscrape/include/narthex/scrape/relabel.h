// Relabeling: rules that rewrite, keep or drop a label set, for targets before
// they are scraped and for samples before they are stored.
//
// A RelabelRule is plain data with Prometheus's defaults.  A Relabeler is a
// list of checked rules; it is immutable and safe from any thread.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/model/labels_builder.h"
#include "narthex/model/matcher.h"

namespace narthex::scrape {

enum class RelabelAction : uint8_t {
  kReplace,
  kKeep,
  kDrop,
  kKeepEqual,
  kDropEqual,
  kHashMod,
  kLabelMap,
  kLabelDrop,
  kLabelKeep,
  kLowercase,
  kUppercase
};

// In any case, as in the configuration: "replace", "LabelMap".
absl::StatusOr<RelabelAction> ParseRelabelAction(std::string_view text);
// Lower case.
std::string_view RelabelActionName(RelabelAction action);

// Which names are legal: any UTF-8, or only [a-zA-Z_][a-zA-Z0-9_]*.
enum class NameValidation : uint8_t { kUtf8, kLegacy };

bool IsValidLabelName(std::string_view name, NameValidation validation);
bool IsValidMetricName(std::string_view name, NameValidation validation);

struct RelabelRule {
  std::vector<std::string> source_labels = {};
  std::string separator = ";";
  std::string regex = "(.*)";  // fully anchored; dot matches newline
  uint64_t modulus = 0;        // of hashmod
  std::string target_label = {};
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::kReplace;

  friend bool operator==(const RelabelRule &, const RelabelRule &) = default;
};

class Relabeler {
 public:
  // No rules: keeps everything as it is.
  Relabeler() = default;
  // Refuses a rule that lacks what its action needs or whose regex does not
  // compile, in Prometheus's words.
  static absl::StatusOr<Relabeler> Make(
      std::span<const RelabelRule> rules,
      NameValidation validation = NameValidation::kUtf8);

  bool empty() const { return rules_.empty(); }
  // Applies the rules in order.  false: dropped, and `labels` is as the rule
  // that dropped it left it.
  [[nodiscard]] bool Process(LabelsBuilder &labels) const;

 private:
  struct Rule {
    RelabelRule rule = {};
    std::shared_ptr<const Regex> regex = {};
    bool fixed_target = false;  // target_label holds no `$`
  };

  bool ProcessOne(const Rule &rule, LabelsBuilder &labels) const;

  std::vector<Rule> rules_;
  NameValidation validation_ = NameValidation::kUtf8;
};

}  // namespace narthex::scrape
