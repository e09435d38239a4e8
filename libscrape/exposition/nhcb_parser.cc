#include "libscrape/exposition/nhcb_parser.h"

#include <cmath>

#include "narthex/model/labels.h"

namespace narthex::scrape {

template <typename Inner>
typename NhcbParser<Inner>::Part NhcbParser<Inner>::PartOfHistogram() {
  same_metric_ = false;
  if (inner_.type() != MetricType::kHistogram) return Part::kNone;
  inner_.GetLabels(labels_);
  std::string_view name = labels_.pairs()[0].value;
  constexpr std::pair<std::string_view, Part> kSuffixes[] = {
      {"_bucket", Part::kBucket},
      {"_sum", Part::kSum},
      {"_count", Part::kCount}};
  Part part = Part::kNone;
  for (const auto& [suffix, meaning] : kSuffixes) {
    if (!name.ends_with(suffix)) continue;
    name.remove_suffix(suffix.size());
    part = meaning;
    break;
  }
  if (name != family_) return Part::kNone;
  std::string_view bound;
  labels_.Sort();
  group_.clear();
  for (const Label& label : labels_.pairs()) {
    if (label.name == kMetricName) continue;
    if (label.name == kBucketLabel) {
      bound = label.value;
      continue;
    }
    group_ += label.name;
    group_ += '\0';
    group_ += label.value;
    group_ += '\0';
  }
  same_metric_ = collecting_ && group_ == own_group_;
  if (part == Part::kBucket &&
      (!ParseGoFloat(bound, bound_) || std::isnan(bound_))) {
    return Part::kNone;
  }
  return part;
}

template <typename Inner>
bool NhcbParser<Inner>::Collect(Part part) {
  collected_ = part != Part::kNone;
  if (!collected_) return false;
  if (!collecting_) {
    collecting_ = true;
    classic_.Clear();
    own_exemplars_.clear();
    own_group_ = group_;
    own_start_ = start_times_ ? inner_.start_time() : Timestamp(0);
    own_key_.Clear();
    for (const Label& label : labels_.pairs()) {
      if (label.name == kMetricName || label.name == kBucketLabel) continue;
      own_key_.AddLabel(label.name, label.value);
    }
    own_key_.Mark();
    own_key_.Finish(family_, {});
  }
  Exemplar exemplar;
  while (inner_.GetExemplar(exemplar)) {
    own_exemplars_.push_back(std::move(exemplar));
  }
  switch (part) {
    case Part::kBucket:
      classic_.SetBucket(bound_, inner_.value());
      break;
    case Part::kSum:
      classic_.SetSum(inner_.value());
      break;
    case Part::kCount:
      classic_.SetCount(inner_.value());
      break;
    case Part::kNone:
      break;
  }
  return true;
}

template <typename Inner>
bool NhcbParser<Inner>::Convert() {
  if (!collecting_) return false;
  collecting_ = false;
  bool is_float = false;
  if (!classic_.Convert(h_, fh_, is_float).ok()) return false;
  if (!(is_float ? fh_.Validate() : h_.Validate()).ok()) return false;
  is_float_ = is_float;
  std::swap(key_, own_key_);
  std::swap(exemplars_, own_exemplars_);
  next_exemplar_ = 0;
  start_ = own_start_;
  emitting_ = true;
  return true;
}

template <typename Inner>
typename NhcbParser<Inner>::Entry NhcbParser<Inner>::Next() {
  for (;;) {
    if (emitting_) {
      // Now what came behind the histogram.
      emitting_ = false;
      collected_ = false;
      if (entry_ == Entry::kSeries && Collect(PartOfHistogram()) &&
          !keep_classic_) {
        continue;
      }
      return entry_;
    }
    entry_ = inner_.Next();
    collected_ = false;
    switch (entry_) {
      case Entry::kEnd:
        if (status().ok() && Convert()) return Entry::kHistogram;
        return Entry::kEnd;
      case Entry::kSeries: {
        const Part part = PartOfHistogram();
        if (collecting_ && !same_metric_ && Convert()) {
          return Entry::kHistogram;
        }
        if (Collect(part) && !keep_classic_) continue;
        return entry_;
      }
      case Entry::kType:
        if (Convert()) {
          family_ = inner_.metric();
          return Entry::kHistogram;
        }
        family_ = inner_.metric();
        return entry_;
      default:
        if (Convert()) return Entry::kHistogram;
        return entry_;
    }
  }
}

template <typename Inner>
void NhcbParser<Inner>::GetLabels(LabelsScratch& out) {
  if (emitting_) {
    ReadSeriesKey(key_.key(), label_text_, out);
  } else {
    inner_.GetLabels(out);
  }
}

template <typename Inner>
bool NhcbParser<Inner>::GetExemplar(Exemplar& out) {
  if (!emitting_) return !collected_ && inner_.GetExemplar(out);
  if (next_exemplar_ == exemplars_.size()) return false;
  out = exemplars_[next_exemplar_++];
  return true;
}

template <typename Inner>
Timestamp NhcbParser<Inner>::start_time() {
  return emitting_ ? start_ : inner_.start_time();
}

template class NhcbParser<TextParser>;
template class NhcbParser<OpenMetricsParser>;

}  // namespace narthex::scrape
