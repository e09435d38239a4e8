// A block's chunk files, chunks/000001 and so on; drawn in
// docs/format/chunks.md.
//
// SegmentWriter: one thread.  SegmentReader: any thread; what it returns points
// into the mapped files and lives as long as the reader.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

// (place of the segment in the sorted directory << 32) | offset of the entry.
using ChunkRef = uint64_t;

inline constexpr uint64_t kDefaultSegmentSize = 512 << 20;

class SegmentWriter {
 public:
  // Makes `dir`.  Its files are made at the first chunk.
  static absl::StatusOr<std::unique_ptr<SegmentWriter>> Create(
      Env& env, std::string dir, uint64_t segment_size = kDefaultSegmentSize);
  virtual ~SegmentWriter() = default;

  // One series' chunks: they stay in one file if they fit.  Puts where each
  // one is into `refs`, which is as long as `chunks`.
  virtual absl::Status Write(std::span<const EncodedChunk> chunks,
                             std::span<ChunkRef> refs) = 0;
  // Syncs what is left.  Must be called for the files to be whole.
  virtual absl::Status Finish() = 0;
  virtual uint64_t bytes_written() const = 0;
};

class SegmentReader {
 public:
  // Maps every file in `dir` whose name is a number, and checks their headers.
  static absl::StatusOr<std::unique_ptr<SegmentReader>> Open(Env& env,
                                                             std::string dir);

  struct Chunk {
    ChunkEncoding encoding = ChunkEncoding::kNone;
    std::string_view bytes = {};
  };
  // Checks the CRC.  kDataLoss names file and offset.
  absl::StatusOr<Chunk> Read(ChunkRef ref) const;
  // `status` of a chunk that could be read but not decoded, with its place.
  absl::Status At(ChunkRef ref, const absl::Status& status) const;

  uint64_t size_bytes() const;
  size_t segments() const { return files_.size(); }
  const MappedFile& segment(size_t i) const { return *files_[i]; }

 private:
  SegmentReader() = default;

  std::string dir_;
  std::vector<std::unique_ptr<MappedFile>> files_;
};

}  // namespace narthex::tsdb
