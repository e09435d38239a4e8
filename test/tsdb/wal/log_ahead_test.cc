#include "libtsdb/wal/log_ahead.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

constexpr const char* kDir = "wal";

// Records of samples and of unknown kinds, in segments of four pages.
void WriteLog(Env& env, std::mt19937& random) {
  WalOptions options;
  options.segment_size = 4 * kPageSize;
  auto writer = WalWriter::Open(env, kDir, options);
  REQUIRE(writer.ok());
  for (int i = 0; i < 300; ++i) {
    std::string record;
    if (i % 5 == 0) {
      record.assign(1 + random() % 3000, static_cast<char>(100 + i % 100));
    } else {
      std::vector<SeriesRef> refs;
      std::vector<double> values;
      for (uint64_t n = 1 + random() % 300; n != 0; --n) {
        refs.push_back(SeriesRef{random() % 100000});
        values.push_back(static_cast<double>(random() % 100));
      }
      EncodeSamples(refs, values, i, {}, record);
    }
    RecordBatch batch;
    batch.Add(record, i % 3 == 0 ? Compression::kNone : Compression::kSnappy);
    REQUIRE((*writer)->Log(batch).ok());
  }
  REQUIRE((*writer)->Close().ok());
}

// Everything that reading says, as text; a record of which `refuse` times its
// number is a multiple of 97 is rejected.
std::string ReadAll(Env& env, Executor* executor, uint64_t refuse) {
  auto segments = ListSegments(env, kDir);
  REQUIRE(segments.ok());
  LogAhead log(env, *segments, executor);
  std::string out;
  uint64_t number = 0;
  while (const LogAhead::Item* item = log.Next()) {
    out += StrCat(log.path(), " ", item->segment, " ", item->offset, ":");
    if (item->has_samples) {
      for (size_t i = 0; i < item->samples.size(); ++i) {
        out += StrCat(" ", static_cast<uint64_t>(item->samples.refs[i]), "@",
                      item->samples.times[i].ms);
        const auto* value =
            reinterpret_cast<const char*>(&item->samples.values[i]);
        out.append(value, sizeof(double));
      }
      out += Message(item->decoded);
    } else {
      out += item->record;
    }
    out += "\n";
    ++number;
    if (refuse != 0 && refuse * number % 97 == 0) {
      log.Reject(DataLoss("refused"));
    } else if (!item->decoded.ok()) {
      log.Reject(item->decoded);
    }
  }
  REQUIRE(log.status().ok());
  for (const Damage& d : log.TakeDamages()) {
    out += StrCat(d.path, " ", d.segment, " ", d.offset, d.torn ? " torn" : "",
                  d.records_follow ? " follow " : " ", d.what, "\n");
  }
  return out;
}

}  // namespace

TEST_CASE("a log read ahead says what one read at once says") {
  ThreadPool pool(2);
  for (uint32_t seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    const std::unique_ptr<Env> env = NewMemEnv();
    WriteLog(*env, random);
    auto segments = ListSegments(*env, kDir);
    REQUIRE(segments.ok());
    REQUIRE(segments->size() > 2);
    // Spoil some: a byte, or the end.
    for (uint32_t n = seed % 4; n != 0; --n) {
      const SegmentFile& file = (*segments)[random() % segments->size()];
      auto bytes = env->ReadFile(file.path);
      REQUIRE(bytes.ok());
      if (bytes->empty()) continue;
      const size_t at = random() % bytes->size();
      if (random() % 2 == 0) {
        (*bytes)[at] = static_cast<char>(random());
      } else {
        bytes->resize(at);
      }
      auto out = env->OpenWritable(file.path, Env::WriteMode::kTruncate);
      REQUIRE(out.ok());
      REQUIRE((*out)->Append(*bytes).ok());
    }
    const uint64_t refuse = seed % 3 == 0 ? 0 : 1 + random() % 3;
    INFO("seed " << seed);
    const std::string at_once = ReadAll(*env, nullptr, refuse);
    // Compared as a whole: a difference would be megabytes to print.
    const bool same = ReadAll(*env, &pool, refuse) == at_once;
    CHECK(same);
    CHECK(at_once.size() > 10000);
  }
}

TEST_CASE("a log that is read ahead need not be read to its end") {
  ThreadPool pool(2);
  std::mt19937 random(1);
  const std::unique_ptr<Env> env = NewMemEnv();
  WriteLog(*env, random);
  auto segments = ListSegments(*env, kDir);
  REQUIRE(segments.ok());
  for (size_t stop : {0, 1, 40}) {
    LogAhead log(*env, *segments, &pool);
    for (size_t i = 0; i < stop; ++i) REQUIRE(log.Next() != nullptr);
  }
  LogAhead none(*env, {}, &pool);
  CHECK(none.Next() == nullptr);
  CHECK(none.status().ok());
}

}  // namespace narthex::tsdb::wal
