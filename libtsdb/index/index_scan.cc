#include "libtsdb/index/index_scan.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "libtsdb/index/format.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kCrc = 4;

class Scanner {
 public:
  explicit Scanner(std::string_view bytes) : bytes_(bytes) {}

  ScannedIndex Run() {
    Header();
    const bool toc = Toc();
    PostingsTable(toc);
    Symbols();
    Series(toc);
    if (toc) Postings();
    return std::move(out_);
  }

 private:
  using Pair = std::pair<std::string_view, std::string_view>;

  void Damage(uint64_t offset, std::string what) {
    out_.damages.push_back({offset, std::move(what)});
  }

  void Header() {
    ByteReader in(bytes_);
    if (in.BE32() != kIndexMagic) Damage(0, "bad index magic");
    const uint8_t version = in.U8();
    if (version != kIndexV2) Damage(4, "index version is not 2");
  }

  bool Toc() {
    if (bytes_.size() < kIndexHeaderSize + kIndexTocSize) {
      Damage(bytes_.size(), "index is too short for a table of contents");
      return false;
    }
    const size_t at = bytes_.size() - kIndexTocSize;
    const std::string_view body = bytes_.substr(at, kIndexTocSize - kCrc);
    ByteReader in(bytes_.substr(at));
    toc_.symbols = in.BE64();
    toc_.series = in.BE64();
    toc_.label_indices = in.BE64();
    toc_.label_indices_table = in.BE64();
    toc_.postings = in.BE64();
    toc_.postings_table = in.BE64();
    if (Crc32c(body) != in.BE32()) {
      Damage(at, "table of contents: checksum mismatch");
      return false;
    }
    for (const uint64_t section :
         {toc_.symbols, toc_.series, toc_.postings, toc_.postings_table}) {
      if (section > at) {
        Damage(at, "table of contents: a section lies outside of the file");
        return false;
      }
    }
    return true;
  }

  // [length | body | CRC] at `offset`; empty with a damage noted if it is not
  // whole.  `checked`: only if the CRC fits.
  std::string_view Section(uint64_t offset, std::string_view name,
                           bool& whole) {
    whole = false;
    if (offset + 4 > bytes_.size()) {
      Damage(offset, StrCat(name, " goes past the end"));
      return {};
    }
    const uint64_t length = LoadBE32(bytes_.data() + offset);
    if (length + 4 + kCrc > bytes_.size() - offset) {
      Damage(offset, StrCat(name, " goes past the end"));
      return {};
    }
    const std::string_view body = bytes_.substr(offset + 4, length);
    whole = Crc32c(body) == LoadBE32(body.data() + length);
    if (!whole) Damage(offset, StrCat(name, ": checksum mismatch"));
    return body;
  }

  void PostingsTable(bool toc) {
    if (!toc) return;
    bool whole;
    const std::string_view body =
        Section(toc_.postings_table, "postings table", whole);
    if (!whole) return;
    ByteReader in(body);
    const uint32_t n = in.BE32();
    for (uint32_t i = 0; i < n && in.ok(); ++i) {
      const uint64_t at = toc_.postings_table + 4 + in.offset();
      if (in.Uvarint() != 2) {
        Damage(at, "postings table: an entry without two keys");
        return;
      }
      const std::string_view name = in.UvarintBytes();
      const std::string_view value = in.UvarintBytes();
      const uint64_t list = in.Uvarint();
      if (in.ok()) lists_.emplace_back(Pair(name, value), list);
    }
    if (!in.ok() || !in.empty()) {
      Damage(toc_.postings_table + 4 + in.bad_offset(),
             "postings table: damaged entry");
      return;
    }
    table_whole_ = true;
  }

  // The CRC decides; where it does not fit, the texts may still be had from
  // the postings table, if it names every one of them.
  void Symbols() {
    bool whole;
    const std::string_view body = Section(kIndexHeaderSize, "symbols", whole);
    symbols_end_ = body.empty() ? 0 : kIndexHeaderSize + 4 + body.size() + kCrc;
    ByteReader in(body);
    const uint32_t n = in.BE32();
    for (uint32_t i = 0; whole && i < n; ++i) {
      const uint64_t at = kIndexHeaderSize + 4 + in.offset();
      const std::string_view text = in.UvarintBytes();
      if (!in.ok()) {
        Damage(at, "symbols: damaged entry");
        return;
      }
      if (i > 0 && out_.symbols.back() >= text) {
        Damage(at, "symbols are not ascending");
        whole = false;
      }
      out_.symbols.push_back(text);
    }
    if (whole) {
      if (!in.empty()) Damage(kIndexHeaderSize, "symbols: bytes are left over");
      out_.symbols_whole = true;
      return;
    }
    if (!table_whole_) return;
    std::set<std::string_view> texts = {std::string_view()};
    for (const auto& [pair, list] : lists_) {
      texts.insert(pair.first);
      texts.insert(pair.second);
    }
    if (texts.size() != n) return;
    out_.symbols.assign(texts.begin(), texts.end());
    out_.symbols_whole = true;
  }

  // Entries follow each other at multiples of 16, whatever became of one.
  void Series(bool toc) {
    uint64_t at = toc ? toc_.series : symbols_end_;
    if (!toc && symbols_end_ == 0) return;
    const uint64_t end =
        toc ? std::min<uint64_t>(toc_.label_indices, bytes_.size())
            : bytes_.size();
    bool gap = false;
    while (true) {
      at = (at + kSeriesAlign - 1) / kSeriesAlign * kSeriesAlign;
      if (at >= end) break;
      ByteReader in(bytes_.substr(at));
      const uint32_t length = in.Uvarint32();
      const std::string_view body = in.Bytes(length);
      const uint32_t crc = in.BE32();
      if (in.ok() && length != 0 && Crc32c(body) == crc) {
        gap = false;
        Entry(at, body);
        at += in.offset();
        continue;
      }
      // Without a table of contents the first thing that is no entry ends them.
      if (!toc) break;
      if (!gap) Damage(at, "series entry: checksum mismatch");
      gap = true;
      at += 1;
    }
  }

  void Entry(uint64_t at, std::string_view body) {
    ByteReader in(body);
    ScannedSeries series;
    series.offset = at;
    const auto bad = [&](std::string_view what) {
      Damage(at, StrCat("series entry: ", what));
    };
    const uint64_t labels = in.Uvarint();
    for (uint64_t i = 0; i < labels && in.ok(); ++i) {
      const uint32_t name = in.Uvarint32(), value = in.Uvarint32();
      if (name >= out_.symbols.size() || value >= out_.symbols.size()) {
        if (out_.symbols_whole) bad("a label is no symbol");
        return;
      }
      if (i > 0 && series.labels.back().name >= name) {
        return bad("labels are not ascending");
      }
      series.labels.push_back({name, value});
    }
    const uint64_t chunks = in.Uvarint();
    int64_t max_t = 0;
    uint64_t ref = 0;
    for (uint64_t i = 0; i < chunks && in.ok(); ++i) {
      ChunkMeta chunk;
      const int64_t min_t =
          i == 0 ? in.Varint()
                 : static_cast<int64_t>(static_cast<uint64_t>(max_t) +
                                        in.Uvarint());
      const auto end_t =
          static_cast<int64_t>(static_cast<uint64_t>(min_t) + in.Uvarint());
      ref = i == 0 ? in.Uvarint() : ref + static_cast<uint64_t>(in.Varint());
      if (!in.ok()) break;
      if (end_t < min_t || (i > 0 && min_t <= max_t)) {
        return bad("times of chunks do not ascend");
      }
      max_t = end_t;
      chunk.min_t = min_t;
      chunk.max_t = end_t;
      chunk.ref = ref;
      series.chunks.push_back(chunk);
    }
    if (!in.ok() || !in.empty()) return bad("its fields do not fit it");
    if (!out_.series.empty() &&
        !LabelsBefore(out_.series.back().labels, series.labels)) {
      bad("labels are not greater than those before");
    }
    out_.series.push_back(std::move(series));
  }

  // Symbols are ascending, so their numbers compare as their texts do.
  static bool LabelsBefore(const std::vector<LabelPair>& a,
                           const std::vector<LabelPair>& b) {
    return std::lexicographical_compare(
        a.begin(), a.end(), b.begin(), b.end(), [](LabelPair x, LabelPair y) {
          return std::pair(x.name, x.value) < std::pair(y.name, y.value);
        });
  }

  // Every list has exactly the series that have its label.
  void Postings() {
    std::map<Pair, std::vector<uint32_t>> want;
    for (const ScannedSeries& series : out_.series) {
      const auto id = static_cast<uint32_t>(series.offset / kSeriesAlign);
      want[Pair()].push_back(id);
      for (const LabelPair label : series.labels) {
        want[Pair(out_.symbols[label.name], out_.symbols[label.value])]
            .push_back(id);
      }
    }
    const bool comparable = out_.damages.empty();
    for (const auto& [pair, offset] : lists_) {
      bool whole;
      const std::string_view body = Section(offset, "postings list", whole);
      if (!whole) continue;
      const uint32_t n = body.size() < 4 ? 0 : LoadBE32(body.data());
      if (body.size() != 4 + uint64_t{n} * 4) {
        Damage(offset, "postings list: its count does not fit it");
        continue;
      }
      if (!comparable) continue;  // the damage is named already
      const auto it = want.find(pair);
      bool same = it != want.end() && it->second.size() == n;
      for (uint32_t i = 0; same && i < n; ++i) {
        same = LoadBE32(body.data() + 4 + i * 4) == it->second[i];
      }
      if (!same) {
        Damage(offset, StrCat("postings list of ", pair.first, "=", pair.second,
                              " has not the series that have the label"));
      }
    }
    if (comparable && table_whole_ && lists_.size() != want.size()) {
      Damage(toc_.postings_table, StrCat("postings table has ", lists_.size(),
                                         " lists, not ", want.size()));
    }
  }

  const std::string_view bytes_;
  IndexToc toc_;
  bool table_whole_ = false;
  uint64_t symbols_end_ = 0;
  std::vector<std::pair<Pair, uint64_t>> lists_;
  ScannedIndex out_;
};

}  // namespace

ScannedIndex ScanIndex(std::string_view bytes) { return Scanner(bytes).Run(); }

}  // namespace narthex::tsdb
