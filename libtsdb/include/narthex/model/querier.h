// The read seam: what a query asks of a store.  libpromql knows this header and
// no database; a host program may implement it over its own data.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/time.h"
#include "narthex/model/annotations.h"
#include "narthex/model/columns.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/matcher.h"
#include "narthex/model/symbols.h"

namespace narthex {

struct SelectRequest {
  std::span<const Matcher* const> matchers = {};
  TimeRange range = {};  // closed; lookback and offset are already in it
  bool sorted = true;    // by labels
  bool start_times = false;
  bool buckets = true;  // false: hints carry the resets found while decoding
  // Milliseconds.  A sample that no window of a step sees may be left out.
  int64_t step = 0;
  int64_t window = 0;
  size_t limit = 0;  // series; 0: all
  // What a plan node is going to do with it ("rate", "series"): for logs only.
  std::string_view purpose = {};
};

struct ReadContext {
  MemoryBudget& budget;
  const CancelToken& cancel;
};

struct LatestSample {
  Timestamp t = 0;
  double v = 0;
  bool histogram = false;  // then `v` says nothing: Read it
};

// Labels first, all of them; then samples, in any order.
class SeriesSet {
 public:
  virtual ~SeriesSet() = default;
  virtual size_t size() const = 0;
  virtual LabelRow labels(size_t i) const = 0;
  // An upper bound of the samples in the requested range, cheap.
  virtual size_t samples_hint(size_t i) const = 0;
  // Safe from many threads, each with its own `out`.  Replaces what is in
  // `out` with the samples within `range`.
  virtual absl::Status Read(size_t i, TimeRange range, const ReadContext& ctx,
                            SampleColumns& out) const = 0;
  // For instant selectors, rules, federation: the newest sample in `range`,
  // undecoded if the store can.  false: none.
  virtual absl::StatusOr<bool> ReadLatest(size_t i, TimeRange range,
                                          const ReadContext& ctx,
                                          LatestSample& out) const = 0;
};

struct ExemplarSeries {
  Labels labels = {};
  std::vector<Exemplar> exemplars = {};
};

// One view in time.  The caller's, one thread; but its SeriesSets may be shared
// and must die before it.
class Querier {
 public:
  virtual ~Querier() = default;
  virtual Symbols& symbols() = 0;
  virtual absl::StatusOr<std::unique_ptr<SeriesSet>> Select(
      const SelectRequest& request, const ReadContext& ctx) = 0;
  // Sorted, without duplicates, of series that match all `matchers` (none: of
  // all series).  `limit` 0: all.
  virtual absl::StatusOr<std::vector<std::string>> LabelNames(
      std::span<const Matcher* const> matchers, size_t limit,
      const ReadContext& ctx) = 0;
  virtual absl::StatusOr<std::vector<std::string>> LabelValues(
      std::string_view name, std::span<const Matcher* const> matchers,
      size_t limit, const ReadContext& ctx) = 0;
  // Of series that match all matchers of any of the `selectors`.
  virtual absl::StatusOr<std::vector<ExemplarSeries>> Exemplars(
      std::span<const Matchers> selectors, TimeRange range,
      const ReadContext& ctx) = 0;
  // What went wrong without making an answer impossible (a damaged chunk that
  // the host asked to have skipped).
  virtual const Annotations& warnings() const = 0;
};

// Any thread.
class Queryable {
 public:
  virtual ~Queryable() = default;
  virtual absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(
      TimeRange range) = 0;
};

}  // namespace narthex
