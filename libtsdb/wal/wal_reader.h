// Reads the log: one meaning of its bytes for replay, checkpoint and tailing.
//
// A record that was begun and never finished (a crash, a full disk) is torn: it
// was never acknowledged, so it is dropped, counted, and reading goes on behind
// it.  Bytes that can't be (a checksum that is off, an impossible fragment) end
// their segment; reading goes on with the next one.  Both are told as Damage.
// One thread.  Nothing here writes but SetAside().

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/wal/format.h"
#include "narthex/base/compress.h"
#include "narthex/base/env.h"
#include "narthex/base/logger.h"
#include "narthex/base/time.h"

namespace narthex::tsdb::wal {

struct Damage {
  std::string path = {};
  uint32_t segment = 0;
  // Where the first record that can't be read begins.
  uint64_t offset = 0;
  // True: torn, never acknowledged.  False: corrupt.
  bool torn = false;
  // Something intact follows in the same segment (a torn record only).
  bool records_follow = false;
  std::string what = {};
};

// The records of one segment file.
class SegmentReader {
 public:
  enum class Step : uint8_t {
    kRecord,
    // No more for now.  A tailing reader calls Next() again when the file has
    // grown; the offset is where it will go on.
    kEnd,
    // A record was torn.  Another Next() goes on behind it.  At the end of the
    // file it may also be one that is still being written: as kEnd.
    kTorn,
    kCorrupt,  // no more; damage() says what
    kError     // the file can't be read; status() says why
  };

  static absl::StatusOr<std::unique_ptr<SegmentReader>> Open(Env& env,
                                                             SegmentFile file);

  Step Next();

  // After kRecord.  As it lies in the log, perhaps compressed; valid until the
  // next Next().
  std::string_view packed() const { return packed_; }
  uint8_t flags() const { return flags_; }  // kSnappyFlag, kZstdFlag
  // Where the record begins.
  uint64_t record_offset() const { return record_offset_; }
  // Everything before it has been read.
  uint64_t offset() const { return at_; }
  // After kTorn and kCorrupt.
  const Damage& damage() const { return damage_; }
  // After kTorn: the file ends within the record.
  bool at_end() const { return at_end_; }
  const absl::Status& status() const { return status_; }

 private:
  SegmentReader(SegmentFile file, std::unique_ptr<RandomAccessFile> in)
      : file_(std::move(file)), in_(std::move(in)) {}
  // The bytes from `at` to the end of its page, as far as the file has them;
  // looks into the file again if fewer than `need` are at hand.
  std::string_view Available(uint64_t at, size_t need);
  Step Torn(uint64_t from, std::string_view what);
  Step Corrupt(uint64_t from, std::string_view what);

  SegmentFile file_;
  std::unique_ptr<RandomAccessFile> in_;
  std::unique_ptr<char[]> window_;  // a row of whole pages
  size_t window_size_ = 0;          // what the file has of them
  uint64_t window_at_ = 0;          // where it lies in the file
  uint64_t at_ = 0;
  uint64_t record_offset_ = 0;
  std::string joined_;  // a record of several fragments
  std::string_view packed_;
  uint8_t flags_ = 0;
  bool done_ = false;
  bool at_end_ = false;
  Damage damage_;
  absl::Status status_;
};

// A packed record as its own bytes: `packed` itself, or `scratch` filled.
absl::StatusOr<std::string_view> Unpack(std::string_view packed, uint8_t flags,
                                        std::string& scratch);
// The type byte of a packed record, without unpacking it if it can be seen.
// kNone if it can't be told so.
uint8_t PeekType(std::string_view packed, uint8_t flags);

// All records of the segments first..last of a directory, one after the other.
class WalReader {
 public:
  // `segments` ascending.
  WalReader(Env& env, std::vector<SegmentFile> segments);
  ~WalReader();

  // false: the end, or an error of the file system (status()).
  bool Next();
  // Unpacked; valid until the next Next().
  std::string_view record() const { return record_; }
  uint32_t segment() const;
  uint64_t offset() const;        // of the record, in its segment
  std::string_view path() const;  // of the segment

  const absl::Status& status() const { return status_; }
  // What was left out so far.
  const std::vector<Damage>& damages() const { return damages_; }
  uint64_t bytes_read() const { return bytes_; }
  // For those who find that a record, though its checksum is right, makes no
  // sense: counts as corrupt, and its segment ends here.
  void Reject(const absl::Status& why);

 private:
  Env& env_;
  std::vector<SegmentFile> segments_;
  size_t next_ = 0;  // the segment after the open one
  std::unique_ptr<SegmentReader> reader_;
  std::string scratch_;
  std::string_view record_;
  absl::Status status_;
  std::vector<Damage> damages_;
  uint64_t bytes_ = 0;
};

// Moves what can't be read out of the way, so that Prometheus can open the
// directory too: the bytes from the damage to the end of the segment go to
// "<segment>.corrupt-<now in ms>", the segment is cut there.  A torn record
// with intact ones behind it stays where it is.  One line to `logger` for each,
// with file and offset.  Nothing is deleted.
absl::Status SetAside(Env& env, const std::vector<Damage>& damages,
                      Timestamp now, Logger* logger);

}  // namespace narthex::tsdb::wal
