// Prints every sample of a data directory, all bits of it, as a read-only open
// shows it: what the tests of taking turns compare with what was appended.
// Usage: print_samples DIR
//
//   S<TAB>name<TAB>value<TAB>...      a series, its labels
//   <t> f <bits>                      a float
//   <t> h <schema> <zero threshold> <zero count> <count> <sum>
//       [index:count,...] [...] [bound,...] [gauge]
//                                     a histogram: positive and negative
//                                     buckets that are not empty, own bounds

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/model/series.h"
#include "narthex/tsdb/db.h"

namespace {

using namespace narthex;

std::string Hex(double v) { return absl::StrFormat("%x", Bits(v)); }

std::string Side(const std::vector<Span>& spans,
                 const std::vector<double>& buckets) {
  std::string out;
  int32_t index = 0;
  size_t i = 0;
  for (const Span& span : spans) {
    index += span.offset;
    for (uint32_t k = 0; k < span.length; ++k, ++index, ++i) {
      if (Bits(buckets[i]) == 0) continue;
      StrAppend(&out, out.empty() ? "" : ",", index, ":", Hex(buckets[i]));
    }
  }
  return out;
}

std::string Text(const FloatHistogram& h) {
  std::string bounds;
  for (const double bound : h.custom_values) {
    StrAppend(&bounds, bounds.empty() ? "" : ",", Hex(bound));
  }
  return StrCat("h ", h.schema, " ", Hex(h.zero_threshold), " ",
                Hex(h.zero_count), " ", Hex(h.count), " ", Hex(h.sum), " [",
                Side(h.positive_spans, h.positive_buckets), "] [",
                Side(h.negative_spans, h.negative_buckets), "] [", bounds, "]",
                h.hint == CounterResetHint::kGauge ? " gauge" : "");
}

absl::Status PrintAll(const std::string& dir) {
  tsdb::Options options;
  options.read_only = true;
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<tsdb::Db> db,
                           tsdb::Db::Open(dir, options));
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<Querier> querier,
                           db->NewQuerier({kMinTime, kMaxTime}));
  MemoryBudget budget;
  const CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  SelectRequest request;
  request.range = {kMinTime, kMaxTime};
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<SeriesSet> set,
                           querier->Select(request, ctx));
  SampleColumns columns(budget);
  std::string out;
  for (size_t i = 0; i < set->size(); ++i) {
    out = "S";
    for (const Label& label : ToLabels(querier->symbols(), set->labels(i))) {
      StrAppend(&out, "\t", label.name, "\t", label.value);
    }
    out += "\n";
    NARTHEX_RETURN_IF_ERROR(set->Read(i, {kMinTime, kMaxTime}, ctx, columns));
    SampleIterator it(columns);
    for (SampleKind kind; (kind = it.Next()) != SampleKind::kNone;) {
      StrAppend(&out, it.t().ms, " ",
                kind == SampleKind::kFloat ? StrCat("f ", Hex(it.value()))
                                           : Text(it.histogram()),
                "\n");
    }
    std::cout << out;
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "print_samples DIR\n";
    return 2;
  }
  const absl::Status status = PrintAll(argv[1]);
  if (!status.ok()) std::cerr << Message(status) << "\n";
  return status.ok() ? 0 : 1;
}
