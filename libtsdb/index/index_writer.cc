#include "libtsdb/index/index_writer.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libtsdb/index/format.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kBufferSize = 1 << 20;
constexpr uint64_t kMaxSection = 0xffffffff;

class Writer final : public IndexWriter {
 public:
  Writer(std::string path, std::unique_ptr<WritableFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  absl::Status Begin() {
    ByteWriter out(buffer_);
    out.BE32(kIndexMagic);
    out.U8(kIndexV2);
    toc_.symbols = position();
    // Length and count; known when all symbols are.
    buffer_.append(8, '\0');
    return absl::OkStatus();
  }

  absl::Status AddSymbol(std::string_view text) override {
    if (stage_ != Stage::kSymbols) {
      return Internal("a symbol after the first series");
    }
    if (!texts_end_.empty() && text <= Text(symbols() - 1)) {
      return InvalidArgument(
          StrCat(path_, ": symbol \"", text, "\" is out of order"));
    }
    texts_.append(text);
    texts_end_.push_back(texts_.size());
    ByteWriter(buffer_).UvarintBytes(text);
    return FlushIfFull();
  }

  absl::Status AddSeries(LabelRow row,
                         std::span<const ChunkMeta> chunks) override {
    if (stage_ == Stage::kSymbols) NARTHEX_RETURN_IF_ERROR(FinishSymbols());
    if (stage_ != Stage::kSeries) return Internal("a series after the end");
    NARTHEX_RETURN_IF_ERROR(CheckRow(row));
    NARTHEX_RETURN_IF_ERROR(CheckChunks(chunks));
    Pad(kSeriesAlign);
    const uint64_t id = position() / kSeriesAlign;
    if (position() > kMaxIndexSize) {
      return ResourceExhausted(StrCat(path_, ": index exceeds 64 GiB"));
    }
    // Most pairs are those of the series before.
    const size_t before = series_pairs_.size() - last_row_.size();
    for (size_t i = 0; i < row.size(); ++i) {
      const uint32_t number = i < last_row_.size() && last_row_[i] == row[i]
                                  ? series_pairs_[before + i]
                                  : NumberOf(row[i]);
      ++pairs_[number].series;
      series_pairs_.push_back(number);
    }
    series_.push_back(
        {static_cast<SeriesId>(id), static_cast<uint32_t>(row.size())});

    // Two numbers a label, three a chunk.
    const size_t most =
        kMaxVarintLen64 * (2 + 2 * row.size() + 3 * chunks.size());
    if (body_.size() < most) body_.resize(most);
    char* p = StoreUvarint(body_.data(), row.size());
    for (LabelPair pair : row) {
      p = StoreUvarint(p, pair.name);
      p = StoreUvarint(p, pair.value);
    }
    p = StoreUvarint(p, chunks.size());
    int64_t last_t = 0;
    uint64_t last_ref = 0;
    for (size_t i = 0; i < chunks.size(); ++i) {
      const ChunkMeta& chunk = chunks[i];
      const uint64_t span = static_cast<uint64_t>(chunk.max_t.ms) -
                            static_cast<uint64_t>(chunk.min_t.ms);
      if (i == 0) {
        p = StoreVarint(p, chunk.min_t.ms);
        p = StoreUvarint(p, span);
        p = StoreUvarint(p, chunk.ref);
      } else {
        p = StoreUvarint(p, static_cast<uint64_t>(chunk.min_t.ms) -
                                static_cast<uint64_t>(last_t));
        p = StoreUvarint(p, span);
        p = StoreVarint(p, static_cast<int64_t>(chunk.ref - last_ref));
      }
      last_t = chunk.max_t.ms;
      last_ref = chunk.ref;
    }
    last_chunk_ref_ = chunks.empty() ? last_chunk_ref_ : last_ref;
    const std::string_view body(body_.data(),
                                static_cast<size_t>(p - body_.data()));
    ByteWriter out(buffer_);
    out.UvarintBytes(body);
    out.BE32(Crc32c(body));
    last_row_.assign(row.begin(), row.end());
    return FlushIfFull();
  }

  absl::Status Finish() override {
    if (stage_ == Stage::kSymbols) NARTHEX_RETURN_IF_ERROR(FinishSymbols());
    if (stage_ != Stage::kSeries) return Internal("finished twice");
    stage_ = Stage::kDone;
    toc_.label_indices = position();
    toc_.postings = position();
    NARTHEX_RETURN_IF_ERROR(WritePostings());
    toc_.label_indices_table = position();
    toc_.postings_table = position();
    NARTHEX_RETURN_IF_ERROR(WriteTable());
    body_.clear();
    ByteWriter body(body_);
    for (uint64_t at :
         {toc_.symbols, toc_.series, toc_.label_indices,
          toc_.label_indices_table, toc_.postings, toc_.postings_table}) {
      body.BE64(at);
    }
    body.BE32(Crc32c(body_));
    buffer_.append(body_);
    NARTHEX_RETURN_IF_ERROR(Flush());
    NARTHEX_RETURN_IF_ERROR(file_->Sync());
    return file_->Close();
  }

 private:
  enum class Stage : uint8_t { kSymbols, kSeries, kDone };
  struct Pair {
    uint64_t key = 0;  // name << 32 | value
    uint64_t series = 0;
  };
  struct Series {
    SeriesId id = 0;
    uint32_t labels = 0;
  };

  uint32_t NumberOf(LabelPair pair) {
    const uint64_t key = uint64_t{pair.name} << 32 | pair.value;
    const auto [it, added] =
        pair_numbers_.try_emplace(key, static_cast<uint32_t>(pairs_.size()));
    if (added) pairs_.push_back({key, 0});
    return it->second;
  }
  uint64_t position() const { return flushed_ + buffer_.size(); }
  uint32_t symbols() const { return static_cast<uint32_t>(texts_end_.size()); }
  std::string_view Text(uint32_t i) const {
    const size_t begin = i == 0 ? 0 : texts_end_[i - 1];
    return std::string_view(texts_).substr(begin, texts_end_[i] - begin);
  }

  void Pad(uint64_t to) { buffer_.append((to - position() % to) % to, '\0'); }
  absl::Status FlushIfFull() {
    return buffer_.size() < kBufferSize ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    NARTHEX_RETURN_IF_ERROR(file_->Append(buffer_));
    flushed_ += buffer_.size();
    buffer_.clear();
    return absl::OkStatus();
  }

  absl::Status FinishSymbols() {
    const uint64_t body_at = toc_.symbols + 4;
    const uint64_t length = position() - body_at;
    if (length > kMaxSection) {
      return ResourceExhausted(StrCat(path_, ": symbol table exceeds 4 GiB"));
    }
    char count[4];
    StoreBE32(count, symbols());
    uint32_t crc = Crc32c({count, sizeof(count)});
    // The texts went through the buffer already; their bytes are made anew.
    std::string again;
    for (uint32_t i = 0; i < symbols(); ++i) {
      ByteWriter(again).UvarintBytes(Text(i));
      if (again.size() >= kBufferSize || i + 1 == symbols()) {
        crc = ExtendCrc32c(crc, again);
        again.clear();
      }
    }
    ByteWriter(buffer_).BE32(crc);
    NARTHEX_RETURN_IF_ERROR(Flush());
    char header[8];
    StoreBE32(header, static_cast<uint32_t>(length));
    StoreBE32(header + 4, symbols());
    NARTHEX_RETURN_IF_ERROR(
        file_->WriteAt(toc_.symbols, {header, sizeof(header)}));
    toc_.series = position();
    stage_ = Stage::kSeries;
    return absl::OkStatus();
  }

  absl::Status CheckRow(LabelRow row) const {
    uint32_t last_name = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i].name >= symbols() || row[i].value >= symbols()) {
        return InvalidArgument(
            StrCat(path_, ": a series has a label without symbol"));
      }
      // Numbers are in the order of the texts.
      if (i != 0 && row[i].name <= last_name) {
        return InvalidArgument(
            StrCat(path_, ": labels of a series are out of order"));
      }
      last_name = row[i].name;
    }
    const auto less = [](LabelPair a, LabelPair b) {
      return a.name != b.name ? a.name < b.name : a.value < b.value;
    };
    if (!std::lexicographical_compare(last_row_.begin(), last_row_.end(),
                                      row.begin(), row.end(), less)) {
      return InvalidArgument(StrCat(path_, ": series out of order"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckChunks(std::span<const ChunkMeta> chunks) const {
    uint64_t last_ref = last_chunk_ref_;
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (chunks[i].ref < last_ref) {
        return InvalidArgument(StrCat(path_, ": chunk references descend"));
      }
      last_ref = chunks[i].ref;
      if (chunks[i].max_t < chunks[i].min_t ||
          (i != 0 && chunks[i].min_t <= chunks[i - 1].max_t)) {
        return InvalidArgument(StrCat(
            path_, ": chunk times overlap or descend at ", chunks[i].min_t.ms));
      }
    }
    return absl::OkStatus();
  }

  // The lists of all pairs in the order of (name, value), that of all series
  // first; notes where each one begins in lists_at_.
  absl::Status WritePostings() {
    order_.resize(pairs_.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) {
      return pairs_[a].key < pairs_[b].key;
    });
    // One counting sort of (pair, series): where each pair's ids begin.
    std::vector<uint64_t> next(pairs_.size());
    uint64_t sum = 0;
    for (uint32_t pair : order_) {
      next[pair] = sum;
      sum += pairs_[pair].series;
    }
    std::vector<SeriesId> ids(sum);
    size_t at = 0;
    for (const Series& series : series_) {
      for (uint32_t i = 0; i < series.labels; ++i) {
        ids[next[series_pairs_[at++]]++] = series.id;
      }
    }
    std::vector<SeriesId> all(series_.size());
    std::transform(series_.begin(), series_.end(), all.begin(),
                   [](const Series& series) { return series.id; });
    Pad(kPostingsAlign);
    lists_at_.reserve(pairs_.size() + 1);
    NARTHEX_RETURN_IF_ERROR(WriteList(all));
    size_t begin = 0;
    for (uint32_t pair : order_) {
      const size_t n = static_cast<size_t>(pairs_[pair].series);
      NARTHEX_RETURN_IF_ERROR(WriteList(std::span(ids).subspan(begin, n)));
      begin += n;
    }
    return absl::OkStatus();
  }

  absl::Status WriteList(std::span<const SeriesId> ids) {
    Pad(kPostingsAlign);
    lists_at_.push_back(position());
    const uint64_t length = 4 + 4 * uint64_t{ids.size()};
    if (length > kMaxSection) {
      return ResourceExhausted(
          StrCat(path_, ": a postings list exceeds 4 GiB"));
    }
    const size_t body = buffer_.size() + 4;
    buffer_.resize(buffer_.size() + 4 + length);
    char* p = buffer_.data() + body;
    StoreBE32(p - 4, static_cast<uint32_t>(length));
    StoreBE32(p, static_cast<uint32_t>(ids.size()));
    for (SeriesId id : ids) StoreBE32(p += 4, id);
    ByteWriter(buffer_).BE32(Crc32c(std::string_view(buffer_).substr(body)));
    return FlushIfFull();
  }

  absl::Status WriteTable() {
    const uint64_t start = position();
    buffer_.append(4, '\0');
    body_.clear();
    ByteWriter body(body_);
    body.BE32(static_cast<uint32_t>(lists_at_.size()));
    uint32_t crc = 0;
    uint64_t length = 0;
    const auto spill = [&]() -> absl::Status {
      crc = ExtendCrc32c(crc, body_);
      length += body_.size();
      buffer_.append(body_);
      body_.clear();
      return FlushIfFull();
    };
    for (size_t i = 0; i < lists_at_.size(); ++i) {
      std::string_view name, value;
      if (i != 0) {
        const uint64_t key = pairs_[order_[i - 1]].key;
        name = Text(static_cast<uint32_t>(key >> 32));
        value = Text(static_cast<uint32_t>(key));
      }
      body.Uvarint(2);
      body.UvarintBytes(name);
      body.UvarintBytes(value);
      body.Uvarint(lists_at_[i]);
      if (body_.size() >= 64 << 10) NARTHEX_RETURN_IF_ERROR(spill());
    }
    NARTHEX_RETURN_IF_ERROR(spill());
    if (length > kMaxSection) {
      return ResourceExhausted(
          StrCat(path_, ": postings offset table exceeds 4 GiB"));
    }
    ByteWriter(buffer_).BE32(crc);
    NARTHEX_RETURN_IF_ERROR(Flush());
    char header[4];
    StoreBE32(header, static_cast<uint32_t>(length));
    return file_->WriteAt(start, {header, sizeof(header)});
  }

  const std::string path_;
  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  uint64_t flushed_ = 0;
  std::string body_;
  Stage stage_ = Stage::kSymbols;
  IndexToc toc_;

  std::string texts_;
  std::vector<size_t> texts_end_;

  absl::flat_hash_map<uint64_t, uint32_t> pair_numbers_;
  std::vector<Pair> pairs_;
  std::vector<uint32_t> series_pairs_;  // numbers of pairs, series by series
  std::vector<Series> series_;
  std::vector<uint32_t> order_;     // pairs by (name, value)
  std::vector<uint64_t> lists_at_;  // all series, then by order_
  std::vector<LabelPair> last_row_;
  uint64_t last_chunk_ref_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<IndexWriter>> IndexWriter::Create(
    Env& env, std::string path) {
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                           env.OpenWritable(path, Env::WriteMode::kTruncate));
  auto writer = std::make_unique<Writer>(std::move(path), std::move(file));
  NARTHEX_RETURN_IF_ERROR(writer->Begin());
  return writer;
}

}  // namespace narthex::tsdb
