// A text that stands for a series of a page without lines: what protobuf pages
// and converted histograms give to caches in place of the page's own text.
//
// It holds the labels, so that they can be had back from it, and bounds of
// buckets as bits, so that nobody formats a float to ask a cache.  Begins with
// a NUL byte: no line does.  Values; one thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "narthex/model/labels_builder.h"

namespace narthex::scrape {

class SeriesKeyBuilder {
 public:
  // Begins anew.
  void Clear() {
    key_.assign(1, '\0');
    mark_ = 1;
  }
  void AddLabel(std::string_view name, std::string_view value);
  // What was added so far is common to the series that follow.
  void Mark() { mark_ = key_.size(); }
  // One of them: name + suffix, and (or not) `le` or `quantile`.
  void Finish(std::string_view name, std::string_view suffix);
  void AddBound(double le);
  void AddQuantile(double quantile);

  std::string_view key() const { return key_; }

 private:
  void AddText(std::string_view text);
  void AddNumber(char tag, double v);

  std::string key_;
  size_t mark_ = 1;
};

bool IsSeriesKey(std::string_view text);

// The labels of `key`, the name first, unsorted.  Views into key and `texts`,
// which is emptied.
void ReadSeriesKey(std::string_view key, std::string& texts,
                   LabelsScratch& out);

}  // namespace narthex::scrape
