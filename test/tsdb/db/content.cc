#include "test/tsdb/db/content.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::test {
namespace {

std::string BitsText(double v) { return StrCat(absl::Hex(Bits(v))); }

void AddBuckets(const std::vector<Span>& spans,
                const std::vector<double>& counts, std::string& out) {
  int64_t index = 0;
  size_t i = 0;
  for (const Span& span : spans) {
    index += span.offset;
    for (uint32_t k = 0; k < span.length && i < counts.size(); ++k, ++i) {
      if (Bits(counts[i]) != 0) {
        StrAppend(&out, " ", index, ":", absl::Hex(Bits(counts[i])));
      }
      ++index;
    }
  }
}

}  // namespace

std::string SampleText(double v) { return BitsText(v); }

std::string SampleText(const FloatHistogram& h) {
  if (IsStale(h.sum)) return "stale histogram";
  std::string out =
      StrCat("schema ", h.schema, " zero ", BitsText(h.zero_threshold), " ",
             BitsText(h.zero_count), " count ", BitsText(h.count), " sum ",
             BitsText(h.sum), " +");
  AddBuckets(h.positive_spans, h.positive_buckets, out);
  StrAppend(&out, " -");
  AddBuckets(h.negative_spans, h.negative_buckets, out);
  for (const double bound : h.custom_values) {
    StrAppend(&out, " le ", BitsText(bound));
  }
  return out;
}

absl::Status ReadContent(Querier& querier, Content& out) {
  MemoryBudget budget;
  const CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<SeriesSet> set,
                           querier.Select({}, ctx));
  SampleColumns columns(budget);
  absl::Status all = absl::OkStatus();
  for (size_t i = 0; i < set->size(); ++i) {
    Samples& samples =
        out[ToLabels(querier.symbols(), set->labels(i)).ToString()];
    const absl::Status status = set->Read(i, TimeRange(), ctx, columns);
    if (!status.ok()) {
      all.Update(status);
      continue;
    }
    for (size_t k = 0; k < columns.size(); ++k) {
      samples[columns.t()[k].ms] = SampleText(columns.v()[k]);
    }
    for (size_t k = 0; k < columns.histograms().points.size(); ++k) {
      samples[columns.histograms().points[k].t.ms] =
          SampleText(ToFloatHistogram(columns.histograms(), k));
    }
  }
  std::erase_if(out, [](const auto& series) { return series.second.empty(); });
  return all;
}

absl::Status ReadContent(Queryable& store, Content& out) {
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<Querier> querier,
                           store.NewQuerier(TimeRange()));
  return ReadContent(*querier, out);
}

std::string Difference(const Content& expected, const Content& got) {
  for (const auto& [series, samples] : expected) {
    const auto it = got.find(series);
    if (it == got.end()) return StrCat("missing: ", series);
    for (const auto& [t, text] : samples) {
      const auto sample = it->second.find(t);
      if (sample == it->second.end()) {
        return StrCat("missing: ", series, " at ", t);
      }
      if (sample->second != text) {
        return StrCat(series, " at ", t, ": ", sample->second, ", not ", text);
      }
    }
    for (const auto& [t, text] : it->second) {
      if (!samples.contains(t)) return StrCat("surplus: ", series, " at ", t);
    }
  }
  for (const auto& [series, samples] : got) {
    if (!expected.contains(series)) return StrCat("surplus: ", series);
  }
  return "";
}

}  // namespace narthex::test
