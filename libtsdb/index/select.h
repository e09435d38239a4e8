// From matchers to series: the one place that knows which postings lists a
// matcher needs, for a block's index and the head's alike.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/index/postings.h"
#include "narthex/base/cancel.h"
#include "narthex/model/matcher.h"

namespace narthex::tsdb {

// The values of one label name, ascending by text, and where the postings of
// each one are.  The text lives as long as the index.
struct LabelValueList {
  std::vector<std::string_view> texts = {};
  std::vector<uint64_t> lists = {};  // for PostingsIndex::List
};

// An index as select.cc sees it.  Any thread.  A list or a value that comes to
// be while a query runs may be seen or not.
class PostingsIndex {
 public:
  virtual ~PostingsIndex() = default;
  virtual absl::StatusOr<PostingsList> All() const = 0;
  // Empty if there is no such pair.
  virtual absl::StatusOr<PostingsList> Find(std::string_view name,
                                            std::string_view value) const = 0;
  // Null if there is no such name.
  virtual absl::StatusOr<std::shared_ptr<const LabelValueList>> Values(
      std::string_view name) const = 0;
  virtual absl::StatusOr<PostingsList> List(uint64_t list) const = 0;
  // Ascending by text.
  virtual absl::StatusOr<std::vector<std::string_view>> Names() const = 0;
};

// Ids of the series that match all of the matchers, ascending by id.  A label
// that is absent is the empty text.  No matchers: every series.  `left`, if not
// null: gets the matchers that the caller had better ask of the labels of the
// few series that are left; they have not been asked yet.
absl::StatusOr<std::vector<SeriesId>> SelectSeries(
    const PostingsIndex &index, std::span<const Matcher *const> matchers,
    const CancelToken &cancel, std::vector<const Matcher *> *left = nullptr);

// Values of `name` among the series that match, ascending.
absl::StatusOr<std::vector<std::string_view>> SelectLabelValues(
    const PostingsIndex &index, std::string_view name,
    std::span<const Matcher *const> matchers, const CancelToken &cancel);

// Names of labels of the series that match, ascending.
absl::StatusOr<std::vector<std::string_view>> SelectLabelNames(
    const PostingsIndex &index, std::span<const Matcher *const> matchers,
    const CancelToken &cancel);

}  // namespace narthex::tsdb
