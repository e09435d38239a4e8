#include "test/support/sample_recorder.h"

#include "narthex/model/sample.h"

namespace narthex::test {

class SampleRecorder::RecordingAppender final : public Appender {
 public:
  explicit RecordingAppender(SampleRecorder& recorder) : recorder_(recorder) {}

  absl::StatusOr<SeriesRef> Resolve(const Labels& labels) override {
    if (labels.empty())
      return InvalidArgument("empty labelset: invalid sample");
    absl::MutexLock lock(&recorder_.mu_);
    const std::string text = labels.ToString();
    uint64_t& ref = recorder_.ref_by_text_[text];
    if (ref == 0) {
      ref = ++recorder_.last_ref_;
      recorder_.text_by_ref_[ref] = text;
    }
    return SeriesRef{ref};
  }
  absl::Status AppendFloats(const FloatBatch& batch,
                            std::span<Appended> out) override {
    absl::MutexLock lock(&recorder_.mu_);
    for (size_t i = 0; i < batch.refs.size(); ++i) {
      const Timestamp t = batch.times.empty() ? batch.at : batch.times[i];
      const Appended outcome = Take(batch.refs[i], t, batch.values[i]);
      if (!out.empty()) out[i] = outcome;
    }
    return absl::OkStatus();
  }
  Appended AppendHistogram(SeriesRef ref, Timestamp t, Timestamp,
                           const Histogram& h) override {
    if (!h.Validate().ok()) return Appended::kInvalid;
    return TakeHistogram(ref, t, h.ToFloat().ToTestString());
  }
  Appended AppendHistogram(SeriesRef ref, Timestamp t, Timestamp,
                           const FloatHistogram& h) override {
    if (!h.Validate().ok()) return Appended::kInvalid;
    return TakeHistogram(ref, t, "float" + h.ToTestString());
  }
  Appended AppendExemplar(SeriesRef ref, const Exemplar& exemplar) override {
    absl::MutexLock lock(&recorder_.mu_);
    recorder_.exemplars_.emplace_back(
        recorder_.text_by_ref_[static_cast<uint64_t>(ref)], exemplar);
    return Appended::kStored;
  }
  absl::Status SetMetadata(SeriesRef ref, const Metadata& metadata) override {
    absl::MutexLock lock(&recorder_.mu_);
    recorder_.metadata_.emplace_back(
        recorder_.text_by_ref_[static_cast<uint64_t>(ref)], metadata);
    return absl::OkStatus();
  }
  absl::Status Commit() override {
    absl::MutexLock lock(&recorder_.mu_);
    if (recorder_.commit_status_.ok()) {
      for (const auto& [text, t, v, histogram] : pending_) {
        Stored& stored = recorder_.series_[text];
        stored.text = text;
        stored.samples.emplace(t.ms, v);
        if (!histogram.empty()) stored.histograms.emplace(t.ms, histogram);
      }
    }
    pending_.clear();
    return recorder_.commit_status_;
  }
  absl::Status Rollback() override {
    pending_.clear();
    return absl::OkStatus();
  }

 private:
  struct Pending {
    std::string text;
    Timestamp t;
    double v;
    std::string histogram;
  };

  Appended TakeHistogram(SeriesRef ref, Timestamp t, const std::string& text) {
    absl::MutexLock lock(&recorder_.mu_);
    const Appended outcome = Take(ref, t, 0);
    if (outcome == Appended::kStored) pending_.back().histogram = text;
    return outcome;
  }

  Appended Take(SeriesRef ref, Timestamp t, double v)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(recorder_.mu_) {
    const auto text = recorder_.text_by_ref_.find(static_cast<uint64_t>(ref));
    if (text == recorder_.text_by_ref_.end()) return Appended::kUnknownRef;
    const auto stored = recorder_.series_.find(text->second);
    if (stored != recorder_.series_.end()) {
      const auto& [last_t, last_v] = *stored->second.samples.rbegin();
      if (t.ms < last_t) return Appended::kOutOfOrder;
      if (t.ms == last_t && Bits(v) != Bits(last_v)) {
        return Appended::kDuplicate;
      }
    }
    pending_.push_back({text->second, t, v, {}});
    return Appended::kStored;
  }

  SampleRecorder& recorder_;
  std::vector<Pending> pending_;
};

std::unique_ptr<Appender> SampleRecorder::NewAppender() {
  return std::make_unique<RecordingAppender>(*this);
}

std::string SampleRecorder::Samples(std::string_view series) const {
  absl::MutexLock lock(&mu_);
  const auto found = series_.find(std::string(series));
  std::string out;
  if (found == series_.end()) return out;
  for (const auto& [t, v] : found->second.samples) {
    const auto histogram = found->second.histograms.find(t);
    StrAppend(&out, out.empty() ? "" : " ",
              histogram != found->second.histograms.end() ? histogram->second
              : IsStale(v)                                ? "stale"
                                                          : FormatFloat(v),
              "@", t);
  }
  return out;
}

std::vector<std::string> SampleRecorder::Series() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> texts;
  for (const auto& [text, stored] : series_) texts.push_back(text);
  return texts;
}

size_t SampleRecorder::sample_count() const {
  absl::MutexLock lock(&mu_);
  size_t n = 0;
  for (const auto& [text, stored] : series_) n += stored.samples.size();
  return n;
}

std::vector<std::pair<std::string, Exemplar>> SampleRecorder::exemplars()
    const {
  absl::MutexLock lock(&mu_);
  return exemplars_;
}

std::vector<std::pair<std::string, Metadata>> SampleRecorder::metadata() const {
  absl::MutexLock lock(&mu_);
  return metadata_;
}

void SampleRecorder::ForgetRefs() {
  absl::MutexLock lock(&mu_);
  ref_by_text_.clear();
  text_by_ref_.clear();
}

void SampleRecorder::FailCommits(absl::Status status) {
  absl::MutexLock lock(&mu_);
  commit_status_ = std::move(status);
}

}  // namespace narthex::test
