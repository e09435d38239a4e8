#include "libtsdb/head/late_samples.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/histogram_chunk.h"
#include "libtsdb/chunk/xor2_chunk.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

using VisitChunk = absl::FunctionRef<absl::Status(ChunkEncoding, size_t, size_t,
                                                  std::string_view)>;

const Histogram& HistogramOf(const LateSample& sample, const Histogram*) {
  return *sample.ints;
}
const FloatHistogram& HistogramOf(const LateSample& sample,
                                  const FloatHistogram*) {
  return *sample.floats;
}

template <typename H>
absl::Status EncodeHistograms(const std::vector<LateSample>& samples,
                              const LateEncoding& as, size_t begin, size_t end,
                              VisitChunk visit) {
  HistogramAppender<H> chunk(as.histogram_starts);
  std::string full;
  size_t first = begin;
  for (size_t i = begin; i < end; ++i) {
    const H& h = HistogramOf(samples[i], static_cast<const H*>(nullptr));
    full.clear();
    const HistogramStep step =
        chunk.Append(samples[i].t, h, full, samples[i].start);
    if (step == HistogramStep::kBegun && i != begin) {
      NARTHEX_RETURN_IF_ERROR(visit(chunk.encoding(), first, i, full));
      first = i;
    }
  }
  return visit(chunk.encoding(), first, end, chunk.bytes());
}

template <typename Appender, typename Put>
absl::Status EncodeFloats(ChunkEncoding encoding, size_t begin, size_t end,
                          Appender chunk, Put put, VisitChunk visit) {
  for (size_t i = begin; i < end; ++i) put(chunk, i);
  return visit(encoding, begin, end, chunk.bytes());
}

// A stale marker must not go through a float register.
double AsDouble(uint64_t bits) {
  double v;
  std::memcpy(&v, &bits, sizeof(v));
  return v;
}

}  // namespace

bool LateSamples::Insert(LateSample sample) {
  if (open.empty() || open.back().t < sample.t) {
    open.push_back(std::move(sample));
    return true;
  }
  const auto at =
      std::lower_bound(open.begin(), open.end(), sample.t,
                       [](const LateSample& s, int64_t t) { return s.t < t; });
  if (at->t == sample.t) return false;
  open.insert(at, std::move(sample));
  return true;
}

int64_t LateSamples::min_t() const {
  int64_t t = open.empty() ? kMaxMillis : open.front().t;
  for (const LateChunk& chunk : mapped) t = std::min(t, chunk.min_t);
  return t;
}

size_t LateSamples::memory_bytes() const {
  size_t n = sizeof(*this) + open.capacity() * sizeof(LateSample) +
             mapped.capacity() * sizeof(LateChunk);
  for (const LateChunk& chunk : mapped) {
    n += chunk.fresh.capacity() * sizeof(LateChunk::Fresh);
  }
  for (const LateSample& sample : open) {
    if (sample.ints != nullptr) n += sizeof(Histogram);
    if (sample.floats != nullptr) n += sizeof(FloatHistogram);
  }
  return n;
}

absl::Status EncodeLate(const std::vector<LateSample>& samples,
                        const LateEncoding& as, VisitChunk visit) {
  for (size_t begin = 0; begin < samples.size();) {
    const ChunkEncoding encoding = samples[begin].encoding(as);
    size_t end = begin;
    while (end < samples.size() && samples[end].encoding(as) == encoding) ++end;
    if (encoding == ChunkEncoding::kXor) {
      NARTHEX_RETURN_IF_ERROR(EncodeFloats(
          encoding, begin, end, XorAppender(),
          [&](XorAppender& chunk, size_t i) {
            chunk.Append(samples[i].t, AsDouble(samples[i].v));
          },
          visit));
    } else if (encoding == ChunkEncoding::kXor2) {
      NARTHEX_RETURN_IF_ERROR(EncodeFloats(
          encoding, begin, end, Xor2Appender(),
          [&](Xor2Appender& chunk, size_t i) {
            chunk.Append(samples[i].t, AsDouble(samples[i].v),
                         samples[i].start);
          },
          visit));
    } else if (samples[begin].ints != nullptr) {
      NARTHEX_RETURN_IF_ERROR(
          EncodeHistograms<Histogram>(samples, as, begin, end, visit));
    } else {
      NARTHEX_RETURN_IF_ERROR(
          EncodeHistograms<FloatHistogram>(samples, as, begin, end, visit));
    }
    begin = end;
  }
  return absl::OkStatus();
}

absl::Status ToColumns(const std::vector<LateSample>& samples,
                       const LateEncoding& as, TimeRange range,
                       SampleColumns& out) {
  return EncodeLate(
      samples, as,
      [&](ChunkEncoding encoding, size_t, size_t, std::string_view bytes) {
        return DecodeChunk(encoding, bytes, range, out);
      });
}

// --- The log.

void LateLog::Add(SeriesRef ref, int64_t t, uint64_t v, int64_t start) {
  refs_.push_back(ref);
  times_.push_back(t);
  values_.push_back(AsDouble(v));
  if (with_starts_) start_times_.push_back(start);
  series_.insert(static_cast<uint64_t>(ref));
}
void LateLog::Add(SeriesRef ref, int64_t t, const Histogram& h, int64_t start) {
  ints_.push_back({ref, t, start, h});
  series_.insert(static_cast<uint64_t>(ref));
}
void LateLog::Add(SeriesRef ref, int64_t t, const FloatHistogram& h,
                  int64_t start) {
  floats_.push_back({ref, t, start, h});
  series_.insert(static_cast<uint64_t>(ref));
}

void LateLog::Mark(SeriesRef ref, const std::vector<HeadChunkRef>& chunks,
                   Compression compression) {
  if (series_.contains(static_cast<uint64_t>(ref))) Flush(compression);
  for (const HeadChunkRef chunk : chunks) markers_.push_back({ref, chunk});
}

void LateLog::Flush(Compression compression) {
  const auto put = [&] {
    records_.Add(scratch_, compression);
    scratch_.clear();
  };
  scratch_.clear();
  if (!markers_.empty()) {
    wal::EncodeMmapMarkers(markers_, scratch_);
    put();
  }
  if (!refs_.empty()) {
    wal::EncodeSamples(refs_, values_, 0, times_, scratch_, start_times_);
    put();
  }
  const auto put_histograms = [&](const auto& rows) {
    if (rows.empty()) return;
    if (with_starts_) {
      wal::EncodeHistogramsV2(rows, scratch_);
      return put();
    }
    for (const wal::BucketKind kind :
         {wal::BucketKind::kExponential, wal::BucketKind::kCustom}) {
      if (wal::EncodeHistograms(rows, kind, scratch_)) put();
    }
  };
  put_histograms(ints_);
  put_histograms(floats_);
  markers_.clear();
  refs_.clear();
  times_.clear();
  values_.clear();
  start_times_.clear();
  ints_.clear();
  floats_.clear();
  series_.clear();
}

wal::RecordBatch LateLog::Take(Compression compression) {
  Flush(compression);
  wal::RecordBatch out = std::move(records_);
  records_ = wal::RecordBatch();
  return out;
}

}  // namespace narthex::tsdb
