#include "libtsdb/block/block_check.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/block_writer.h"
#include "libtsdb/block/tombstones.h"
#include "libtsdb/block/ulid.h"
#include "libtsdb/chunk/format.h"
#include "libtsdb/index/format.h"
#include "libtsdb/index/index_scan.h"
#include "narthex/base/budget.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"
#include "narthex/model/columns.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {
namespace {

// The chunk files of a block, headers or not.
struct ChunkFiles {
  std::vector<std::unique_ptr<MappedFile>> files;

  absl::Status Open(Env& env, const std::string& dir) {
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                             env.ListDir(dir));
    for (const DirEntry& entry : entries) {
      if (entry.is_dir || entry.name.empty() ||
          entry.name.find_first_not_of("0123456789") != std::string::npos) {
        continue;
      }
      NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file,
                               env.Map(JoinPath(dir, entry.name)));
      files.push_back(std::move(file));
    }
    return absl::OkStatus();
  }

  // One entry; empty if it is not whole.
  struct Entry {
    EncodedChunk chunk;
    uint64_t size = 0;  // of the entry; 0: damaged
  };
  static Entry At(std::string_view bytes, uint64_t offset) {
    Entry out;
    if (offset < kChunksHeaderSize || offset >= bytes.size()) return out;
    ByteReader in(bytes.substr(offset));
    const uint32_t length = in.Uvarint32();
    const std::string_view covered = in.Bytes(size_t{length} + 1);
    const uint32_t crc = in.BE32();
    if (!in.ok() || Crc32c(covered) != crc) return out;
    out.chunk.encoding =
        static_cast<ChunkEncoding>(static_cast<uint8_t>(covered[0]));
    out.chunk.bytes = covered.substr(1);
    out.size = in.offset();
    return out;
  }
  // As At, but the next entry is known to begin at `end`: a damaged length
  // costs nothing.
  static Entry UpTo(std::string_view bytes, uint64_t offset, uint64_t end) {
    for (uint64_t head = 1; head <= kMaxVarintLen32; ++head) {
      if (offset + head + 1 + kCrcSize > end || end > bytes.size()) break;
      const uint64_t length = end - offset - head - 1 - kCrcSize;
      const std::string_view covered = bytes.substr(offset + head, length + 1);
      if (Crc32c(covered) != LoadBE32(covered.data() + covered.size())) {
        continue;
      }
      Entry out;
      out.chunk.encoding =
          static_cast<ChunkEncoding>(static_cast<uint8_t>(covered[0]));
      out.chunk.bytes = covered.substr(1);
      out.size = end - offset;
      return out;
    }
    return {};
  }
  // What the index refers to, if its samples are what the index says.  `end`:
  // where the next chunk begins; 0: not known.
  const char* Find(const ChunkMeta& meta, SampleColumns& columns,
                   EncodedChunk& out, uint64_t end = 0) const {
    const uint64_t place = meta.ref >> 32;
    if (place >= files.size())
      return "refers to a chunk file that is not there";
    const std::string_view bytes = files[place]->bytes();
    Entry entry = At(bytes, meta.ref & 0xffffffff);
    if (entry.size == 0) entry = UpTo(bytes, meta.ref & 0xffffffff, end);
    if (entry.size == 0) return "refers to a chunk that is damaged";
    columns.Clear();
    if (!DecodeChunk(entry.chunk.encoding, entry.chunk.bytes, {}, columns)
             .ok()) {
      return "refers to a chunk that can't be decoded";
    }
    if (columns.empty()) return "refers to a chunk without samples";
    out = entry.chunk;
    SetTimes(columns, out);
    if (out.min_t != meta.min_t || out.max_t != meta.max_t) {
      return "says other times than its chunk has";
    }
    return nullptr;
  }
  static void SetTimes(const SampleColumns& columns, EncodedChunk& chunk) {
    const auto& points = columns.histograms().points;
    chunk.min_t = points.empty() ? columns.t().front() : points.front().t;
    chunk.max_t = points.empty() ? columns.t().back() : points.back().t;
  }
  // The chunks from one reference to another, if all of them are whole and
  // follow each other in time: those of one series whose entry is lost.
  bool Between(uint64_t from, uint64_t to, SampleColumns& columns,
               std::vector<EncodedChunk>& out) const {
    for (uint64_t at = from; at < to;) {
      const uint64_t place = at >> 32;
      if (place >= files.size()) return true;
      const std::string_view bytes = files[place]->bytes();
      if ((at & 0xffffffff) >= bytes.size()) {
        at = (place + 1) << 32 | kChunksHeaderSize;
        continue;
      }
      Entry entry = At(bytes, at & 0xffffffff);
      columns.Clear();
      if (entry.size == 0 ||
          !DecodeChunk(entry.chunk.encoding, entry.chunk.bytes, {}, columns)
               .ok() ||
          columns.empty()) {
        return false;
      }
      SetTimes(columns, entry.chunk);
      if (!out.empty() && out.back().max_t >= entry.chunk.min_t) return false;
      out.push_back(entry.chunk);
      at += entry.size;
    }
    return true;
  }
  // Where the entry at `ref` ends; 0 if it is not whole.
  uint64_t EndOf(uint64_t ref) const {
    const uint64_t place = ref >> 32;
    if (place >= files.size()) return 0;
    const Entry entry = At(files[place]->bytes(), ref & 0xffffffff);
    return entry.size == 0 ? 0 : ref + entry.size;
  }
};

class Checker {
 public:
  Checker(Env& env, std::string dir) : env_(env), dir_(std::move(dir)) {}

  absl::StatusOr<BlockCheck> Run() {
    absl::StatusOr<BlockMeta> meta = ReadBlockMeta(env_, dir_);
    if (!meta.ok()) {
      Problem(JoinPath(dir_, "meta.json"), 0, Message(meta.status()));
    } else if (IsUlid(BaseName(dir_)) && meta->ulid != BaseName(dir_)) {
      Problem(JoinPath(dir_, "meta.json"), 0,
              StrCat("names the block ", meta->ulid));
    }
    if (const absl::Status opened =
            chunks_.Open(env_, JoinPath(dir_, "chunks"));
        !opened.ok()) {
      Problem(JoinPath(dir_, "chunks"), 0, Message(opened));
    }
    for (const auto& file : chunks_.files) CheckSegment(*file);

    const std::string index_path = JoinPath(dir_, "index");
    const auto index = env_.Map(index_path);
    if (!index.ok()) {
      Problem(index_path, 0, Message(index.status()));
      return std::move(out_);
    }
    out_.bytes += (*index)->bytes().size();
    const ScannedIndex scanned = ScanIndex((*index)->bytes());
    for (const ScannedIndex::Damage& damage : scanned.damages) {
      Problem(index_path, damage.offset, damage.what);
    }
    CheckSeries(scanned, index_path);
    CheckTombstones(scanned);
    if (meta.ok()) CheckMeta(*meta, scanned);
    return std::move(out_);
  }

 private:
  void Problem(std::string file, uint64_t offset, std::string_view what) {
    out_.problems.push_back({std::move(file), offset, std::string(what)});
  }

  void CheckSegment(const MappedFile& file) {
    const std::string_view bytes = file.bytes();
    out_.bytes += bytes.size();
    if (bytes.size() < kChunksHeaderSize ||
        LoadBE32(bytes.data()) != kChunksMagic) {
      Problem(file.path(), 0, "bad chunk file magic");
    } else if (static_cast<uint8_t>(bytes[4]) != kChunksVersion) {
      Problem(file.path(), 4, "unknown chunk file version");
    } else if (bytes[5] != 0 || bytes[6] != 0 || bytes[7] != 0) {
      Problem(file.path(), 5, "the header's padding is not zero");
    }
    for (uint64_t at = kChunksHeaderSize; at < bytes.size();) {
      const ChunkFiles::Entry entry = ChunkFiles::At(bytes, at);
      if (entry.size == 0) {
        // Its length may be what is damaged; the index knows where others are.
        Problem(file.path(), at, "chunk checksum mismatch");
        return;
      }
      at += entry.size;
    }
  }

  void CheckSeries(const ScannedIndex& scanned, const std::string& path) {
    SampleColumns columns(budget_);
    for (const ScannedSeries& series : scanned.series) {
      ++out_.series;
      for (const ChunkMeta& meta : series.chunks) {
        EncodedChunk chunk;
        if (const char* what = chunks_.Find(meta, columns, chunk);
            what != nullptr) {
          Problem(path, series.offset,
                  StrCat("series entry ", what, " (segment ", meta.ref >> 32,
                         ", offset ", meta.ref & 0xffffffff, ")"));
          continue;
        }
        ++out_.chunks;
        out_.samples += SampleCount(chunk.encoding, chunk.bytes);
        least_ = std::min(least_, chunk.min_t);
        greatest_ = std::max(greatest_, chunk.max_t);
      }
    }
  }

  void CheckTombstones(const ScannedIndex& scanned) {
    const auto tombstones = ReadTombstones(env_, dir_);
    const std::string path = JoinPath(dir_, "tombstones");
    if (!tombstones.ok()) {
      Problem(path, 0, Message(tombstones.status()));
      return;
    }
    absl::flat_hash_set<uint64_t> ids;
    for (const ScannedSeries& series : scanned.series) {
      ids.insert(scanned.IdOf(series));
    }
    tombstones->ForEach([&](uint64_t ref, const Intervals&) {
      if (!ids.contains(ref)) {
        Problem(path, 0,
                StrCat("deletes from series ", ref,
                       ", which the index does not have"));
      }
    });
  }

  void CheckMeta(const BlockMeta& meta, const ScannedIndex& scanned) {
    const std::string path = JoinPath(dir_, "meta.json");
    if (out_.samples != 0 &&
        (least_ < meta.min_time || greatest_ >= meta.max_time)) {
      Problem(path, 0,
              StrCat("samples from ", least_.ms, " to ", greatest_.ms,
                     " lie outside of the block's range"));
    }
    if (!out_.problems.empty() || !scanned.damages.empty()) return;
    if (meta.stats.samples != out_.samples ||
        meta.stats.series != out_.series || meta.stats.chunks != out_.chunks) {
      Problem(
          path, 0,
          StrCat("counts ", meta.stats.series, " series, ", meta.stats.chunks,
                 " chunks, ", meta.stats.samples, " samples; there are ",
                 out_.series, ", ", out_.chunks, ", ", out_.samples));
    }
  }

  Env& env_;
  const std::string dir_;
  ChunkFiles chunks_;
  MemoryBudget budget_;
  BlockCheck out_;
  Timestamp least_ = kMaxTime;
  Timestamp greatest_ = kMinTime;
};

// The chunks of a damaged block that are whole.
class Salvage {
 public:
  Salvage(const ChunkFiles& files, const ScannedIndex& scanned)
      : files_(files), series_(scanned.series), columns_(budget_) {
    for (const ScannedSeries& one : series_) {
      for (const ChunkMeta& meta : one.chunks) refs_.push_back(meta.ref);
    }
    std::sort(refs_.begin(), refs_.end());
  }

  // Of series number `i`.
  std::vector<EncodedChunk> Chunks(size_t i) {
    std::vector<EncodedChunk> out;
    if (series_[i].chunks_lost) {
      if (!Lost(i, out)) out.clear();
      return out;
    }
    for (const ChunkMeta& meta : series_[i].chunks) {
      EncodedChunk chunk;
      if (files_.Find(meta, columns_, chunk, EndOf(meta.ref)) == nullptr) {
        out.push_back(chunk);
      }
    }
    return out;
  }

 private:
  // Where the chunk must end, by what the others say, within its file.
  uint64_t EndOf(uint64_t ref) const {
    const auto next = std::upper_bound(refs_.begin(), refs_.end(), ref);
    if (next != refs_.end() && *next >> 32 == ref >> 32) {
      return *next & 0xffffffff;
    }
    const uint64_t place = ref >> 32;
    return place < files_.files.size() ? files_.files[place]->bytes().size()
                                       : 0;
  }
  // Chunks of series lie in the order of the series.  Of two lost ones side
  // by side nobody can say which chunk is whose.
  bool Lost(size_t i, std::vector<EncodedChunk>& out) {
    uint64_t from = kChunksHeaderSize;
    if (i > 0) {
      const ScannedSeries& before = series_[i - 1];
      if (before.chunks.empty()) return false;
      from = files_.EndOf(before.chunks.back().ref);
      if (from == 0) return false;
    }
    uint64_t to = files_.files.size() << 32;
    if (i + 1 < series_.size()) {
      const ScannedSeries& after = series_[i + 1];
      if (after.chunks.empty()) return false;
      to = after.chunks.front().ref;
    }
    return files_.Between(from, to, columns_, out);
  }

  const ChunkFiles& files_;
  const std::vector<ScannedSeries>& series_;
  std::vector<uint64_t> refs_;
  MemoryBudget budget_;
  SampleColumns columns_;
};

}  // namespace

absl::StatusOr<BlockCheck> CheckBlock(Env& env, const std::string& dir) {
  return Checker(env, dir).Run();
}

absl::StatusOr<std::optional<BlockMeta>> SalvageBlock(Env& env, Clock& clock,
                                                      const std::string& dir) {
  ChunkFiles chunks;
  if (!chunks.Open(env, JoinPath(dir, "chunks")).ok()) {
    return std::optional<BlockMeta>();
  }
  const auto index = env.Map(JoinPath(dir, "index"));
  if (!index.ok()) return std::optional<BlockMeta>();
  const ScannedIndex scanned = ScanIndex((*index)->bytes());
  if (!scanned.symbols_whole) return std::optional<BlockMeta>();

  struct Saved {
    const ScannedSeries* series = nullptr;
    std::vector<EncodedChunk> chunks = {};
  };
  std::vector<Saved> saved;
  Timestamp least = kMaxTime, greatest = kMinTime;
  Salvage salvage(chunks, scanned);
  for (size_t i = 0; i < scanned.series.size(); ++i) {
    Saved one{&scanned.series[i], salvage.Chunks(i)};
    if (one.chunks.empty()) continue;
    if (!saved.empty() &&
        !ScannedIndex::Before(*saved.back().series, *one.series)) {
      continue;  // its labels can't be what they say
    }
    least = std::min(least, one.chunks.front().min_t);
    greatest = std::max(greatest, one.chunks.back().max_t);
    saved.push_back(std::move(one));
  }
  if (saved.empty()) return std::optional<BlockMeta>();

  BlockMeta meta;
  if (absl::StatusOr<BlockMeta> old = ReadBlockMeta(env, dir); old.ok()) {
    meta = *std::move(old);
    meta.min_time = std::min(meta.min_time, least);
    meta.max_time = std::max(meta.max_time, greatest + Milliseconds(1));
  } else {
    meta.min_time = least;
    meta.max_time = greatest + Milliseconds(1);
    meta.level = 1;
  }
  meta.ulid = NewUlid(env, clock.Now());
  if (meta.sources.empty()) meta.sources = {meta.ulid};
  const std::string parent = std::string(DirName(dir));
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<BlockWriter> writer,
                           BlockWriter::Create(env, parent, std::move(meta)));
  for (const std::string_view text : scanned.symbols) {
    NARTHEX_RETURN_IF_ERROR(writer->AddSymbol(text));
  }
  for (const Saved& one : saved) {
    NARTHEX_RETURN_IF_ERROR(writer->AddSeries(one.series->labels, one.chunks));
  }
  NARTHEX_ASSIGN_OR_RETURN(std::optional<BlockMeta> written, writer->Finish());
  if (!written.has_value()) return written;

  // Deletions stay: by labels, since the series have other numbers now.
  const auto tombstones = ReadTombstones(env, dir);
  if (!tombstones.ok() || tombstones->empty()) return written;
  const std::string made = JoinPath(parent, written->ulid);
  NARTHEX_ASSIGN_OR_RETURN(const auto fresh, env.Map(JoinPath(made, "index")));
  const ScannedIndex rescanned = ScanIndex(fresh->bytes());
  Tombstones moved;
  for (size_t i = 0; i < saved.size() && i < rescanned.series.size(); ++i) {
    const Intervals* deleted = tombstones->Find(scanned.IdOf(*saved[i].series));
    if (deleted == nullptr) continue;
    for (const TimeRange& range : *deleted) {
      moved.Add(rescanned.IdOf(rescanned.series[i]), range);
    }
  }
  NARTHEX_RETURN_IF_ERROR(WriteTombstones(env, made, moved));
  written->stats.tombstones = moved.total();
  NARTHEX_RETURN_IF_ERROR(WriteBlockMeta(env, made, *written));
  return written;
}

}  // namespace narthex::tsdb
