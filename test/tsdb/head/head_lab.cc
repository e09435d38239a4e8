#include "test/tsdb/head/head_lab.h"

#include <catch2/catch.hpp>

#include "libtsdb/index/select.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::test {

HeadLab::HeadLab(int64_t chunk_range, bool with_log) : with_log_(with_log) {
  options_.chunk_range = chunk_range;
  options_.max_exemplars = 10;
  Open();
}

HeadLab::HeadLab(const tsdb::HeadOptions& options, bool with_log)
    : options_(options), with_log_(with_log) {
  Open();
}

tsdb::ReplayReport HeadLab::Open() {
  head_ = std::make_unique<tsdb::Head>(options_);
  auto chunks = tsdb::HeadChunkStore::Open(
      *env_, "data/chunks_head", {},
      [this](const tsdb::HeadChunk& chunk) {
        head_->OfferChunk(chunk, kMinMillis);
      },
      nullptr);
  REQUIRE(chunks.ok());
  head_->SetChunks(*std::move(chunks));
  if (!with_log_) return {};
  auto report = head_->Replay(*env_, "data/wal");
  REQUIRE(report.ok());
  head_->EndReplay();
  REQUIRE(head_->OpenLog(*env_, "data/wal").ok());
  return *report;
}

tsdb::ReplayReport HeadLab::Reopen(const std::string& lost) {
  REQUIRE(head_->Close().ok());
  head_ = nullptr;
  if (!lost.empty()) REQUIRE(env_->RemoveAll(lost).ok());
  return Open();
}

Appended HeadLab::Append(const Labels& labels, int64_t t, double v) {
  auto appender = head_->NewAppender();
  auto ref = appender->Resolve(labels);
  REQUIRE(ref.ok());
  const Appended outcome = AppendFloat(*appender, *ref, t, v);
  REQUIRE(appender->Commit().ok());
  return outcome;
}

tsdb::SeriesBatch Find(const tsdb::BlockSource& source, const Labels& labels,
                       TimeRange range) {
  Matchers matchers;
  std::vector<const Matcher*> raw;
  for (const Label& label : labels) {
    auto matcher =
        Matcher::Make(Matcher::Type::kEqual, label.name, label.value);
    REQUIRE(matcher.ok());
    raw.push_back(matcher->get());
    matchers.push_back(*std::move(matcher));
  }
  CancelToken cancel;
  auto ids = tsdb::SelectSeries(source.postings(), raw, cancel);
  REQUIRE(ids.ok());
  tsdb::SeriesBatch batch;
  REQUIRE(source.ReadSeries(*ids, range, batch).ok());
  tsdb::SeriesBatch exact;
  for (const tsdb::SeriesEntry& entry : batch.series) {
    const LabelRow row = batch.Row(entry);
    if (row.size() != labels.size()) continue;
    tsdb::SeriesEntry found = entry;
    found.labels_begin = static_cast<uint32_t>(exact.labels.size());
    exact.labels.insert(exact.labels.end(), row.begin(), row.end());
    found.labels_end = static_cast<uint32_t>(exact.labels.size());
    exact.series.push_back(found);
  }
  return exact;
}

std::vector<Point> HeadLab::ReadFrom(const tsdb::BlockSource& source,
                                     const Labels& labels, TimeRange range) {
  const tsdb::SeriesBatch batch = Find(source, labels, range);
  REQUIRE(batch.series.size() <= 1);
  std::vector<Point> points;
  if (batch.series.empty()) return points;
  MemoryBudget budget;
  CancelToken cancel;
  SampleColumns columns(budget);
  const ReadContext ctx{budget, cancel};
  const absl::Status status =
      source.ReadSamples(batch.series[0], range, ctx, columns);
  INFO(Message(status));
  REQUIRE(status.ok());
  REQUIRE(columns.size() <= batch.series[0].samples_hint);
  for (size_t i = 0; i < columns.size(); ++i) {
    points.push_back({columns.t()[i].ms, Bits(columns.v()[i])});
  }
  return points;
}

std::vector<Point> HeadLab::Read(const Labels& labels, bool isolated) {
  return ReadFrom(*head_->NewSource(TimeRange(), isolated), labels);
}

std::vector<ChunkShape> HeadLab::Chunks(const Labels& labels) {
  const auto source = head_->NewSource(TimeRange(), /*isolated=*/false);
  const tsdb::SeriesBatch batch = Find(*source, labels);
  std::vector<ChunkShape> shapes;
  if (batch.series.empty()) return shapes;
  tsdb::ChunkList chunks;
  REQUIRE(source->ReadChunks(batch.series[0], TimeRange(), chunks).ok());
  for (const tsdb::EncodedChunk& chunk : chunks.chunks) {
    shapes.push_back(
        {chunk.min_t.ms, chunk.max_t.ms, std::string(chunk.bytes)});
  }
  return shapes;
}

}  // namespace narthex::test
