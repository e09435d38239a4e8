// How the labels of a page's samples become those of series: target labels,
// honor_labels, metric_relabel_configs, limits.
//
// Immutable; any thread.

#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "narthex/model/labels.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/relabel.h"

namespace narthex::scrape {

struct SampleRules {
  Labels target_labels = {};           // public ones
  const Relabeler* relabel = nullptr;  // borrowed; null: none
  NameValidation validation = NameValidation::kUtf8;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  size_t sample_limit = 0;
  size_t label_limit = 0;
  size_t label_name_length_limit = 0;
  size_t label_value_length_limit = 0;
};

// The labels of a sample, from what the page says (sorted here); empty:
// dropped. An error fails the whole page.
absl::StatusOr<Labels> MakeSampleLabels(const SampleRules& rules,
                                        LabelsScratch& scraped,
                                        LabelsBuilder& builder);

// Of a report series: the target's labels beside the name, which wins.
Labels MakeReportLabels(const Labels& target_labels, std::string_view name);

}  // namespace narthex::scrape
