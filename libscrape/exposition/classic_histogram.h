// The samples of a classic histogram, gathered to be stored as one native
// histogram with custom buckets.
//
// One thread; used again after Clear().

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"

namespace narthex::scrape {

class ClassicHistogram {
 public:
  void Clear();
  // In any order; cumulative counts.  What can't be is said by Convert().  A
  // bound that comes again is ignored.
  void SetBucket(double bound, double count);
  void SetCount(double count);
  void SetSum(double sum) { sum_ = sum; }

  // Into `h` if all counts are whole numbers, else (and `is_float`) into `fh`.
  absl::Status Convert(Histogram& h, FloatHistogram& fh, bool& is_float);

 private:
  struct Bucket {
    double bound = 0;
    double count = 0;
  };
  void Refuse(std::string_view what);
  absl::Status SortBuckets();
  absl::Status ToIntegers(Histogram& h) const;
  absl::Status ToFloats(FloatHistogram& fh) const;

  std::vector<Bucket> buckets_;
  bool is_sorted_ = true;
  double count_ = 0;
  double sum_ = 0;
  bool has_count_ = false;
  std::string error_;
};

}  // namespace narthex::scrape
