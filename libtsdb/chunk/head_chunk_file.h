// chunks_head/: the head's full chunks, written once and read back; drawn in
// docs/format/head_chunks.md.
//
// Write, CutFile, Flush, TruncateBefore: one thread at a time (the store locks
// inside).  Read: any thread; what is not flushed yet is read from memory.
// Sealed files are mapped, and of our own open file what was flushed: those
// bytes never change, and it is never cut below them.  A file that somebody
// else may be writing is copied.  A reader's pin keeps a mapping after the file
// is deleted.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/env.h"
#include "narthex/base/logger.h"
#include "narthex/base/time.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

// (file number << 32) | offset of the entry.  Ascending as written.
using HeadChunkRef = uint64_t;
constexpr uint32_t HeadChunkFileOf(HeadChunkRef ref) {
  return static_cast<uint32_t>(ref >> 32);
}

struct HeadChunk {
  HeadChunkRef ref = 0;
  uint64_t series = 0;
  Timestamp min_t = 0;
  Timestamp max_t = 0;
  ChunkEncoding encoding = ChunkEncoding::kNone;
  bool out_of_order = false;
  std::string_view bytes = {};
};

// What opening found damaged.  The entries before the damage were visited and
// stay under the file's name; the file as it was is kept beside it as
// "<name>.corrupt-<ms of its last change>".  (Read-only: left alone.)
struct HeadChunkDamage {
  std::string file = {};
  uint64_t offset = 0;
  std::string what = {};
};

struct HeadChunkOptions {
  uint64_t max_file_size = 128 << 20;
  size_t write_buffer = 4 << 20;
  bool read_only = false;  // nothing is written, created or renamed
  // With read_only: what is written all the same goes there, into files
  // numbered behind those that were found.
  Env *scratch = nullptr;
  Logger *logger = nullptr;
};

// From the beginning of a file on.
struct HeadChunkBytes {
  uint32_t file = 0;
  std::string_view bytes = {};
  std::shared_ptr<const void> keeps = nullptr;  // them in memory
};

class HeadChunkStore {
 public:
  // Reads every file and calls `visit` for each chunk, in the order written
  // (its bytes are valid during the call).  The last file may end in zeros or,
  // after a crash, in half an entry, which is cut off.  Any other damage: what
  // follows in that file is set aside, reported in `damage` (may be null), and
  // the following files are still read.
  static absl::StatusOr<std::unique_ptr<HeadChunkStore>> Open(
      Env &env, std::string dir, HeadChunkOptions options,
      absl::FunctionRef<void(const HeadChunk &)> visit,
      std::vector<HeadChunkDamage> *damage);

  virtual ~HeadChunkStore() = default;

  // Begins a file if there is none, or the present one is full.  The bytes are
  // copied; Read(ref) works at once.  `chunk.ref` is ignored.
  virtual absl::StatusOr<HeadChunkRef> Write(const HeadChunk &chunk) = 0;
  // To the kernel.  After an error nothing unflushed is lost from memory.
  virtual absl::Status Flush() = 0;
  // The next Write begins a new file.
  virtual void CutFile() = 0;

  // Copies the chunk's bytes into `out` and says what it is (`bytes` views
  // `out`).  Checks its CRC; kDataLoss with file and offset.
  virtual absl::StatusOr<HeadChunk> Read(HeadChunkRef ref,
                                         std::string &out) const = 0;

  // Deletes the files numbered below `file`, never the one being written.
  // Readers that hold a pin still read them.
  virtual absl::Status TruncateBefore(uint32_t file) = 0;
  // Keeps what is deleted later readable until the pin dies.
  virtual std::shared_ptr<const void> Pin() const = 0;

  virtual uint64_t DiskBytes() const = 0;
  // Flush, sync, truncate to what was written.
  virtual absl::Status Close() = 0;

  // The file that `ref` lies in, as far as its bytes can be read where they are
  // and stay as they are; no bytes: nothing of it, or not that far.
  virtual HeadChunkBytes Mapped(HeadChunkRef ref) const = 0;
};

// Reads chunks one after the other: a file is looked up once for all that come
// from it, nothing is copied, and what will be read soon can be announced.  One
// thread; the store outlives it.
class HeadChunkCursor {
 public:
  explicit HeadChunkCursor(const HeadChunkStore &store) : store_(store) {}

  // As HeadChunkStore::Read; `bytes` lie in the file, good until the next call,
  // or in `copy`.
  absl::StatusOr<HeadChunk> Read(HeadChunkRef ref, std::string &copy);
  // Where the chunk read last lies, if it is not in `copy`: who holds `keeps` of
  // it may use the chunk for longer.
  const HeadChunkBytes &file() const { return file_; }
  // Fetches what begins there from memory, if it is of the file read last.
  // (Inline always: gcc drops calls of what it takes for a pure function.)
  [[gnu::always_inline]] void Expect(HeadChunkRef ref) const {
    const uint64_t offset = ref & 0xffffffff;
    if (HeadChunkFileOf(ref) != file_.file || offset >= file_.bytes.size()) {
      return;
    }
    // Most chunks are no longer than that.
    constexpr size_t kLine = 64, kLines = 4;
    for (size_t i = 0; i < kLines; ++i) {
      __builtin_prefetch(file_.bytes.data() + offset + i * kLine);
    }
  }

 private:
  const HeadChunkStore &store_;
  HeadChunkBytes file_;
};

}  // namespace narthex::tsdb
