// How the labels of a page's samples become those of series: target labels,
// honor_labels, metric_relabel_configs, limits.
//
// Immutable; any thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "narthex/model/labels.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/exposition.h"
#include "narthex/scrape/relabel.h"

namespace narthex::scrape {

struct SampleRules {
  Labels target_labels = {};           // public ones
  const Relabeler* relabel = nullptr;  // borrowed; null: none
  NameValidation validation = NameValidation::kUtf8;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  ParserOptions parser = {};
  int32_t max_schema = kMaxSchema;  // of native histograms
  size_t bucket_limit = 0;
  // Samples that say since when they count: a zero is stored at that time, or
  // the time with the sample.
  bool start_zeros = false;
  bool start_times = false;
  bool append_metadata = false;
  size_t sample_limit = 0;
  size_t label_limit = 0;
  size_t label_name_length_limit = 0;
  size_t label_value_length_limit = 0;
};

// The labels of a sample, from what the page says (sorted here); empty:
// dropped. An error fails the whole page; `over_limit`, if given, becomes true
// if it is a limit on labels.
absl::StatusOr<Labels> MakeSampleLabels(const SampleRules& rules,
                                        LabelsScratch& scraped,
                                        LabelsBuilder& builder,
                                        bool* over_limit = nullptr);

// Of a report series: the target's labels beside the name, which wins.
Labels MakeReportLabels(const Labels& target_labels, std::string_view name);

}  // namespace narthex::scrape
