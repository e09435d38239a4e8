// What series say of themselves: type, help and unit.  The same text is kept
// once; series without any cost nothing.
//
// Any thread; one lock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/index/postings.h"
#include "narthex/model/metadata.h"

namespace narthex::tsdb {

class HeadMetadata {
 public:
  // false: the series had that already.
  bool Set(SeriesId id, const Metadata& metadata);
  bool Has(SeriesId id, const Metadata& metadata) const;
  // false: it has none.
  bool Find(SeriesId id, Metadata& out) const;
  // Of all series for which `gone` is true.
  void Remove(absl::FunctionRef<bool(SeriesId)> gone);
  size_t bytes() const;

 private:
  struct Text {
    Metadata metadata = {};
    uint32_t users = 0;
  };
  static std::string KeyOf(const Metadata& metadata);
  void Release(uint32_t text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  absl::flat_hash_map<SeriesId, uint32_t> of_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, uint32_t> by_key_ ABSL_GUARDED_BY(mu_);
  std::vector<Text> texts_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mu_);
};

}  // namespace narthex::tsdb
