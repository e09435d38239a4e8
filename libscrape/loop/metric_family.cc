#include "libscrape/loop/metric_family.h"

#include <span>

namespace narthex::scrape {
namespace {

constexpr std::string_view kCounter[] = {"_total"};
constexpr std::string_view kInfo[] = {"_info"};
constexpr std::string_view kHistogram[] = {"_bucket", "_sum", "_count"};
constexpr std::string_view kGaugeHistogram[] = {"_bucket", "_gsum", "_gcount"};
constexpr std::string_view kSummary[] = {"_sum", "_count"};

std::span<const std::string_view> Suffixes(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return kCounter;
    case MetricType::kInfo:
      return kInfo;
    case MetricType::kHistogram:
      return kHistogram;
    case MetricType::kGaugeHistogram:
      return kGaugeHistogram;
    case MetricType::kSummary:
      return kSummary;
    default:
      return {};
  }
}

}  // namespace

bool IsPartOfFamily(std::string_view name, std::string_view family,
                    MetricType type) {
  if (!name.starts_with(family)) return false;
  const auto suffixes = Suffixes(type);
  // The text format's counters and infos have their suffix in the family.
  if ((type == MetricType::kCounter || type == MetricType::kInfo) &&
      family.ends_with(suffixes[0])) {
    family.remove_suffix(suffixes[0].size());
  }
  for (std::string_view suffix : suffixes) {
    if (!name.ends_with(suffix)) continue;
    name.remove_suffix(suffix.size());
    break;
  }
  return name == family;
}

}  // namespace narthex::scrape
