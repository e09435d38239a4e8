#include "libtsdb/head/head_metadata.h"

#include <utility>

namespace narthex::tsdb {

// Neither text can have a zero byte and mean another text: the lengths differ.
std::string HeadMetadata::KeyOf(const Metadata& metadata) {
  std::string key(1, static_cast<char>(metadata.type));
  key += std::to_string(metadata.unit.size());
  key += ' ';
  key += metadata.unit;
  key += metadata.help;
  return key;
}

bool HeadMetadata::Set(SeriesId id, const Metadata& metadata) {
  absl::MutexLock lock(&mu_);
  const auto [series, added] = of_.try_emplace(id, 0);
  if (!added) {
    if (texts_[series->second].metadata == metadata) return false;
    Release(series->second);
  }
  const auto [key, is_new] = by_key_.try_emplace(KeyOf(metadata), 0);
  if (is_new) {
    if (free_.empty()) {
      key->second = static_cast<uint32_t>(texts_.size());
      texts_.emplace_back();
    } else {
      key->second = free_.back();
      free_.pop_back();
    }
    texts_[key->second].metadata = metadata;
  }
  ++texts_[key->second].users;
  series->second = key->second;
  return true;
}

bool HeadMetadata::Has(SeriesId id, const Metadata& metadata) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto it = of_.find(id);
  return it != of_.end() && texts_[it->second].metadata == metadata;
}

bool HeadMetadata::Find(SeriesId id, Metadata& out) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto it = of_.find(id);
  if (it == of_.end()) return false;
  out = texts_[it->second].metadata;
  return true;
}

void HeadMetadata::Release(uint32_t text) {
  if (--texts_[text].users != 0) return;
  by_key_.erase(KeyOf(texts_[text].metadata));
  texts_[text] = {};
  free_.push_back(text);
}

void HeadMetadata::Remove(absl::FunctionRef<bool(SeriesId)> gone) {
  absl::MutexLock lock(&mu_);
  for (auto it = of_.begin(); it != of_.end();) {
    const auto entry = it++;
    if (!gone(entry->first)) continue;
    Release(entry->second);
    of_.erase(entry);
  }
}

size_t HeadMetadata::bytes() const {
  absl::ReaderMutexLock lock(&mu_);
  size_t n = of_.capacity() * (sizeof(SeriesId) + sizeof(uint32_t) + 1) +
             texts_.capacity() * sizeof(Text);
  for (const Text& text : texts_) {
    n += 2 * (text.metadata.help.capacity() + text.metadata.unit.capacity());
  }
  return n;
}

}  // namespace narthex::tsdb
