// Series that nobody stores: the embedding program's own values, asked for when
// a query wants them, alone or beside a store.
//
//   class Queues : public SeriesSource {
//     absl::Status Collect(const SourceRequest& request,
//                          SeriesCollector& out) override {
//       for (const Queue& q : queues)
//         NARTHEX_RETURN_IF_ERROR(out.Add(
//             {{"__name__", "queue_length"}, {"queue", q.name}},
//             {{request.range.max, double(q.length)}}));
//       return absl::OkStatus();
//     }
//   };
//   auto both = NewVirtualQueryable(queues, &db);
//   engine.Instant(*both, "queue_length / on(queue) queue_limit", now);
//
// A source is asked in the thread of the query, several queries at a time, once
// per distinct selector.

#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/model/matcher.h"
#include "narthex/model/querier.h"
#include "narthex/model/series.h"

namespace narthex::promql {

struct SourceRequest {
  // What is looked for: series that don't match are left out in any case, so a
  // source may ignore it.
  std::span<const Matcher* const> matchers = {};
  // Closed; samples outside are left out in any case.
  TimeRange range = {};
};

class SeriesCollector {
 public:
  virtual ~SeriesCollector() = default;
  // Would a series with these labels be kept?  For sources to whom samples are
  // dear.
  virtual bool Wants(const Labels& labels) const = 0;
  // Copies.  Times must ascend; labels must not have been there already.
  // kInvalidArgument if not, kResourceExhausted if the query may not hold so
  // much; the source hands it on.
  virtual absl::Status Add(const Labels& labels,
                           std::span<const Sample> samples) = 0;
  absl::Status Add(const Labels& labels,
                   std::initializer_list<Sample> samples) {
    return Add(labels, std::span(samples.begin(), samples.size()));
  }
};

class SeriesSource {
 public:
  virtual ~SeriesSource() = default;
  // What it throws or returns as an error ends the query with it.
  virtual absl::Status Collect(const SourceRequest& request,
                               SeriesCollector& out) = 0;
};

// The source's series, and those of `store` if there is one; of a series that
// both have, the source's is seen.  Borrows both.
std::unique_ptr<Queryable> NewVirtualQueryable(SeriesSource& source,
                                               Queryable* store = nullptr);

}  // namespace narthex::promql
