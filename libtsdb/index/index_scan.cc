#include "libtsdb/index/index_scan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
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
    ReadLists();
    Symbols();
    Series(toc);
    if (toc) {
      CheckLists();
      if (lists_whole_) LabelsFromLists();
    }
    Order();
    return std::move(out_);
  }

 private:
  using Pair = std::pair<std::string_view, std::string_view>;
  struct List {
    Pair pair;
    uint64_t offset = 0;
    std::string_view ids = {};  // 4 bytes each

    uint32_t size() const { return static_cast<uint32_t>(ids.size() / 4); }
    SeriesId id(uint32_t i) const { return LoadBE32(ids.data() + i * 4); }
  };

  void Damage(uint64_t offset, std::string what) {
    out_.damages.push_back({offset, std::move(what)});
  }

  void Header() {
    ByteReader in(bytes_);
    if (in.BE32() != kIndexMagic) Damage(0, "bad index magic");
    out_.version = in.U8();
    if (out_.version != kIndexV2 && out_.version != kIndexV1) {
      Damage(4, "index version is neither 1 nor 2");
    }
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
      if (in.ok()) lists_.push_back({Pair(name, value), list});
    }
    if (!in.ok() || !in.empty()) {
      Damage(toc_.postings_table + 4 + in.bad_offset(),
             "postings table: damaged entry");
      return;
    }
    table_whole_ = true;
  }

  void ReadLists() {
    lists_whole_ = table_whole_ && !lists_.empty();
    for (List& list : lists_) {
      bool whole;
      const std::string_view body =
          Section(list.offset, "postings list", whole);
      if (whole && (body.size() < 4 ||
                    body.size() != 4 + uint64_t{LoadBE32(body.data())} * 4)) {
        Damage(list.offset, "postings list: its count does not fit it");
        whole = false;
      }
      if (whole) list.ids = body.substr(4);
      lists_whole_ = lists_whole_ && whole;
    }
    if (out_.version != kIndexV1) return;  // there they may be in any order
    std::sort(lists_.begin(), lists_.end(),
              [](const List& a, const List& b) { return a.pair < b.pair; });
  }

  // The CRC decides; where it does not fit, the texts may still be had from
  // the postings table.
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
        whole = false;
        break;
      }
      if (i > 0 && out_.symbols.back() >= text) {
        Damage(at, "symbols are not ascending");
        whole = false;
      }
      symbol_at_.push_back(static_cast<uint32_t>(at));
      out_.symbols.push_back(text);
    }
    if (whole) {
      if (!in.empty()) Damage(kIndexHeaderSize, "symbols: bytes are left over");
      out_.symbols_whole = true;
      return;
    }
    symbol_at_.clear();
    out_.symbols.clear();
    if (!table_whole_) return;
    std::vector<std::string_view>& texts = out_.symbols;
    texts.push_back({});
    for (const List& list : lists_) {
      texts.push_back(list.pair.first);
      texts.push_back(list.pair.second);
    }
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    // The table may have had texts that no series uses: their numbers can be
    // trusted only if there were none.
    numbers_hold_ = texts.size() == n && out_.version != kIndexV1;
    out_.symbols_whole = numbers_hold_ || lists_whole_;
  }

  bool ToNumber(uint32_t& symbol) const {
    if (out_.version != kIndexV1) return symbol < out_.symbols.size();
    const auto it =
        std::lower_bound(symbol_at_.begin(), symbol_at_.end(), symbol);
    if (it == symbol_at_.end() || *it != symbol) return false;
    symbol = static_cast<uint32_t>(it - symbol_at_.begin());
    return true;
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
      if (out_.version != kIndexV1) {
        at = (at + kSeriesAlign - 1) / kSeriesAlign * kSeriesAlign;
      }
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
      uint32_t name = in.Uvarint32(), value = in.Uvarint32();
      if (!numbers_hold_) continue;  // the lists will tell
      if (!ToNumber(name) || !ToNumber(value)) {
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
    out_.series.push_back(std::move(series));
  }

  // Every list has exactly the series that have its label.
  void CheckLists() {
    if (!out_.damages.empty()) return;  // they are named already
    std::map<Pair, std::vector<uint32_t>> want;
    for (const ScannedSeries& series : out_.series) {
      const SeriesId id = out_.IdOf(series);
      want[Pair()].push_back(id);
      for (const LabelPair label : series.labels) {
        want[Pair(out_.symbols[label.name], out_.symbols[label.value])]
            .push_back(id);
      }
    }
    for (const List& list : lists_) {
      const auto it = want.find(list.pair);
      bool same = it != want.end() && it->second.size() == list.size();
      for (uint32_t i = 0; same && i < list.size(); ++i) {
        same = list.id(i) == it->second[i];
      }
      if (!same) {
        Damage(list.offset, StrCat("postings list of ", list.pair.first, "=",
                                   list.pair.second,
                                   " has not the series that have the label"));
      }
    }
    if (lists_.size() != want.size()) {
      Damage(toc_.postings_table, StrCat("postings table has ", lists_.size(),
                                         " lists, not ", want.size()));
    }
  }

  // All lists together say every label of every series: of those whose entry
  // is damaged, and of all if the symbols are.
  void LabelsFromLists() {
    absl::flat_hash_set<SeriesId> known;
    if (numbers_hold_) {
      for (const ScannedSeries& one : out_.series) known.insert(out_.IdOf(one));
    }
    absl::flat_hash_map<SeriesId, std::vector<LabelPair>> labels;
    const auto number = [this](std::string_view text) {
      const auto& all = out_.symbols;
      return static_cast<uint32_t>(
          std::lower_bound(all.begin(), all.end(), text) - all.begin());
    };
    for (const List& list : lists_) {
      if (list.pair == Pair()) continue;
      const LabelPair pair = {number(list.pair.first),
                              number(list.pair.second)};
      for (uint32_t i = 0; i < list.size(); ++i) {
        if (known.contains(list.id(i))) continue;
        labels[list.id(i)].push_back(pair);
      }
    }
    if (labels.empty()) return;
    for (ScannedSeries& one : out_.series) {
      const auto it = labels.find(out_.IdOf(one));
      if (it == labels.end()) continue;
      one.labels = std::move(it->second);
      labels.erase(it);
    }
    for (auto& [id, pairs] : labels) {
      ScannedSeries one;
      one.offset = out_.version == kIndexV1 ? id : uint64_t{id} * kSeriesAlign;
      one.labels = std::move(pairs);
      one.chunks_lost = true;
      if (one.offset < toc_.series || one.offset >= toc_.label_indices) {
        continue;
      }
      out_.series.push_back(std::move(one));
    }
  }

  // What is left ascends, by offset as by labels.
  void Order() {
    std::vector<ScannedSeries>& all = out_.series;
    std::erase_if(all, [](const auto& one) { return one.labels.empty(); });
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.offset < b.offset; });
    for (size_t i = 1; i < all.size(); ++i) {
      if (ScannedIndex::Before(all[i - 1], all[i])) continue;
      Damage(all[i].offset,
             "series entry: labels are not greater than those before");
    }
  }

  const std::string_view bytes_;
  IndexToc toc_;
  bool table_whole_ = false;
  bool lists_whole_ = false;  // all of them
  bool numbers_hold_ = true;  // the series' numbers mean out_.symbols
  uint64_t symbols_end_ = 0;
  std::vector<uint32_t> symbol_at_;  // their offsets in the file
  std::vector<List> lists_;          // by name and value
  ScannedIndex out_;
};

}  // namespace

ScannedIndex ScanIndex(std::string_view bytes) { return Scanner(bytes).Run(); }

// Symbols are ascending, so their numbers compare as their texts do.
bool ScannedIndex::Before(const ScannedSeries& a, const ScannedSeries& b) {
  return std::lexicographical_compare(
      a.labels.begin(), a.labels.end(), b.labels.begin(), b.labels.end(),
      [](LabelPair x, LabelPair y) {
        return std::pair(x.name, x.value) < std::pair(y.name, y.value);
      });
}

}  // namespace narthex::tsdb
