#include "libtsdb/chunk/chunk_builder.h"

#include <utility>

#include "libtsdb/chunk/histogram_chunk.h"
#include "libtsdb/chunk/xor2_chunk.h"

namespace narthex::tsdb {

struct ChunkBuilder::Rare {
  Xor2Appender xor2;
  HistogramAppender<Histogram> integer{false};
  HistogramAppender<Histogram> started_integer{true};
  HistogramAppender<FloatHistogram> floating{false};
  HistogramAppender<FloatHistogram> started_floating{true};
  std::string full;

  template <typename H>
  HistogramAppender<H>& Appender(bool started) {
    if constexpr (std::is_same_v<H, Histogram>) {
      return started ? started_integer : integer;
    } else {
      return started ? started_floating : floating;
    }
  }
  std::string_view bytes(ChunkEncoding encoding) const {
    switch (encoding) {
      case ChunkEncoding::kXor2:
        return xor2.bytes();
      case ChunkEncoding::kHistogram:
        return integer.bytes();
      case ChunkEncoding::kHistogramST:
        return started_integer.bytes();
      case ChunkEncoding::kFloatHistogram:
        return floating.bytes();
      case ChunkEncoding::kFloatHistogramST:
        return started_floating.bytes();
      default:
        return {};
    }
  }
  // Ends the open chunk; `follow`: the next one will know that it follows it.
  void End(ChunkEncoding encoding, bool follow) {
    const auto end = [&](auto& appender) {
      if (follow) {
        appender.Cut(full);
      } else {
        appender.Clear();
      }
    };
    if (encoding == ChunkEncoding::kXor2) xor2.Clear();
    if (encoding == ChunkEncoding::kHistogram) end(integer);
    if (encoding == ChunkEncoding::kHistogramST) end(started_integer);
    if (encoding == ChunkEncoding::kFloatHistogram) end(floating);
    if (encoding == ChunkEncoding::kFloatHistogramST) end(started_floating);
  }
};

ChunkBuilder::ChunkBuilder(uint32_t limit, int64_t range)
    : limit_(limit), range_(range) {}
ChunkBuilder::~ChunkBuilder() = default;
ChunkBuilder::ChunkBuilder(ChunkBuilder&&) noexcept = default;

void ChunkBuilder::Seal(BuiltChunks& out) {
  if (samples_ == 0) return;
  out.made.emplace_back(open_ == ChunkEncoding::kXor ? xor_.bytes()
                                                     : rare_->bytes(open_));
  out.chunks.push_back({open_, ends_.at.start, ends_.at.last, out.made.back()});
  samples_ = 0;
}

void ChunkBuilder::Finish(BuiltChunks& out) {
  Seal(out);
  if (rare_ != nullptr) rare_->End(open_, false);
  xor_.Clear();
  open_ = ChunkEncoding::kNone;
  ends_ = {};
}

void ChunkBuilder::Prepare(ChunkEncoding encoding, int64_t t,
                           BuiltChunks& out) {
  if (encoding != ChunkEncoding::kXor && rare_ == nullptr) {
    rare_ = std::make_unique<Rare>();
  }
  if (encoding != open_) {
    Seal(out);
    if (rare_ != nullptr) {
      rare_->End(open_, false);
      rare_->End(encoding, false);
    }
    if (encoding == ChunkEncoding::kXor) xor_.Clear();
    open_ = encoding;
    ends_.predicted = false;
  } else if (samples_ != 0) {
    bool cut = samples_ >= limit_;
    if (limit_ == 0) {
      const auto bytes = static_cast<uint32_t>((encoding == ChunkEncoding::kXor
                                                    ? xor_.bytes()
                                                    : rare_->bytes(encoding))
                                                   .size());
      cut = IsHistogramEncoding(encoding)
                ? CutsHistogramChunk(ends_, samples_, bytes, t, range_)
                : CutsFloatChunk(ends_.at, samples_, bytes, t);
    }
    if (cut) {
      Seal(out);
      ends_.predicted = false;
      if (encoding == ChunkEncoding::kXor) {
        xor_.Clear();
      } else {
        rare_->End(encoding, /*follow=*/limit_ == 0);
      }
    }
  }
  if (samples_ == 0) {
    ends_.at.start = t;
    ends_.at.next_at = range_ == 0 ? 0 : ChunkRangeEnd(t, range_);
  }
}

void ChunkBuilder::Note(int64_t t) {
  ends_.at.last = t;
  ++samples_;
}

void ChunkBuilder::Add(Timestamp t, double v, Timestamp start,
                       BuiltChunks& out) {
  // Without a start an open chunk of floats goes on, whichever it is.
  const bool open = samples_ != 0 && (open_ == ChunkEncoding::kXor ||
                                      open_ == ChunkEncoding::kXor2);
  const bool xor2 =
      start.ms != 0 || (open ? open_ == ChunkEncoding::kXor2 : prefer_xor2_);
  Prepare(xor2 ? ChunkEncoding::kXor2 : ChunkEncoding::kXor, t.ms, out);
  if (xor2) {
    rare_->xor2.Append(t, v, start);
  } else {
    xor_.Append(t, v);
  }
  Note(t.ms);
}

template <typename H>
void ChunkBuilder::AddHistogram(Timestamp t, const H& h, Timestamp start,
                                BuiltChunks& out) {
  const bool started = start.ms != 0;
  constexpr bool kInteger = std::is_same_v<H, Histogram>;
  Prepare(started ? (kInteger ? ChunkEncoding::kHistogramST
                              : ChunkEncoding::kFloatHistogramST)
                  : (kInteger ? ChunkEncoding::kHistogram
                              : ChunkEncoding::kFloatHistogram),
          t.ms, out);
  HistogramAppender<H>& appender = rare_->Appender<H>(started);
  const bool begins = samples_ == 0;
  if (appender.Append(t, h, rare_->full, start) == HistogramStep::kBegun &&
      !begins) {
    out.made.push_back(rare_->full);
    out.chunks.push_back(
        {open_, ends_.at.start, ends_.at.last, out.made.back()});
    samples_ = 0;
    ends_.at.start = t.ms;
    ends_.at.next_at = range_ == 0 ? 0 : ChunkRangeEnd(t.ms, range_);
  }
  Note(t.ms);
}

void ChunkBuilder::Add(Timestamp t, const Histogram& h, Timestamp start,
                       BuiltChunks& out) {
  AddHistogram(t, h, start, out);
}
void ChunkBuilder::Add(Timestamp t, const FloatHistogram& h, Timestamp start,
                       BuiltChunks& out) {
  AddHistogram(t, h, start, out);
}

}  // namespace narthex::tsdb
