#include "libscrape/loop/scrape_cache.h"

#include <algorithm>
#include <utility>

namespace narthex::scrape {
namespace {

// Pages for which metadata outlives its metric.
constexpr uint64_t kMetadataPages = 10;
// Series that bad pages may add, beside twice those of the last good one.
constexpr size_t kSparedTexts = 1000;

}  // namespace

ScrapeCache::ScrapeCache()
    : page_(std::make_unique<std::string>()),
      by_text_(0, Hash{this}, Equal{this}) {}

void ScrapeCache::BeginPage() {
  new_lines_.clear();
  new_lines_.reserve(lines_.size());
  new_shown_.clear();
  shown_mark_ = 0;
  fresh_.clear();
  cursor_ = 0;
  seen_ = 0;
  unlearned_ = 0;
  tracked_now_ = 0;
  tracked_again_ = 0;
}

ScrapeCache::SeriesId ScrapeCache::TakeExpected(size_t at) {
  const Line& old = lines_[cursor_];
  const size_t shown_end = cursor_ + 1 < lines_.size()
                               ? lines_[cursor_ + 1].metadata
                               : shown_.size();
  Line line = old;
  line.begin = static_cast<uint32_t>(at);
  line.text = line.begin + (old.text - old.begin);
  line.metadata = static_cast<uint32_t>(new_shown_.size());
  for (size_t i = old.metadata; i < shown_end; ++i) {
    new_shown_.push_back(shown_[i]);
  }
  shown_mark_ = new_shown_.size();
  new_lines_.push_back(line);
  ++cursor_;
  return line.series;
}

ScrapeCache::SeriesId ScrapeCache::Find(std::string_view text) {
  const auto found = by_text_.find(text);
  if (found == by_text_.end()) return kNone;
  const Series& s = series_[*found];
  if (!s.fresh && s.line != kNoLine) cursor_ = s.line + 1;
  return *found;
}

ScrapeCache::SeriesId ScrapeCache::FindText(std::string_view text) {
  if (cursor_ < lines_.size()) {
    const SeriesId id = lines_[cursor_].series;
    if (series_[id].text == text) {
      ++cursor_;
      return id;
    }
  }
  return Find(text);
}

void ScrapeCache::MovePage(const char* from, const char* to) {
  for (SeriesId id : fresh_) {
    std::string_view& text = series_[id].text;
    text = {to + (text.data() - from), text.size()};
  }
}

ScrapeCache::SeriesId ScrapeCache::Add(std::string_view text, SeriesRef ref,
                                       bool dropped, MetricType type) {
  SeriesId id = 0;
  if (free_.empty()) {
    id = static_cast<SeriesId>(series_.size());
    series_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  series_[id] = Series{.text = text,
                       .ref = ref,
                       .dropped = dropped,
                       .fresh = true,
                       .type = type};
  by_text_.insert(id);
  fresh_.push_back(id);
  return id;
}

void ScrapeCache::Record(SeriesId series, size_t begin, size_t text,
                         size_t value, MetricType type) {
  // Families shown since the sample before belong to this line.
  new_lines_.push_back(Line{.begin = static_cast<uint32_t>(begin),
                            .size = static_cast<uint32_t>(value - begin),
                            .text = static_cast<uint32_t>(text),
                            .series = series,
                            .metadata = static_cast<uint32_t>(shown_mark_),
                            .type = type});
  shown_mark_ = new_shown_.size();
}

void ScrapeCache::Unlearn(SeriesId id) {
  Series& s = series_[id];
  if (!s.fresh || s.counted || s.seen == 0) return;
  // Its lines stay until the end of the page, so it is forgotten only then.
  s.seen = 0;
  ++unlearned_;
}

void ScrapeCache::FindStale(std::vector<SeriesRef>& out) {
  out.clear();
  const bool none_vanished = tracked_again_ == tracked_before_;
  if (none_vanished && orphans_.empty()) return;
  absl::flat_hash_set<uint64_t> vanished;
  for (SeriesRef ref : orphans_) vanished.insert(static_cast<uint64_t>(ref));
  for (const Series& s : series_) {
    if (s.tracked + 1 == number_) {
      vanished.insert(static_cast<uint64_t>(s.ref));
    }
  }
  // The same series may stand there under another text.
  for (const Series& s : series_) {
    if (s.tracked == number_) vanished.erase(static_cast<uint64_t>(s.ref));
  }
  for (uint64_t ref : vanished) out.push_back(SeriesRef{ref});
  std::sort(out.begin(), out.end());
}

void ScrapeCache::Forget(SeriesId id) {
  by_text_.erase(id);
  own_texts_.erase(id);
  series_[id] = Series();
  free_.push_back(id);
}

std::string ScrapeCache::EndGood(std::string page) {
  if (unlearned_ != 0) {
    std::erase_if(new_lines_, [&](const Line& line) {
      return series_[line.series].seen != number_;
    });
  }
  if (seen_ != series_.size() - free_.size() || unlearned_ != 0) {
    for (SeriesId id = 0; id < series_.size(); ++id) {
      const Series& s = series_[id];
      if (s.seen != number_ && !s.text.empty()) Forget(id);
    }
  }
  // The texts move with the page: from where they were read to where it is
  // kept.
  auto kept = std::make_unique<std::string>(std::move(page));
  for (size_t i = 0; i < new_lines_.size(); ++i) {
    const Line& line = new_lines_[i];
    Series& s = series_[line.series];
    s.text = std::string_view(*kept).substr(line.text, s.text.size());
    s.line = static_cast<uint32_t>(i);
    s.fresh = s.counted = false;
  }
  fresh_.clear();
  own_texts_.clear();
  page_.swap(kept);
  lines_.swap(new_lines_);
  // What is shown behind the last sample is read, not expected.
  new_shown_.resize(shown_mark_);
  shown_.swap(new_shown_);
  DropOldFamilies();
  orphans_.clear();
  StopTracking();
  return std::move(*kept);
}

void ScrapeCache::EndBad() {
  for (SeriesId id : fresh_) {
    Series& s = series_[id];
    if (s.seen != number_ || (!s.dropped && !s.counted)) {
      Forget(id);
      continue;
    }
    auto text = std::make_unique<const std::string>(s.text);
    s.text = *text;
    s.fresh = s.counted = false;
    own_texts_.insert_or_assign(id, std::move(text));
  }
  fresh_.clear();
  if (own_texts_.size() > 2 * lines_.size() + kSparedTexts) {
    // Bad pages with ever other series: what this one did not show goes.
    std::vector<SeriesId> old;
    for (const auto& [id, text] : own_texts_) {
      if (series_[id].seen != number_) old.push_back(id);
    }
    for (SeriesId id : old) Forget(id);
  }
  orphans_.clear();
  DropOldFamilies();
  StopTracking();
}

// What the page tracked is what the next one is held against.
void ScrapeCache::StopTracking() {
  tracked_before_ = std::exchange(tracked_now_, 0);
  tracked_again_ = 0;
  ++number_;
}

void ScrapeCache::Clear() {
  for (const Series& s : series_) {
    if (!s.text.empty() && s.tracked + 1 == number_) orphans_.push_back(s.ref);
  }
  by_text_.clear();
  own_texts_.clear();
  series_.clear();
  free_.clear();
  fresh_.clear();
  lines_.clear();
  shown_.clear();
  page_->clear();
  tracked_before_ = 0;
}

ScrapeCache::Family& ScrapeCache::FamilyOf(std::string_view metric) {
  const auto found = family_by_name_.find(metric);
  uint32_t index = 0;
  if (found != family_by_name_.end()) {
    index = found->second;
  } else {
    index = static_cast<uint32_t>(families_.size());
    families_.push_back(Family{.name = std::string(metric)});
    family_by_name_.emplace(std::string(metric), index);
  }
  if (new_shown_.empty() || new_shown_.back() != index) {
    new_shown_.push_back(index);
  }
  families_[index].seen = number_;
  return families_[index];
}

bool ScrapeCache::SetType(std::string_view metric, MetricType type) {
  absl::MutexLock lock(&metadata_mu_);
  Family& family = FamilyOf(metric);
  if (std::exchange(family.metadata.type, type) != type) {
    family.changed = number_;
  }
  return family.changed == number_;
}

bool ScrapeCache::SetHelp(std::string_view metric, std::string_view help) {
  absl::MutexLock lock(&metadata_mu_);
  Family& family = FamilyOf(metric);
  if (family.metadata.help != help) {
    family.metadata.help = std::string(help);
    family.changed = number_;
  }
  return family.changed == number_;
}

bool ScrapeCache::SetUnit(std::string_view metric, std::string_view unit) {
  absl::MutexLock lock(&metadata_mu_);
  Family& family = FamilyOf(metric);
  if (family.metadata.unit != unit) {
    family.metadata.unit = std::string(unit);
    family.changed = number_;
  }
  return family.changed == number_;
}

void ScrapeCache::DropOldFamilies() {
  absl::MutexLock lock(&metadata_mu_);
  for (uint32_t index : shown_) families_[index].seen = number_;
  const auto old = [&](const Family& family) {
    return number_ - family.seen > kMetadataPages;
  };
  if (std::none_of(families_.begin(), families_.end(), old)) return;
  std::vector<uint32_t> moved(families_.size(), kNone);
  std::vector<Family> kept;
  family_by_name_.clear();
  for (size_t i = 0; i < families_.size(); ++i) {
    if (old(families_[i])) continue;
    moved[i] = static_cast<uint32_t>(kept.size());
    family_by_name_.emplace(families_[i].name, moved[i]);
    kept.push_back(std::move(families_[i]));
  }
  families_ = std::move(kept);
  // All of these were seen just now.
  for (uint32_t& index : shown_) index = moved[index];
}

std::vector<std::pair<std::string, Metadata>> ScrapeCache::ListMetadata()
    const {
  absl::MutexLock lock(&metadata_mu_);
  std::vector<std::pair<std::string, Metadata>> list;
  list.reserve(families_.size());
  for (const Family& family : families_) {
    list.emplace_back(family.name, family.metadata);
  }
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return list;
}

}  // namespace narthex::scrape
