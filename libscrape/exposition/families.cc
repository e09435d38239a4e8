#include "libscrape/exposition/families.h"

#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"

namespace narthex::scrape {
namespace {

struct Suffix {
  MetricType type;
  std::string_view text;
};
// What a family's samples may be called beside its own name.
constexpr Suffix kTextSuffixes[] = {
    {MetricType::kSummary, "_sum"},      {MetricType::kSummary, "_count"},
    {MetricType::kHistogram, "_bucket"}, {MetricType::kHistogram, "_sum"},
    {MetricType::kHistogram, "_count"},
};
constexpr Suffix kOpenMetricsSuffixes[] = {
    {MetricType::kCounter, "_total"},
    {MetricType::kCounter, "_created"},
    {MetricType::kSummary, "_sum"},
    {MetricType::kSummary, "_count"},
    {MetricType::kSummary, "_created"},
    {MetricType::kHistogram, "_bucket"},
    {MetricType::kHistogram, "_sum"},
    {MetricType::kHistogram, "_count"},
    {MetricType::kHistogram, "_created"},
    {MetricType::kGaugeHistogram, "_bucket"},
    {MetricType::kGaugeHistogram, "_gsum"},
    {MetricType::kGaugeHistogram, "_gcount"},
    {MetricType::kInfo, "_info"},
};

class FamilyReader {
 public:
  FamilyReader(std::string_view page, PageFormat format)
      : page_(page),
        format_(format),
        parser_(page, format),
        suffixes_(format == PageFormat::kOpenMetrics
                      ? std::span<const Suffix>(kOpenMetricsSuffixes)
                      : std::span<const Suffix>(kTextSuffixes)) {}

  absl::StatusOr<std::vector<PageFamily>> Read() {
    using Entry = ExpositionParser::Entry;
    for (;;) {
      switch (parser_.Next()) {
        case Entry::kEnd:
          NARTHEX_RETURN_IF_ERROR(parser_.status());
          NARTHEX_RETURN_IF_ERROR(CheckEnd());
          std::erase_if(families_, [](const PageFamily& family) {
            return family.metrics.empty();
          });
          return std::move(families_);
        case Entry::kType:
          NARTHEX_RETURN_IF_ERROR(TakeType());
          break;
        case Entry::kHelp:
          NARTHEX_RETURN_IF_ERROR(TakeHelp());
          break;
        case Entry::kSeries:
        case Entry::kHistogram:
          NARTHEX_RETURN_IF_ERROR(CheckEscapes());
          TakeSeries();
          break;
        case Entry::kUnit:
        case Entry::kComment:
          break;
      }
    }
  }

 private:
  size_t FamilyNamed(std::string_view name) {
    const auto found = by_name_.find(name);
    if (found != by_name_.end()) return found->second;
    by_name_.emplace(std::string(name), families_.size());
    families_.push_back(PageFamily{.name = std::string(name)});
    metric_by_labels_.emplace_back();
    return families_.size() - 1;
  }

  absl::Status Refuse(std::string_view what) const {
    return InvalidArgument(StrCat("line ", parser_.line(), ": ", what));
  }

  // What a scrape lets pass and the text format does not allow.
  absl::Status CheckEnd() const {
    if (format_ != PageFormat::kText || page_.empty() ||
        page_.ends_with('\n')) {
      return absl::OkStatus();
    }
    return Refuse("unexpected end of input stream");
  }
  absl::Status CheckEscapes() const {
    if (format_ != PageFormat::kText) return absl::OkStatus();
    const std::string_view text = parser_.series();
    for (size_t at = text.find('\\'); at != std::string_view::npos;
         at = text.find('\\', at + 2)) {
      const char next = at + 1 < text.size() ? text[at + 1] : '\0';
      if (next != '\\' && next != 'n' && next != '"') {
        return Refuse("invalid escape sequence");
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeType() {
    PageFamily& family = families_[FamilyNamed(parser_.metric())];
    if (family.has_type || !family.metrics.empty()) {
      return Refuse(StrCat("second TYPE line for metric name ",
                           GoQuote(family.name),
                           ", or TYPE reported after samples"));
    }
    family.has_type = true;
    family.type = parser_.type();
    return absl::OkStatus();
  }

  absl::Status TakeHelp() {
    PageFamily& family = families_[FamilyNamed(parser_.metric())];
    if (family.has_help) {
      return Refuse(
          StrCat("second HELP line for metric name ", GoQuote(family.name)));
    }
    family.has_help = true;
    family.empty_help = parser_.text().empty();
    return absl::OkStatus();
  }

  // The family that a sample of this name belongs to.
  size_t FamilyOfSample(std::string_view name) {
    if (by_name_.contains(name)) return FamilyNamed(name);
    for (const auto& [type, suffix] : suffixes_) {
      if (!name.ends_with(suffix)) continue;
      const auto base =
          by_name_.find(name.substr(0, name.size() - suffix.size()));
      if (base != by_name_.end() && families_[base->second].type == type) {
        return base->second;
      }
    }
    return FamilyNamed(name);
  }

  void TakeSeries() {
    parser_.GetLabels(scratch_);
    std::string_view name;
    for (const Label& label : scratch_.pairs()) {
      if (label.name == kMetricName) name = label.value;
    }
    const size_t index = FamilyOfSample(name);
    PageFamily& family = families_[index];
    const bool histogram = family.type == MetricType::kHistogram ||
                           family.type == MetricType::kGaugeHistogram;
    const bool summary = family.type == MetricType::kSummary;
    const std::string_view part_label = histogram ? "le"
                                        : summary ? "quantile"
                                                  : "";
    bool part = false;
    LabelsScratch own;
    for (const Label& label : scratch_.pairs()) {
      if (label.name == kMetricName) continue;
      if (!part_label.empty() && label.name == part_label) {
        part = true;
      } else {
        own.Add(label.name, label.value);
      }
    }
    own.Sort();
    Labels labels;
    own.BuildInto(labels);
    const auto [metric, is_new] =
        metric_by_labels_[index].try_emplace(labels, family.metrics.size());
    if (is_new) family.metrics.push_back({.labels = std::move(labels)});
    PageMetric& m = family.metrics[metric->second];
    if (part) {
      ++m.parts;
    } else {
      ++m.times;
    }
  }

  const std::string_view page_;
  const PageFormat format_;
  ExpositionParser parser_;
  const std::span<const Suffix> suffixes_;
  LabelsScratch scratch_;
  std::vector<PageFamily> families_;
  absl::flat_hash_map<std::string, size_t, StringHash, StringEq> by_name_;
  std::vector<absl::flat_hash_map<Labels, size_t, LabelsHash>>
      metric_by_labels_;
};

}  // namespace

absl::StatusOr<std::vector<PageFamily>> ReadFamilies(std::string_view page,
                                                     PageFormat format) {
  return FamilyReader(page, format).Read();
}

}  // namespace narthex::scrape
