#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>

#include "libtsdb/chunk/format.h"
#include "libtsdb/chunk/segment.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

bool IsNumber(std::string_view name) {
  uint64_t n = 0;
  const char* end = name.data() + name.size();
  const auto [p, error] = std::from_chars(name.data(), end, n);
  return error == std::errc() && p == end;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentReader>> SegmentReader::Open(
    Env& env, std::string dir) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                           env.ListDir(dir));
  std::unique_ptr<SegmentReader> reader(new SegmentReader);
  reader->dir_ = std::move(dir);
  // Refs count places in the sorted listing, whatever the names say.
  for (const DirEntry& entry : entries) {
    if (entry.is_dir || !IsNumber(entry.name)) continue;
    const std::string path = JoinPath(reader->dir_, entry.name);
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, env.Map(path));
    ByteReader in(file->bytes());
    const uint32_t magic = in.BE32();
    const uint8_t version = in.U8();
    in.Skip(kChunksHeaderSize - 5);
    if (!in.ok()) {
      return CorruptAt(path, in.bad_offset(), "chunk file has no header");
    }
    if (magic != kChunksMagic)
      return CorruptAt(path, 0, "bad chunk file magic");
    if (version != kChunksVersion) {
      return CorruptAt(
          path, 4,
          StrCat("unknown chunk file version ", static_cast<int>(version)));
    }
    reader->files_.push_back(std::move(file));
  }
  return reader;
}

absl::StatusOr<SegmentReader::Chunk> SegmentReader::Read(ChunkRef ref) const {
  const uint64_t place = ref >> 32;
  const uint64_t offset = ref & 0xffffffff;
  if (place >= files_.size()) {
    return CorruptAt(
        dir_, offset,
        StrCat("chunk reference to segment ", place, " of ", files_.size()));
  }
  const MappedFile& file = *files_[place];
  const std::string_view bytes = file.bytes();
  if (offset < kChunksHeaderSize || offset >= bytes.size()) {
    return CorruptAt(file.path(), offset, "chunk reference outside the file");
  }
  ByteReader in(bytes.substr(offset));
  const uint32_t length = in.Uvarint32();
  const std::string_view covered =
      in.Bytes(kChunkEncodingSize + static_cast<size_t>(length));
  const uint32_t crc = in.BE32();
  if (!in.ok()) {
    return CorruptAt(file.path(), offset,
                     "chunk goes past the end of the file");
  }
  if (Crc32c(covered) != crc) {
    return CorruptAt(file.path(), offset, "chunk checksum mismatch");
  }
  return Chunk{
      .encoding = static_cast<ChunkEncoding>(static_cast<uint8_t>(covered[0])),
      .bytes = covered.substr(kChunkEncodingSize)};
}

absl::Status SegmentReader::At(ChunkRef ref, const absl::Status& status) const {
  const uint64_t place = ref >> 32;
  const std::string& path =
      place < files_.size() ? files_[place]->path() : dir_;
  return Annotate(status, StrCat(path, ":", ref & 0xffffffff));
}

uint64_t SegmentReader::size_bytes() const {
  uint64_t sum = 0;
  for (const auto& file : files_) sum += file->bytes().size();
  return sum;
}

}  // namespace narthex::tsdb
