#include "test/tsdb/db/db_lab.h"

#include <catch2/catch.hpp>

#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::test {

void LineLogger::Write(LogLevel, std::string_view message,
                       std::span<const LogField> fields) {
  std::string line(message);
  for (const LogField& field : fields) {
    StrAppend(&line, " ", field.key, "=", field.value);
  }
  lines_.push_back(std::move(line));
}

bool LineLogger::Has(std::initializer_list<std::string_view> texts) const {
  for (const std::string& line : lines_) {
    bool all = true;
    for (const std::string_view text : texts) {
      all = all && line.find(text) != std::string::npos;
    }
    if (all) return true;
  }
  return false;
}

DbLab::DbLab(tsdb::Options options, bool with_executor, Timestamp now)
    : clock_(now), options_(std::move(options)) {
  if (options_.env == Env::Posix()) options_.env = memory_.get();
  options_.clock = &clock_;
  if (with_executor) options_.executor = &here_;
  options_.logger = &log_;
  Reopen();
}

void DbLab::CloseOnly() {
  if (db_ == nullptr) return;
  const absl::Status status = db_->Close();
  INFO(Message(status));
  REQUIRE(status.ok());
  db_ = nullptr;
}

void DbLab::Reopen() {
  CloseOnly();
  auto db = tsdb::Db::Open(dir_, options_);
  INFO(Message(db.status()));
  REQUIRE(db.ok());
  db_ = *std::move(db);
}

Appended DbLab::Append(const Labels& labels, int64_t t, double v) {
  auto appender = db_->NewAppender();
  auto ref = appender->Resolve(labels);
  REQUIRE(ref.ok());
  const Appended outcome = AppendFloat(*appender, *ref, t, v);
  const absl::Status status = appender->Commit();
  INFO(Message(status));
  REQUIRE(status.ok());
  return outcome;
}

std::vector<Point> DbLab::ReadFrom(Queryable& store, const Labels& labels) {
  auto querier = store.NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  return ReadFrom(**querier, labels);
}

std::vector<Point> DbLab::ReadFrom(Querier& querier, const Labels& labels) {
  Matchers matchers;
  std::vector<const Matcher*> raw;
  for (const Label& label : labels) {
    matchers.push_back(
        *Matcher::Make(Matcher::Type::kEqual, label.name, label.value));
    raw.push_back(matchers.back().get());
  }
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  SelectRequest request;
  request.matchers = raw;
  auto set = querier.Select(request, ctx);
  INFO(Message(set.status()));
  REQUIRE(set.ok());
  std::vector<Point> points;
  SampleColumns columns(budget);
  for (size_t i = 0; i < (*set)->size(); ++i) {
    if (ToLabels(querier.symbols(), (*set)->labels(i)) != labels) continue;
    const absl::Status status = (*set)->Read(i, TimeRange(), ctx, columns);
    INFO(Message(status));
    REQUIRE(status.ok());
    for (size_t k = 0; k < columns.size(); ++k) {
      points.push_back({columns.t()[k].ms, Bits(columns.v()[k])});
    }
  }
  return points;
}

std::vector<std::string> DbLab::LabelNames() {
  auto querier = db_->NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  MemoryBudget budget;
  CancelToken cancel;
  auto names = (*querier)->LabelNames({}, 0, {budget, cancel});
  REQUIRE(names.ok());
  return *names;
}

std::vector<std::string> DbLab::LabelValues(std::string_view name) {
  auto querier = db_->NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  MemoryBudget budget;
  CancelToken cancel;
  auto values = (*querier)->LabelValues(name, {}, 0, {budget, cancel});
  REQUIRE(values.ok());
  return *values;
}

void DbLab::ListFiles(const std::string& dir, std::vector<std::string>& out) {
  auto entries = env().ListDir(dir);
  REQUIRE(entries.ok());
  for (const DirEntry& entry : *entries) {
    const std::string path = JoinPath(dir, entry.name);
    if (entry.is_dir) {
      ListFiles(path, out);
    } else {
      out.push_back(StrCat(path, " ", env().Stat(path)->size));
    }
  }
}

std::vector<std::string> DbLab::Files() {
  std::vector<std::string> files;
  ListFiles(dir_, files);
  return files;
}

}  // namespace narthex::test
