// A database over files in memory, driven by a clock that stands still: what
// the background does happens inside clock().Advance().
//
// One thread.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/logger.h"
#include "narthex/model/querier.h"
#include "narthex/tsdb/db.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::test {

// Keeps every line, "level message key=value ...".
class LineLogger final : public Logger {
 public:
  void Write(LogLevel level, std::string_view message,
             std::span<const LogField> fields) override;
  // Does a line have all of these in it?
  bool Has(std::initializer_list<std::string_view> texts) const;
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

class DbLab {
 public:
  // `options`: env, clock, executor and logger are the lab's own; an Env that
  // it names is kept.
  explicit DbLab(tsdb::Options options = {}, bool with_executor = true,
                 Timestamp now = 0);

  tsdb::Db& db() { return *db_; }
  FakeClock& clock() { return clock_; }
  Env& env() { return *options_.env; }
  LineLogger& log() { return log_; }
  const std::string& dir() const { return dir_; }

  Appended Append(const Labels& labels, int64_t t, double v);
  std::vector<Point> Read(const Labels& labels) {
    return ReadFrom(*db_, labels);
  }
  std::vector<std::string> LabelNames();
  std::vector<std::string> LabelValues(std::string_view name);
  static std::vector<Point> ReadFrom(Queryable& store, const Labels& labels);
  static std::vector<Point> ReadFrom(Querier& querier, const Labels& labels);

  void CloseOnly();
  void Reopen();
  // Every file below the directory with its size.
  std::vector<std::string> Files();

 private:
  void ListFiles(const std::string& dir, std::vector<std::string>& out);

  std::unique_ptr<Env> memory_ = NewMemEnv();
  FakeClock clock_;
  InlineExecutor here_;
  LineLogger log_;
  tsdb::Options options_;
  std::string dir_ = "data";
  std::unique_ptr<tsdb::Db> db_;
};

}  // namespace narthex::test
