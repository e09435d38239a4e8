#include "libtsdb/head/late_samples.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/histogram_chunk.h"
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
                              size_t begin, size_t end, VisitChunk visit) {
  HistogramAppender<H> chunk;
  std::string full;
  size_t first = begin;
  for (size_t i = begin; i < end; ++i) {
    const H& h = HistogramOf(samples[i], static_cast<const H*>(nullptr));
    full.clear();
    const HistogramStep step = chunk.Append(samples[i].t, h, full);
    if (step == HistogramStep::kBegun && i != begin) {
      NARTHEX_RETURN_IF_ERROR(visit(chunk.encoding(), first, i, full));
      first = i;
    }
  }
  return visit(chunk.encoding(), first, end, chunk.bytes());
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
                        VisitChunk visit) {
  for (size_t begin = 0; begin < samples.size();) {
    const ChunkEncoding encoding = samples[begin].encoding();
    size_t end = begin;
    while (end < samples.size() && samples[end].encoding() == encoding) ++end;
    if (encoding == ChunkEncoding::kXor) {
      XorAppender chunk;
      for (size_t i = begin; i < end; ++i) {
        chunk.Append(samples[i].t, AsDouble(samples[i].v));
      }
      NARTHEX_RETURN_IF_ERROR(visit(encoding, begin, end, chunk.bytes()));
    } else if (encoding == ChunkEncoding::kHistogram) {
      NARTHEX_RETURN_IF_ERROR(
          EncodeHistograms<Histogram>(samples, begin, end, visit));
    } else {
      NARTHEX_RETURN_IF_ERROR(
          EncodeHistograms<FloatHistogram>(samples, begin, end, visit));
    }
    begin = end;
  }
  return absl::OkStatus();
}

absl::Status ToColumns(const std::vector<LateSample>& samples, TimeRange range,
                       SampleColumns& out) {
  return EncodeLate(samples, [&](ChunkEncoding encoding, size_t, size_t,
                                 std::string_view bytes) {
    return DecodeChunk(encoding, bytes, range, out);
  });
}

// --- The log.

void LateLog::Add(SeriesRef ref, int64_t t, uint64_t v) {
  refs_.push_back(ref);
  times_.push_back(t);
  values_.push_back(AsDouble(v));
  series_.insert(static_cast<uint64_t>(ref));
}
void LateLog::Add(SeriesRef ref, int64_t t, const Histogram& h) {
  ints_.push_back({ref, t, 0, h});
  series_.insert(static_cast<uint64_t>(ref));
}
void LateLog::Add(SeriesRef ref, int64_t t, const FloatHistogram& h) {
  floats_.push_back({ref, t, 0, h});
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
    wal::EncodeSamples(refs_, values_, 0, times_, scratch_);
    put();
  }
  for (const wal::BucketKind kind :
       {wal::BucketKind::kExponential, wal::BucketKind::kCustom}) {
    if (wal::EncodeHistograms(ints_, kind, scratch_)) put();
  }
  for (const wal::BucketKind kind :
       {wal::BucketKind::kExponential, wal::BucketKind::kCustom}) {
    if (wal::EncodeHistograms(floats_, kind, scratch_)) put();
  }
  markers_.clear();
  refs_.clear();
  times_.clear();
  values_.clear();
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
