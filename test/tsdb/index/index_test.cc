#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "libtsdb/index/index_reader.h"
#include "libtsdb/index/index_scan.h"
#include "libtsdb/index/index_writer.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/env.h"
#include "test/support/hex.h"

namespace narthex::tsdb {
namespace {

std::string HexCrc(std::string_view bytes) {
  std::string be(4, '\0');
  StoreBE32(be.data(), Crc32c(bytes));
  return Hex(be);
}

using Texts = std::vector<std::string>;

Texts ToTexts(const std::vector<std::string_view>& views) {
  return Texts(views.begin(), views.end());
}

struct IndexLab {
  std::unique_ptr<Env> env = NewMemEnv();
  const std::string path = "index";

  // Two series, {a="b"} and {a="c", d="b"}, over the symbols "" a b c d.
  void WriteSmall() {
    auto writer = IndexWriter::Create(*env, path);
    REQUIRE(writer.ok());
    for (const char* text : {"", "a", "b", "c", "d"}) {
      REQUIRE((*writer)->AddSymbol(text).ok());
    }
    const LabelPair first[] = {{1, 2}};
    const ChunkMeta one[] = {{100, 200, 8}, {300, 350, 40}};
    REQUIRE((*writer)->AddSeries(first, one).ok());
    const LabelPair second[] = {{1, 3}, {4, 2}};
    const ChunkMeta two[] = {{-5, 5, 90}};
    REQUIRE((*writer)->AddSeries(second, two).ok());
    REQUIRE((*writer)->Finish().ok());
  }
  std::unique_ptr<IndexReader> Open() {
    auto reader = IndexReader::Open(*env, path);
    INFO(reader.status().ToString());
    REQUIRE(reader.ok());
    return *std::move(reader);
  }
  std::string Bytes() {
    auto bytes = env->ReadFile(path);
    REQUIRE(bytes.ok());
    return *bytes;
  }
  // Everything that a reader can be asked.
  absl::Status ReadAll(const IndexReader& reader) {
    if (auto status = reader.LoadSymbols(); !status.ok()) return status;
    auto names = reader.Names();
    if (!names.ok()) return names.status();
    for (std::string_view name : *names) {
      auto values = reader.Values(name);
      if (!values.ok()) return values.status();
      for (uint64_t at : (*values)->lists) {
        auto list = reader.List(at);
        if (!list.ok()) return list.status();
      }
    }
    auto all = reader.All();
    if (!all.ok()) return all.status();
    for (size_t i = 0; i < all->size(); ++i) {
      std::vector<LabelPair> labels;
      uint64_t chunks_at = 0;
      if (auto status = reader.ReadLabels((*all)[i], labels, chunks_at);
          !status.ok()) {
        return status;
      }
      auto walk = reader.Chunks((*all)[i], chunks_at);
      ChunkMeta chunk;
      while (walk.Next(chunk)) {
      }
      if (!walk.ok()) return reader.DamagedChunks((*all)[i]);
    }
    return absl::OkStatus();
  }
};

}  // namespace

TEST_CASE_METHOD(IndexLab, "an index has the bytes that Prometheus writes") {
  WriteSmall();
  const std::string bytes = Bytes();
  // Symbols: 4 bytes of count and 9 of texts.
  REQUIRE(Hex(bytes.substr(0, 5 + 4 + 13)) ==
          "baaad70002"
          "0000000d00000005"
          "00"
          "0161"
          "0162"
          "0163"
          "0164");
  REQUIRE(Hex(bytes.substr(22, 4)) == HexCrc(bytes.substr(9, 13)));
  // {a="b"} at 32: one label, chunks [100,200]@8 and [300,350]@40.
  REQUIRE(Hex(bytes.substr(26, 6)) == "000000000000");
  const std::string one =
      "01"
      "0102"
      "02"
      "c801"
      "64"
      "08"
      "64"
      "32"
      "40";
  REQUIRE(Hex(bytes.substr(32, 1 + 11)) == "0b" + one);
  REQUIRE(Hex(bytes.substr(44, 4)) == HexCrc(bytes.substr(33, 11)));
  // {a="c", d="b"} at 48.
  REQUIRE(Hex(bytes.substr(48, 1 + 9)) ==
          "09"
          "02"
          "0103"
          "0402"
          "01"
          "09"
          "0a"
          "5a");
  REQUIRE(Hex(bytes.substr(58, 4)) == HexCrc(bytes.substr(49, 9)));
  // Postings from 64 on: all, a=b, a=c, d=b.
  REQUIRE(Hex(bytes.substr(62, 2)) == "0000");
  REQUIRE(Hex(bytes.substr(64, 16)) ==
          "0000000c"
          "00000002"
          "00000002"
          "00000003");
  REQUIRE(Hex(bytes.substr(84, 12)) ==
          "00000008"
          "00000001"
          "00000002");
  REQUIRE(Hex(bytes.substr(100, 12)) ==
          "00000008"
          "00000001"
          "00000003");
  REQUIRE(Hex(bytes.substr(116, 12)) ==
          "00000008"
          "00000001"
          "00000003");
  // The table: where each list begins.
  REQUIRE(Hex(bytes.substr(132, 4 + 4 + 22)) ==
          "0000001a"
          "00000004"
          "02"
          "00"
          "00"
          "40"
          "02"
          "0161"
          "0162"
          "54"
          "02"
          "0161"
          "0163"
          "64"
          "02"
          "0164"
          "0162"
          "74");
  REQUIRE(Hex(bytes.substr(162, 4)) == HexCrc(bytes.substr(136, 26)));
  const auto offset = [](int at) {
    std::string be(8, '\0');
    StoreBE64(be.data(), static_cast<uint64_t>(at));
    return Hex(be);
  };
  // Label indices are not written: their places are those of what follows.
  REQUIRE(Hex(bytes.substr(166, 48)) == offset(5) + offset(26) + offset(62) +
                                            offset(132) + offset(62) +
                                            offset(132));
  REQUIRE(bytes.size() == 166 + 52);
}

TEST_CASE_METHOD(IndexLab, "an index gives back what was written") {
  WriteSmall();
  auto reader = Open();
  REQUIRE(reader->LoadSymbols().ok());
  REQUIRE(reader->symbol_bound() == 5);
  REQUIRE(reader->SymbolText(0) == "");
  REQUIRE(reader->SymbolText(4) == "d");
  REQUIRE(reader->SymbolText(5) == "");
  REQUIRE(reader->FindSymbol("c") == 3);
  REQUIRE(reader->FindSymbol("cc") == 0);
  REQUIRE(reader->FindSymbol("z") == 0);
  REQUIRE(ToTexts(*reader->Names()) == Texts{"a", "d"});
  REQUIRE(ToTexts((*reader->Values("a"))->texts) == Texts{"b", "c"});
  REQUIRE(*reader->Values("x") == nullptr);
  REQUIRE(reader->All()->ToVector() == std::vector<SeriesId>{2, 3});
  REQUIRE(reader->Find("d", "b")->ToVector() == std::vector<SeriesId>{3});
  REQUIRE(reader->Find("d", "x")->empty());

  std::vector<LabelPair> labels;
  uint64_t chunks_at = 0;
  REQUIRE(reader->ReadLabels(2, labels, chunks_at).ok());
  REQUIRE(labels == std::vector<LabelPair>{{1, 2}});
  auto walk = reader->Chunks(2, chunks_at);
  ChunkMeta chunk;
  REQUIRE(walk.Next(chunk));
  REQUIRE((chunk.min_t.ms == 100 && chunk.max_t.ms == 200 && chunk.ref == 8));
  REQUIRE(walk.Next(chunk));
  REQUIRE((chunk.min_t.ms == 300 && chunk.max_t.ms == 350 && chunk.ref == 40));
  REQUIRE_FALSE(walk.Next(chunk));
  REQUIRE(walk.ok());
}

TEST_CASE_METHOD(IndexLab, "a symbol table without the empty text is read") {
  auto writer = IndexWriter::Create(*env, path);
  REQUIRE(writer.ok());
  REQUIRE((*writer)->AddSymbol("a").ok());
  REQUIRE((*writer)->AddSymbol("b").ok());
  const LabelPair row[] = {{0, 1}};
  REQUIRE((*writer)->AddSeries(row, {}).ok());
  REQUIRE((*writer)->Finish().ok());
  auto reader = Open();
  REQUIRE(reader->LoadSymbols().ok());
  REQUIRE(reader->SymbolText(0) == "");
  REQUIRE(reader->SymbolText(1) == "a");
  REQUIRE(reader->FindSymbol("b") == 2);
  std::vector<LabelPair> labels;
  uint64_t chunks_at = 0;
  REQUIRE(reader->ReadLabels((*reader->All())[0], labels, chunks_at).ok());
  REQUIRE(labels == std::vector<LabelPair>{{1, 2}});
}

TEST_CASE_METHOD(IndexLab, "an index without series is one") {
  auto writer = IndexWriter::Create(*env, path);
  REQUIRE(writer.ok());
  REQUIRE((*writer)->Finish().ok());
  auto reader = Open();
  REQUIRE(ReadAll(*reader).ok());
  REQUIRE(reader->All()->empty());
}

TEST_CASE_METHOD(IndexLab, "an index writer refuses what is out of order") {
  auto writer = IndexWriter::Create(*env, path);
  REQUIRE(writer.ok());
  REQUIRE((*writer)->AddSymbol("a").ok());
  REQUIRE((*writer)->AddSymbol("b").ok());
  REQUIRE(absl::IsInvalidArgument((*writer)->AddSymbol("b")));
  REQUIRE((*writer)->AddSymbol("c").ok());
  const LabelPair row[] = {{0, 1}};
  const LabelPair unknown[] = {{0, 7}};
  REQUIRE(absl::IsInvalidArgument((*writer)->AddSeries(unknown, {})));
  const ChunkMeta overlapping[] = {{0, 10, 8}, {10, 20, 9}};
  REQUIRE(absl::IsInvalidArgument((*writer)->AddSeries(row, overlapping)));
  const ChunkMeta backwards[] = {{0, 10, 9}, {11, 20, 8}};
  REQUIRE(absl::IsInvalidArgument((*writer)->AddSeries(row, backwards)));
  REQUIRE((*writer)->AddSeries(row, {}).ok());
  REQUIRE(absl::IsInvalidArgument((*writer)->AddSeries(row, {})));
}

TEST_CASE_METHOD(IndexLab, "every flipped bit and every cut is noticed") {
  WriteSmall();
  const std::string bytes = Bytes();
  for (size_t n = 0; n < bytes.size(); ++n) {
    REQUIRE(env->WriteFileAtomically(path, bytes.substr(0, n)).ok());
    REQUIRE(absl::IsDataLoss(IndexReader::Open(*env, path).status()));
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    // Padding, which nothing covers, and the version byte.
    if ((i >= 26 && i < 32) || i == 62 || i == 63 || i == 4) continue;
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      REQUIRE(env->WriteFileAtomically(path, damaged).ok());
      auto reader = IndexReader::Open(*env, path);
      INFO("byte " << i << " bit " << bit);
      if (reader.ok()) {
        REQUIRE(absl::IsDataLoss(ReadAll(**reader)));
      } else {
        REQUIRE(absl::IsDataLoss(reader.status()));
      }
    }
  }
}

// The same index as version 1 has it: entries without padding, known by their
// offsets; symbols known by theirs; an offset table in any order.
std::string AsVersion1(std::string_view v2) {
  const size_t toc_at = v2.size() - kIndexTocSize;
  const auto section = [&](uint64_t at) {
    return v2.substr(at + 4, LoadBE32(v2.data() + at));
  };
  IndexToc toc;
  ByteReader t(v2.substr(toc_at));
  for (uint64_t* at :
       {&toc.symbols, &toc.series, &toc.label_indices, &toc.label_indices_table,
        &toc.postings, &toc.postings_table}) {
    *at = t.BE64();
  }
  std::string out(v2.substr(0, toc.series));
  out[4] = 1;
  std::vector<uint32_t> symbol_at;
  ByteReader symbols(section(toc.symbols));
  const uint32_t n = symbols.BE32();
  for (uint32_t i = 0; i < n; ++i) {
    symbol_at.push_back(
        static_cast<uint32_t>(toc.symbols + 4 + symbols.offset()));
    symbols.UvarintBytes();
  }
  const auto put_section = [&out](std::string_view body) {
    ByteWriter w(out);
    w.BE32(static_cast<uint32_t>(body.size()));
    w.Bytes(body);
    w.BE32(Crc32c(body));
  };
  std::map<uint32_t, uint32_t> ids;
  for (uint64_t at = toc.series; at < toc.label_indices;) {
    at = (at + kSeriesAlign - 1) / kSeriesAlign * kSeriesAlign;
    if (at >= toc.label_indices) break;
    ByteReader in(v2.substr(at));
    ByteReader body(in.UvarintBytes());
    in.BE32();
    std::string moved;
    ByteWriter w(moved);
    const uint64_t labels = body.Uvarint();
    w.Uvarint(labels);
    for (uint64_t i = 0; i < 2 * labels; ++i) {
      w.Uvarint(symbol_at[body.Uvarint32()]);
    }
    while (!body.empty()) w.U8(body.U8());
    ids[static_cast<uint32_t>(at / kSeriesAlign)] =
        static_cast<uint32_t>(out.size());
    ByteWriter entry(out);
    entry.UvarintBytes(moved);
    entry.BE32(Crc32c(moved));
    at += in.offset();
  }
  const uint64_t series_end = out.size();
  out.append((4 - out.size() % 4) % 4, '\0');
  std::vector<std::string> rows;
  ByteReader table(section(toc.postings_table));
  const uint32_t lists = table.BE32();
  for (uint32_t i = 0; i < lists; ++i) {
    table.Uvarint();
    const std::string_view name = table.UvarintBytes();
    const std::string_view value = table.UvarintBytes();
    ByteReader list(section(table.Uvarint()));
    std::string body;
    ByteWriter w(body);
    const uint32_t count = list.BE32();
    w.BE32(count);
    for (uint32_t k = 0; k < count; ++k) w.BE32(ids[list.BE32()]);
    std::string row;
    ByteWriter r(row);
    r.Uvarint(2);
    r.UvarintBytes(name);
    r.UvarintBytes(value);
    r.Uvarint(out.size());
    rows.insert(rows.begin(), row);  // the wrong way round
    put_section(body);
  }
  std::string body;
  ByteWriter(body).BE32(lists);
  for (const std::string& row : rows) body += row;
  const uint64_t table_at = out.size();
  put_section(body);
  std::string tail;
  ByteWriter w(tail);
  for (const uint64_t at :
       {toc.symbols, toc.series, series_end, table_at, series_end, table_at}) {
    w.BE64(at);
  }
  w.BE32(Crc32c(tail));
  return out + tail;
}

TEST_CASE_METHOD(IndexLab, "an index of version 1 is read like its successor") {
  WriteSmall();
  const std::string v2 = Bytes();
  const auto show = [](const IndexReader& reader) {
    REQUIRE(reader.LoadSymbols().ok());
    std::string out;
    const auto all = reader.All();
    REQUIRE(all.ok());
    for (size_t i = 0; i < all->size(); ++i) {
      std::vector<LabelPair> labels;
      uint64_t chunks_at = 0;
      REQUIRE(reader.ReadLabels((*all)[i], labels, chunks_at).ok());
      for (const LabelPair& label : labels) {
        out += reader.SymbolText(label.name);
        out += '=';
        out += reader.SymbolText(label.value);
        const auto list = reader.Find(reader.SymbolText(label.name),
                                      reader.SymbolText(label.value));
        REQUIRE(list.ok());
        const auto ids = list->ToVector();
        REQUIRE(std::count(ids.begin(), ids.end(), (*all)[i]) == 1);
        out += ' ';
      }
      IndexReader::ChunkWalk walk = reader.Chunks((*all)[i], chunks_at);
      for (ChunkMeta chunk; walk.Next(chunk);) {
        out += std::to_string(chunk.min_t.ms) + "-" +
               std::to_string(chunk.max_t.ms) + "@" +
               std::to_string(chunk.ref) + " ";
      }
      REQUIRE(walk.ok());
      out += '\n';
    }
    const auto names = reader.Names();
    REQUIRE(names.ok());
    for (const std::string_view name : *names) {
      out += name;
      const auto values = reader.Values(name);
      REQUIRE(values.ok());
      for (const std::string_view value : (*values)->texts) out += value;
      out += '\n';
    }
    return out;
  };
  const std::string want = show(*Open());
  const std::string v1 = AsVersion1(v2);
  auto file = env->OpenWritable(path, Env::WriteMode::kTruncate);
  REQUIRE(file.ok());
  REQUIRE((*file)->Append(v1).ok());
  REQUIRE((*file)->Close().ok());
  const auto reader = Open();
  REQUIRE(reader->version() == 1);
  REQUIRE(show(*reader) == want);

  // The distrustful reader agrees, and gets labels from the lists too.
  const ScannedIndex scanned = ScanIndex(v1);
  for (const auto& damage : scanned.damages) WARN(damage.what);
  REQUIRE(scanned.damages.empty());
  REQUIRE(scanned.series.size() == 2);
  std::string broken = v1;
  broken[scanned.series[1].offset + 3] ^= 1;
  const ScannedIndex rest = ScanIndex(broken);
  REQUIRE(rest.damages.size() == 1);
  REQUIRE(rest.series.size() == 2);
  REQUIRE(rest.series[1].chunks_lost);
  REQUIRE(rest.series[1].labels == scanned.series[1].labels);
}

}  // namespace narthex::tsdb
