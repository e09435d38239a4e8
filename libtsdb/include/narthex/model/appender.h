// The write seam: batches of references.  Scrapes, rules, remote write and hosts
// write through it; libscrape knows this header and no database.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/model/labels.h"
#include "narthex/model/metadata.h"

namespace narthex {

// The reference on disk; never reused.
enum class SeriesRef : uint64_t { kNone = 0 };

// What became of a sample.  Late samples are not errors.
enum class Appended : uint8_t {
  kStored,
  kDuplicate,    // same time, another value: refused.  (The same value: stored.)
  kOutOfOrder,
  kTooOld,       // older than the out-of-order window
  kOutOfBounds,  // older than the head takes
  kUnknownRef,   // forgotten by the head: Resolve and append again
  kInvalid       // a histogram that Validate() refuses
};

struct FloatBatch {
  std::span<const SeriesRef> refs = {};
  std::span<const double> values = {};
  Timestamp at = 0;                       // for all of them, unless
  std::span<const Timestamp> times = {};  // each has its own
  std::span<const Timestamp> start_times = {};
};

// One thread.  Unfinished when destroyed: rolled back.
class Appender {
 public:
  virtual ~Appender() = default;
  // Finds or creates.  kInvalidArgument for an empty label set or one without
  // valid names.
  virtual absl::StatusOr<SeriesRef> Resolve(const Labels& labels) = 0;
  // Copies.  `out` may be empty, else it is as long as the batch and is filled
  // with what Prometheus's Append would say.
  virtual absl::Status AppendFloats(const FloatBatch& batch,
                                    std::span<Appended> out) = 0;
  virtual Appended AppendHistogram(SeriesRef ref, Timestamp t, Timestamp start,
                                   const Histogram& h) = 0;
  virtual Appended AppendHistogram(SeriesRef ref, Timestamp t, Timestamp start,
                                   const FloatHistogram& h) = 0;
  virtual Appended AppendExemplar(SeriesRef ref, const Exemplar& exemplar) = 0;
  virtual absl::Status SetMetadata(SeriesRef ref, const Metadata& metadata) = 0;
  // Logged, stored, visible; then the Appender may be used again.  On an error
  // nothing of the batch is visible.
  virtual absl::Status Commit() = 0;
  // Series made by Resolve stay, as in Prometheus.
  virtual absl::Status Rollback() = 0;
};

// A batch of one.
Appended AppendFloat(Appender& appender, SeriesRef ref, Timestamp t, double v);

// Any thread.
class Appendable {
 public:
  virtual ~Appendable() = default;
  virtual std::unique_ptr<Appender> NewAppender() = 0;
};

}  // namespace narthex
