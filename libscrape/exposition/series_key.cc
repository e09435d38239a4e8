#include "libscrape/exposition/series_key.h"

#include <bit>
#include <cstring>

#include "libscrape/exposition/lexer.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

// What follows each tag: two texts, one text, or eight bytes.
constexpr char kLabelTag = 'L';
constexpr char kNameTag = 'N';
constexpr char kBoundTag = 'B';
constexpr char kQuantileTag = 'Q';

uint32_t ReadLength(const char*& p) {
  uint32_t n = 0;
  std::memcpy(&n, p, sizeof n);
  p += sizeof n;
  return n;
}

std::string_view ReadText(const char*& p) {
  const uint32_t n = ReadLength(p);
  const std::string_view text(p, n);
  p += n;
  return text;
}

}  // namespace

void SeriesKeyBuilder::AddText(std::string_view text) {
  const auto n = static_cast<uint32_t>(text.size());
  char length[sizeof n];
  std::memcpy(length, &n, sizeof n);
  key_.append(length, sizeof n);
  key_.append(text);
}

void SeriesKeyBuilder::AddLabel(std::string_view name, std::string_view value) {
  key_.push_back(kLabelTag);
  AddText(name);
  AddText(value);
}

void SeriesKeyBuilder::Finish(std::string_view name, std::string_view suffix) {
  key_.resize(mark_);
  key_.push_back(kNameTag);
  const auto n = static_cast<uint32_t>(name.size() + suffix.size());
  char length[sizeof n];
  std::memcpy(length, &n, sizeof n);
  key_.append(length, sizeof n);
  key_.append(name);
  key_.append(suffix);
}

void SeriesKeyBuilder::AddNumber(char tag, double v) {
  key_.push_back(tag);
  char bits[sizeof v];
  std::memcpy(bits, &v, sizeof v);
  key_.append(bits, sizeof bits);
}

void SeriesKeyBuilder::AddBound(double le) { AddNumber(kBoundTag, le); }
void SeriesKeyBuilder::AddQuantile(double quantile) {
  AddNumber(kQuantileTag, quantile);
}

bool IsSeriesKey(std::string_view text) {
  return !text.empty() && text[0] == '\0';
}

void ReadSeriesKey(std::string_view key, std::string& texts,
                   LabelsScratch& out) {
  out.Clear();
  texts.clear();
  const char* p = key.data() + 1;
  const char* const end = key.data() + key.size();
  while (p < end) {
    const char tag = *p++;
    if (tag == kLabelTag) {
      const std::string_view name = ReadText(p);
      out.Add(name, ReadText(p));
    } else if (tag == kNameTag) {
      out.Add(kMetricName, ReadText(p));
    } else {
      // At most one of these.
      double v = 0;
      std::memcpy(&v, p, sizeof v);
      p += sizeof v;
      texts = FormatOpenMetricsFloat(v);
      out.Add(tag == kBoundTag ? kBucketLabel : "quantile", texts);
    }
  }
}

}  // namespace narthex::scrape
