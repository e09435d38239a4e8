#include "libtsdb/index/index_reader.h"

#include <algorithm>
#include <utility>

#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// A label of a series entry; most numbers take one to three bytes.
inline bool ReadNumber(const char*& p, const char* end, uint32_t& out) {
  uint64_t x = 0;
  for (unsigned shift = 0; shift < 35 && p != end; shift += 7) {
    const uint8_t b = static_cast<uint8_t>(*p++);
    x |= static_cast<uint64_t>(b & 0x7f) << shift;
    if (b < 0x80) {
      out = static_cast<uint32_t>(x);
      return x <= 0xffffffffu;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<IndexReader>> IndexReader::Open(
    Env& env, std::string path) {
  std::unique_ptr<IndexReader> reader(new IndexReader);
  NARTHEX_ASSIGN_OR_RETURN(reader->file_, env.Map(path));
  const std::string_view bytes = reader->file_->bytes();
  reader->bytes_ = bytes;
  if (bytes.size() < kIndexHeaderSize + kIndexTocSize) {
    return CorruptAt(path, bytes.size(), "index file is too short");
  }
  if (LoadBE32(bytes.data()) != kIndexMagic) {
    return CorruptAt(path, 0, "bad index magic");
  }
  reader->version_ = static_cast<uint8_t>(bytes[4]);
  if (reader->version_ != kIndexV2 && reader->version_ != kIndexV1) {
    return CorruptAt(path, 4,
                     StrCat("unknown index format version ",
                            static_cast<int>(reader->version_)));
  }
  const uint64_t toc_at = bytes.size() - kIndexTocSize;
  const std::string_view toc = bytes.substr(toc_at, kIndexTocSize - 4);
  if (Crc32c(toc) != LoadBE32(bytes.data() + bytes.size() - 4)) {
    return CorruptAt(path, toc_at, "index table of contents checksum mismatch");
  }
  ByteReader in(toc);
  for (uint64_t* at :
       {&reader->toc_.symbols, &reader->toc_.series,
        &reader->toc_.label_indices, &reader->toc_.label_indices_table,
        &reader->toc_.postings, &reader->toc_.postings_table}) {
    const size_t where = in.offset();
    *at = in.BE64();
    if (*at > toc_at) {
      return CorruptAt(path, toc_at + where, "index section outside the file");
    }
  }
  if (reader->toc_.series > reader->toc_.label_indices) {
    return CorruptAt(path, toc_at, "index sections are out of order");
  }
  return reader;
}

absl::StatusOr<std::string_view> IndexReader::Section(
    uint64_t offset, std::string_view what) const {
  const uint64_t end = bytes_.size() - kIndexTocSize;
  if (offset > end || end - offset < 8) {
    return CorruptAt(path(), offset, StrCat(what, " outside the file"));
  }
  const uint64_t length = LoadBE32(bytes_.data() + offset);
  if (length > end - offset - 8) {
    return CorruptAt(path(), offset, StrCat(what, " goes past the end"));
  }
  const std::string_view body = bytes_.substr(offset + 4, length);
  if (Crc32c(body) != LoadBE32(body.data() + body.size())) {
    return CorruptAt(path(), offset, StrCat(what, " checksum mismatch"));
  }
  return body;
}

// --- Symbols -----------------------------------------------------------------

absl::Status IndexReader::LoadSymbols() const {
  absl::call_once(symbols_once_, [this] { symbols_status_ = BuildSymbols(); });
  return symbols_status_;
}

absl::Status IndexReader::BuildSymbols() const {
  NARTHEX_ASSIGN_OR_RETURN(const std::string_view body,
                           Section(toc_.symbols, "symbol table"));
  ByteReader in(body);
  const uint32_t count = in.BE32();
  if (!in.ok() || count > in.remaining()) {
    return CorruptAt(path(), toc_.symbols, "impossible number of symbols");
  }
  std::vector<uint32_t> at;
  at.reserve(count);
  std::string_view last;
  uint32_t shift = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const size_t offset = in.offset();
    const std::string_view text = in.UvarintBytes();
    if (!in.ok() || (i != 0 && text <= last)) {
      return CorruptAt(path(), toc_.symbols + 4 + offset,
                       "symbols are damaged or out of order");
    }
    if (i == 0) shift = text.empty() ? 0 : 1;
    at.push_back(static_cast<uint32_t>(offset));
    last = text;
  }
  if (count == 0) shift = 1;
  symbol_at_ = std::move(at);
  shift_ = shift;
  symbol_bound_ = count + shift;
  return absl::OkStatus();
}

std::string_view IndexReader::SymbolText(uint32_t own) const {
  const uint32_t ordinal = own - shift_;  // below `own` wraps: no such symbol
  if (ordinal >= symbol_at_.size()) return {};
  // BuildSymbols walked all of them: what is read here lies in the section.
  const char* p = bytes_.data() + toc_.symbols + 4 + symbol_at_[ordinal];
  const uint8_t length = static_cast<uint8_t>(*p);
  if (length < 0x80) [[likely]]
    return {p + 1, length};
  ByteReader in(bytes_.substr(static_cast<size_t>(p - bytes_.data())));
  return in.UvarintBytes();
}

uint32_t IndexReader::FindSymbol(std::string_view text) const {
  if (text.empty()) return 0;
  uint32_t low = shift_;
  uint32_t high = symbol_bound_;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (SymbolText(middle) < text) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < symbol_bound_ && SymbolText(low) == text ? low : 0;
}

// --- Postings ----------------------------------------------------------------

absl::Status IndexReader::LoadPostings() const {
  absl::call_once(postings_once_,
                  [this] { postings_status_ = BuildPostings(); });
  return postings_status_;
}

absl::Status IndexReader::BuildPostings() const {
  NARTHEX_ASSIGN_OR_RETURN(
      const std::string_view body,
      Section(toc_.postings_table, "postings offset table"));
  if (version_ == kIndexV1) return BuildUnsortedPostings(body);
  ByteReader in(body);
  const uint32_t count = in.BE32();
  std::string_view name;
  std::shared_ptr<LabelValueList> values;
  const auto damaged = [&] {
    return CorruptAt(path(), toc_.postings_table + 4 + in.bad_offset(),
                     "damaged postings offset table");
  };
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t keys = in.Uvarint();
    const std::string_view entry_name = in.UvarintBytes();
    const std::string_view value = in.UvarintBytes();
    const uint64_t at = in.Uvarint();
    if (!in.ok() || keys != 2 || at >= bytes_.size()) return damaged();
    if (entry_name.empty() && value.empty()) {
      all_at_ = at;
      continue;
    }
    if (values == nullptr || entry_name != name) {
      if (values != nullptr && entry_name <= name) return damaged();
      values = std::make_shared<LabelValueList>();
      name = entry_name;
      names_.push_back(name);
      values_[name] = values;
    }
    if (!values->texts.empty() && value <= values->texts.back()) {
      return damaged();
    }
    values->texts.push_back(value);
    values->lists.push_back(at);
  }
  return absl::OkStatus();
}

// Early writers of version 1 left the table in the order of a hash map.
absl::Status IndexReader::BuildUnsortedPostings(std::string_view body) const {
  struct Entry {
    std::string_view name, value;
    uint64_t at = 0;
  };
  ByteReader in(body);
  const uint32_t count = in.BE32();
  std::vector<Entry> entries;
  const auto damaged = [&] {
    return CorruptAt(path(), toc_.postings_table + 4 + in.bad_offset(),
                     "damaged postings offset table");
  };
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t keys = in.Uvarint();
    Entry entry;
    entry.name = in.UvarintBytes();
    entry.value = in.UvarintBytes();
    entry.at = in.Uvarint();
    if (!in.ok() || keys != 2 || entry.at >= bytes_.size()) return damaged();
    if (entry.name.empty() && entry.value.empty()) {
      all_at_ = entry.at;
    } else {
      entries.push_back(entry);
    }
  }
  const auto key = [](const Entry& e) { return std::pair(e.name, e.value); };
  std::sort(entries.begin(), entries.end(),
            [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
  std::shared_ptr<LabelValueList> values;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    if (i == 0 || entry.name != entries[i - 1].name) {
      values = std::make_shared<LabelValueList>();
      names_.push_back(entry.name);
      values_[entry.name] = values;
    } else if (entry.value == entries[i - 1].value) {
      return damaged();
    }
    values->texts.push_back(entry.value);
    values->lists.push_back(entry.at);
  }
  return absl::OkStatus();
}

absl::StatusOr<PostingsList> IndexReader::All() const {
  NARTHEX_RETURN_IF_ERROR(LoadPostings());
  if (all_at_ == 0) return PostingsList();
  return List(all_at_);
}

absl::StatusOr<PostingsList> IndexReader::Find(std::string_view name,
                                               std::string_view value) const {
  NARTHEX_RETURN_IF_ERROR(LoadPostings());
  const auto it = values_.find(name);
  if (it == values_.end()) return PostingsList();
  const std::vector<std::string_view>& texts = it->second->texts;
  const auto found = std::lower_bound(texts.begin(), texts.end(), value);
  if (found == texts.end() || *found != value) return PostingsList();
  return List(it->second->lists[static_cast<size_t>(found - texts.begin())]);
}

absl::StatusOr<std::shared_ptr<const LabelValueList>> IndexReader::Values(
    std::string_view name) const {
  NARTHEX_RETURN_IF_ERROR(LoadPostings());
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : it->second;
}

absl::StatusOr<PostingsList> IndexReader::List(uint64_t list) const {
  NARTHEX_ASSIGN_OR_RETURN(const std::string_view body,
                           Section(list, "postings list"));
  if (body.size() < 4 ||
      body.size() != 4 + 4 * uint64_t{LoadBE32(body.data())}) {
    return CorruptAt(path(), list, "postings list has another length");
  }
  return PostingsList::BigEndian(body.substr(4));
}

absl::StatusOr<std::vector<std::string_view>> IndexReader::Names() const {
  NARTHEX_RETURN_IF_ERROR(LoadPostings());
  return names_;
}

// --- Series ------------------------------------------------------------------

bool IndexReader::EntryAt(SeriesId id, std::string_view& body,
                          uint32_t& crc) const {
  const uint64_t offset = OffsetOf(id);
  if (offset < toc_.series || offset >= toc_.label_indices) return false;
  ByteReader in(bytes_.substr(offset, toc_.label_indices - offset));
  body = in.UvarintBytes();
  crc = in.BE32();
  return in.ok();
}

bool IndexReader::ToOrdinal(uint32_t& symbol) const {
  const uint64_t base = toc_.symbols + 4;
  if (symbol < base) return false;
  const auto at = static_cast<uint32_t>(symbol - base);
  const auto it = std::lower_bound(symbol_at_.begin(), symbol_at_.end(), at);
  if (it == symbol_at_.end() || *it != at) return false;
  symbol = static_cast<uint32_t>(it - symbol_at_.begin());
  return true;
}

absl::Status IndexReader::ReadLabels(SeriesId id,
                                     std::vector<LabelPair>& labels,
                                     uint64_t& chunks_at) const {
  std::string_view body;
  uint32_t crc = 0;
  if (!EntryAt(id, body, crc)) {
    return CorruptAt(path(), OffsetOf(id), "no series entry there");
  }
  if (Crc32c(body) != crc) {
    return CorruptAt(path(), OffsetOf(id), "series entry checksum mismatch");
  }
  const char* p = body.data();
  const char* end = p + body.size();
  uint32_t count = 0;
  bool good = ReadNumber(p, end, count) && count <= body.size();
  const size_t old = labels.size();
  if (good) labels.resize(old + count);
  for (uint32_t i = 0; good && i < count; ++i) {
    LabelPair& pair = labels[old + i];
    good = ReadNumber(p, end, pair.name) && ReadNumber(p, end, pair.value);
    if (version_ == kIndexV1) [[unlikely]] {
      good = good && ToOrdinal(pair.name) && ToOrdinal(pair.value);
    }
    good =
        good && pair.name < symbol_at_.size() && pair.value < symbol_at_.size();
    pair.name += shift_;
    pair.value += shift_;
  }
  if (!good) {
    labels.resize(old);
    return CorruptAt(path(), OffsetOf(id), "damaged labels of a series");
  }
  chunks_at = static_cast<uint64_t>(p - bytes_.data());
  return absl::OkStatus();
}

IndexReader::ChunkWalk IndexReader::Chunks(SeriesId id,
                                           uint64_t chunks_at) const {
  std::string_view body;
  uint32_t crc = 0;
  if (!EntryAt(id, body, crc)) return ChunkWalk({});
  const uint64_t end =
      static_cast<uint64_t>(body.data() - bytes_.data()) + body.size();
  if (chunks_at > end) return ChunkWalk({});
  return ChunkWalk(bytes_.substr(chunks_at, end - chunks_at));
}

bool IndexReader::ChunkWalk::Next(ChunkMeta& chunk) {
  if (left_ == 0) return false;
  --left_;
  // Wrapping: damaged bytes must not become undefined behaviour.
  uint64_t min_t;
  if (first_) {
    first_ = false;
    min_t = static_cast<uint64_t>(in_.Varint());
    const uint64_t span = in_.Uvarint();
    ref_ = in_.Uvarint();
    t_ = static_cast<int64_t>(min_t + span);
  } else {
    min_t = static_cast<uint64_t>(t_) + in_.Uvarint();
    const uint64_t span = in_.Uvarint();
    ref_ += static_cast<uint64_t>(in_.Varint());
    t_ = static_cast<int64_t>(min_t + span);
  }
  chunk.min_t = static_cast<int64_t>(min_t);
  chunk.max_t = t_;
  chunk.ref = ref_;
  return in_.ok();
}

absl::Status IndexReader::DamagedChunks(SeriesId id) const {
  return CorruptAt(path(), OffsetOf(id), "damaged chunks of a series");
}

}  // namespace narthex::tsdb
