// protozero throws where bytes are no message; ReceiveWrite catches.

#include "libnarthex/remote/write_receiver.h"

#include <algorithm>
#include <memory>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/labels_builder.h"

namespace narthex {
namespace {

using protozero::pbf_reader;

using protozero::pbf_wire_type;

constexpr Duration kMaxAhead = Minutes(10);

// What protozero takes for granted and does not check: that a field has the
// type that it is read as.  By number, from 1; fields beyond are not known.
struct Message;
struct Field {
  pbf_wire_type type = pbf_wire_type::unknown;
  const Message* inner = nullptr;
  bool packed = false;  // perhaps
};
struct Message {
  std::string_view name;
  std::span<const Field> fields;
};

constexpr pbf_wire_type kBytes = pbf_wire_type::length_delimited;
constexpr Field kText = {kBytes};
constexpr Field kInt = {pbf_wire_type::varint};
constexpr Field kDouble = {pbf_wire_type::fixed64};
constexpr Field kInts = {pbf_wire_type::varint, nullptr, true};
constexpr Field kDoubles = {pbf_wire_type::fixed64, nullptr, true};
constexpr Field Inner(const Message& message) { return {kBytes, &message}; }

constexpr Field kLabelFields[] = {kText, kText};
constexpr Message kLabel = {"Label", kLabelFields};
constexpr Field kSampleFields[] = {kDouble, kInt};
constexpr Message kSample = {"Sample", kSampleFields};
constexpr Field kExemplarFields[] = {Inner(kLabel), kDouble, kInt};
constexpr Message kExemplar = {"Exemplar", kExemplarFields};
constexpr Field kSpanFields[] = {kInt, kInt};
constexpr Message kSpan = {"BucketSpan", kSpanFields};
constexpr Field kHistogramFields[] = {
    kInt,  kDouble,  kDouble,      kInt,  kDouble,  kInt, kDouble, Inner(kSpan),
    kInts, kDoubles, Inner(kSpan), kInts, kDoubles, kInt, kInt,    kDoubles};
constexpr Message kHistogram = {"Histogram", kHistogramFields};
constexpr Field kSeriesFields[] = {Inner(kLabel), Inner(kSample),
                                   Inner(kExemplar), Inner(kHistogram)};
constexpr Message kSeries = {"TimeSeries", kSeriesFields};
constexpr Field kRequestFields[] = {Inner(kSeries)};
constexpr Message kRequest = {"WriteRequest", kRequestFields};

absl::Status CheckTypes(pbf_reader in, const Message& message) {
  while (in.next()) {
    if (in.tag() > message.fields.size()) {
      in.skip();
      continue;
    }
    const Field& field = message.fields[in.tag() - 1];
    if (in.wire_type() != field.type &&
        !(field.packed && in.wire_type() == kBytes)) {
      return InvalidArgument(StrCat(
          "proto: wrong wireType = ", static_cast<uint32_t>(in.wire_type()),
          " for field ", in.tag(), " of ", message.name));
    }
    if (field.inner == nullptr) {
      in.skip();
      continue;
    }
    NARTHEX_RETURN_IF_ERROR(CheckTypes(in.get_message(), *field.inner));
  }
  return absl::OkStatus();
}

std::string_view Text(pbf_reader& in) {
  const protozero::data_view view = in.get_view();
  return {view.data(), view.size()};
}

Label ReadLabel(pbf_reader in) {
  Label label;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        label.name = Text(in);
        break;
      case 2:
        label.value = Text(in);
        break;
      default:
        in.skip();
    }
  }
  return label;
}

std::vector<Span> ReadSpan(pbf_reader in, std::vector<Span> spans) {
  Span span;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        span.offset = in.get_sint32();
        break;
      case 2:
        span.length = in.get_uint32();
        break;
      default:
        in.skip();
    }
  }
  spans.push_back(span);
  return spans;
}

// A repeated number may come packed or one by one.
void ReadDeltas(pbf_reader& in, std::vector<int64_t>& out) {
  if (in.wire_type() == protozero::pbf_wire_type::length_delimited) {
    for (const int64_t x : in.get_packed_sint64()) out.push_back(x);
  } else {
    out.push_back(in.get_sint64());
  }
}
void ReadCounts(pbf_reader& in, std::vector<double>& out) {
  if (in.wire_type() == protozero::pbf_wire_type::length_delimited) {
    for (const double x : in.get_packed_double()) out.push_back(x);
  } else {
    out.push_back(in.get_double());
  }
}

// Whichever of the two it is.
struct ReadHistogram {
  bool is_float = false;
  Timestamp t = 0;
  Histogram ints = {};
  FloatHistogram floats = {};

  explicit ReadHistogram(pbf_reader in) {
    std::vector<Span> positive, negative;
    double sum = 0, zero_threshold = 0;
    int32_t schema = 0;
    CounterResetHint hint = CounterResetHint::kUnknown;
    while (in.next()) {
      switch (in.tag()) {
        case 1:
          is_float = false;
          ints.count = in.get_uint64();
          break;
        case 2:
          is_float = true;
          floats.count = in.get_double();
          break;
        case 3:
          sum = in.get_double();
          break;
        case 4:
          schema = in.get_sint32();
          break;
        case 5:
          zero_threshold = in.get_double();
          break;
        case 6:
          ints.zero_count = in.get_uint64();
          break;
        case 7:
          floats.zero_count = in.get_double();
          break;
        case 8:
          negative = ReadSpan(in.get_message(), std::move(negative));
          break;
        case 9:
          ReadDeltas(in, ints.negative_deltas);
          break;
        case 10:
          ReadCounts(in, floats.negative_buckets);
          break;
        case 11:
          positive = ReadSpan(in.get_message(), std::move(positive));
          break;
        case 12:
          ReadDeltas(in, ints.positive_deltas);
          break;
        case 13:
          ReadCounts(in, floats.positive_buckets);
          break;
        case 14:
          hint = static_cast<CounterResetHint>(in.get_enum() & 3);
          break;
        case 15:
          t = Timestamp(in.get_int64());
          break;
        case 16:
          ReadCounts(in, ints.custom_values);
          break;
        default:
          in.skip();
      }
    }
    const auto fill = [&](auto& h) {
      h.sum = sum;
      h.schema = schema;
      h.zero_threshold = zero_threshold;
      h.hint = hint;
      h.positive_spans = positive;
      h.negative_spans = negative;
    };
    fill(ints);
    fill(floats);
    floats.custom_values = ints.custom_values;
  }
};

Exemplar ReadExemplar(pbf_reader in) {
  Exemplar exemplar;
  std::vector<Label> labels;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        labels.push_back(ReadLabel(in.get_message()));
        break;
      case 2:
        exemplar.value = in.get_double();
        break;
      case 3:
        exemplar.t = Timestamp(in.get_int64());
        exemplar.has_timestamp = exemplar.t != 0;
        break;
      default:
        in.skip();
    }
  }
  exemplar.labels = Labels::FromPairs(labels);
  return exemplar;
}

bool ValidLabels(std::vector<Label>& pairs) {
  bool named = false;
  std::sort(pairs.begin(), pairs.end(),
            [](const Label& a, const Label& b) { return a.name < b.name; });
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Label& label = pairs[i];
    if (label.name.empty() || !IsValidUtf8(label.name) ||
        !IsValidUtf8(label.value)) {
      return false;
    }
    if (i > 0 && pairs[i - 1].name == label.name) return false;
    named |= label.name == kMetricName && !label.value.empty();
  }
  return named;
}

absl::Status Refusal(Appended outcome) {
  switch (outcome) {
    case Appended::kStored:
      return absl::OkStatus();
    case Appended::kDuplicate:
      return InvalidArgument("duplicate sample for timestamp");
    case Appended::kOutOfOrder:
      return InvalidArgument("out of order sample");
    case Appended::kTooOld:
      return InvalidArgument("too old sample");
    case Appended::kOutOfBounds:
      return InvalidArgument("out of bounds");
    case Appended::kInvalid:
      return InvalidArgument("invalid histogram");
    case Appended::kUnknownRef:
      break;
  }
  return absl::InternalError("the series was forgotten meanwhile");
}

// One request on its way into the store: samples of all series become one
// batch, the rest goes in one by one.
class Receiver {
 public:
  Receiver(Appender& appender, Timestamp now, RemoteWriteStats& stats)
      : appender_(appender), latest_(now + kMaxAhead), stats_(stats) {}

  absl::Status Read(pbf_reader in) {
    NARTHEX_RETURN_IF_ERROR(CheckTypes(in, kRequest));
    while (in.next()) {
      if (in.tag() == 1) {
        NARTHEX_RETURN_IF_ERROR(ReadSeries(in.get_message()));
      } else {
        in.skip();  // 3 is metadata of metrics, which no series has
      }
    }
    FloatBatch batch;
    batch.refs = refs_;
    batch.values = values_;
    batch.times = times_;
    std::vector<Appended> outcomes(refs_.size());
    NARTHEX_RETURN_IF_ERROR(appender_.AppendFloats(batch, outcomes));
    for (const Appended outcome : outcomes) {
      NARTHEX_RETURN_IF_ERROR(Refusal(outcome));
    }
    stats_.samples += refs_.size();
    for (const auto& [ref, exemplar] : exemplars_) {
      // They are worth less than the samples: refused ones are dropped.
      if (appender_.AppendExemplar(ref, exemplar) == Appended::kStored) {
        ++stats_.exemplars;
      } else {
        ++stats_.refused_exemplars;
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadSeries(pbf_reader in) {
    labels_.clear();
    pbf_reader again = in;
    size_t n = 0;
    while (in.next()) {
      if (in.tag() == 1) {
        labels_.push_back(ReadLabel(in.get_message()));
      } else {
        n += in.tag() == 2 || in.tag() == 4;
        in.skip();
      }
    }
    if (!ValidLabels(labels_)) {
      stats_.invalid_labels += n;
      return absl::OkStatus();
    }
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRef ref,
                             appender_.Resolve(Labels::FromPairs(labels_)));
    while (again.next()) {
      switch (again.tag()) {
        case 2:
          NARTHEX_RETURN_IF_ERROR(AddSample(ref, again.get_message()));
          break;
        case 3:
          exemplars_.emplace_back(ref, ReadExemplar(again.get_message()));
          break;
        case 4:
          NARTHEX_RETURN_IF_ERROR(AddHistogram(ref, again.get_message()));
          break;
        default:
          again.skip();
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddSample(SeriesRef ref, pbf_reader in) {
    double v = 0;
    Timestamp t = 0;
    while (in.next()) {
      switch (in.tag()) {
        case 1:
          v = in.get_double();
          break;
        case 2:
          t = Timestamp(in.get_int64());
          break;
        default:
          in.skip();
      }
    }
    if (t > latest_) return Refusal(Appended::kOutOfBounds);
    refs_.push_back(ref);
    values_.push_back(v);
    times_.push_back(t);
    return absl::OkStatus();
  }

  absl::Status AddHistogram(SeriesRef ref, pbf_reader in) {
    const ReadHistogram read(in);
    if (read.t > latest_) return Refusal(Appended::kOutOfBounds);
    // The text says what is wrong with it.
    NARTHEX_RETURN_IF_ERROR(read.is_float ? read.floats.Validate()
                                          : read.ints.Validate());
    const Appended outcome =
        read.is_float ? appender_.AppendHistogram(ref, read.t, 0, read.floats)
                      : appender_.AppendHistogram(ref, read.t, 0, read.ints);
    NARTHEX_RETURN_IF_ERROR(Refusal(outcome));
    ++stats_.histograms;
    return absl::OkStatus();
  }

  Appender& appender_;
  const Timestamp latest_;
  RemoteWriteStats& stats_;
  std::vector<Label> labels_;
  std::vector<SeriesRef> refs_;
  std::vector<double> values_;
  std::vector<Timestamp> times_;
  std::vector<std::pair<SeriesRef, Exemplar>> exemplars_;
};

}  // namespace

absl::Status ReceiveWrite(std::string_view request, Timestamp now,
                          Appendable& to, RemoteWriteStats& stats) {
  const std::unique_ptr<Appender> appender = to.NewAppender();
  absl::Status status = absl::OkStatus();
  try {
    Receiver receiver(*appender, now, stats);
    status = receiver.Read(pbf_reader(request.data(), request.size()));
  } catch (const protozero::exception& e) {
    status = InvalidArgument(
        StrCat("the request is no WriteRequest: ", std::string_view(e.what())));
  }
  if (!status.ok()) {
    appender->Rollback().IgnoreError();
    return status;
  }
  return appender->Commit();
}

}  // namespace narthex
