// An Appendable that remembers everything, with Prometheus's rules about order,
// for tests of those who write.
//
// Any thread; one Appender at a time per thread.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/status.h"
#include "narthex/model/appender.h"

namespace narthex::test {

class SampleRecorder final : public Appendable {
 public:
  std::unique_ptr<Appender> NewAppender() override;

  // Committed samples of a series by its text, `{__name__="up"}`, as
  // "1@1000 stale@2000 {{count:1}}@3000 float{{count:2.5}}@4000".
  std::string Samples(std::string_view series) const;
  // Texts of all series that have samples, sorted.
  std::vector<std::string> Series() const;
  size_t sample_count() const;
  std::vector<std::pair<std::string, Exemplar>> exemplars() const;
  // All that were set, in order.
  std::vector<std::pair<std::string, Metadata>> metadata() const;

  // From now on refs that were handed out are unknown.
  void ForgetRefs();
  // Fail the next commits so.
  void FailCommits(absl::Status status);

 private:
  class RecordingAppender;
  struct Stored {
    std::string text = {};
    std::map<int64_t, double> samples = {};
    std::map<int64_t, std::string> histograms = {};  // as text
  };

  mutable absl::Mutex mu_;
  std::map<std::string, uint64_t> ref_by_text_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::string> text_by_ref_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Stored> series_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<std::string, Exemplar>> exemplars_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<std::string, Metadata>> metadata_ ABSL_GUARDED_BY(mu_);
  uint64_t last_ref_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status commit_status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace narthex::test
