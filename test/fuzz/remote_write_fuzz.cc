// Remote write: any bytes as a WriteRequest, stored or refused; what is stored
// can be read.

#include <memory>
#include <string>

#include "libnarthex/remote/write_receiver.h"
#include "narthex/base/clock.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"
#include "test/support/fuzz_target.h"
#include "test/tsdb/db/content.h"

using namespace narthex;  // NOLINT: a program of one file

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FakeClock clock{1'700'000'000'000};
  tsdb::Options options;
  options.clock = &clock;
  options.out_of_order_time_window = Hours(1);
  options.max_exemplars = 100;
  auto db = tsdb::Db::Open("", options);
  NARTHEX_FUZZ_CHECK(db.ok(), db.status().ToString());
  RemoteWriteStats stats;
  const absl::Status status =
      ReceiveWrite(test::FuzzText(data, size), clock.Now(), **db, stats);
  test::Content content;
  const absl::Status read = test::ReadContent(**db, content);
  NARTHEX_FUZZ_CHECK(read.ok(), read.ToString());
  NARTHEX_FUZZ_CHECK(status.ok() || content.empty(),
                     "an error left samples: " + status.ToString());
  return 0;
}
