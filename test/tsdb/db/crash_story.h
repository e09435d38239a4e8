// What a database is told in the tests of crashes and failing disks, and what
// must be true of whatever is left of it: samples of every type, in order, late
// and as remote write brings them, exemplars, metadata, a rolled back batch,
// deletions, compactions, a chunk snapshot, a snapshot of the whole.
//
// One thread.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "narthex/base/env.h"
#include "narthex/tsdb/db.h"
#include "test/tsdb/db/content.h"
#include "test/tsdb/db/sample_lab.h"

namespace narthex::test {

class CrashStory {
 public:
  // `sync`: every commit is synced.
  explicit CrashStory(bool sync = true) : sync_(sync) {}

  // Tells it all to a database in `env`; goes on whatever fails.
  void Run(Env& env);
  // Opens what is left: nothing acknowledged is missing, nothing is wrong,
  // nothing deleted is back.  Requires it with Catch2.
  void Check(Env& env) const;
  tsdb::Options MakeOptions(Env& env, Clock& clock) const;
  uint64_t acknowledged() const;
  bool all_done() const { return all_done_; }

 private:
  // Times by series.
  using Times = std::map<std::pair<SampleType, int>, std::set<int64_t>>;

  void Commit(tsdb::Db& db, int64_t t, bool late);
  void WriteRemotely(tsdb::Db& db, int64_t t);
  void RollBack(tsdb::Db& db, int64_t t);
  // Of a database that shows what it should.
  void CheckContent(const Content& content, const Times& due) const;
  void CheckExemplars(tsdb::Db& db) const;

  bool sync_;
  Times asked_;
  Times due_;  // acknowledged
  std::set<int64_t> exemplars_asked_, exemplars_due_;
  bool delete_asked_ = false;
  bool delete_done_ = false;
  bool copy_done_ = false;  // Snapshot()
  Times in_copy_;           // acknowledged before
  bool all_done_ = false;   // nothing has failed
};

}  // namespace narthex::test
