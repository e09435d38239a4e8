// A log of handmade records, each whole and with its right checksum: what
// another writer, or nobody in good faith, may leave.
//
// One thread.

#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/env.h"

namespace narthex::test {

class HandmadeLog {
 public:
  explicit HandmadeLog(Env& env, const std::string& dir = "data/wal")
      : writer_(*tsdb::wal::WalWriter::Open(env, dir, {})) {}
  void Series(uint64_t ref, const Labels& labels) {
    std::string record;
    tsdb::wal::BeginSeries(record);
    tsdb::wal::AddSeries(SeriesRef{ref}, labels, record);
    Write(record);
  }
  void Samples(uint64_t ref, int64_t t, double v) {
    std::string record;
    const SeriesRef refs[] = {SeriesRef{ref}};
    const double values[] = {v};
    tsdb::wal::EncodeSamples(refs, values, t, {}, record);
    Write(record);
  }
  void Delete(uint64_t ref, TimeRange range) {
    std::string record;
    const tsdb::wal::Tombstone tombstone{SeriesRef{ref}, range};
    tsdb::wal::EncodeTombstones({&tombstone, 1}, record);
    Write(record);
  }
  void Write(std::string_view record) {
    tsdb::wal::RecordBatch batch;
    batch.Add(record, Compression::kNone);
    REQUIRE(writer_->Log(batch).ok());
  }

 private:
  std::unique_ptr<tsdb::wal::WalWriter> writer_;
};

}  // namespace narthex::test
