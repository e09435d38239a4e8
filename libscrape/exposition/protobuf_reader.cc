// The messages of a page: from bytes to ProtobufParser's fields.  What
// protozero can't read it throws, and ProtobufParser::Next catches.

#include <protozero/pbf_reader.hpp>
#include <utility>

#include "libscrape/exposition/protobuf_parser.h"
#include "libscrape/exposition/scan.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/relabel.h"

namespace narthex::scrape {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

constexpr pbf_wire_type kBytes = pbf_wire_type::length_delimited;
constexpr pbf_wire_type kVarint = pbf_wire_type::varint;
constexpr pbf_wire_type kDouble = pbf_wire_type::fixed64;

std::string_view TakeBytes(pbf_reader& in) {
  const protozero::data_view view = in.get_view();
  return {view.data(), view.size()};
}

// Fields of a number that is not known are skipped; one that is known, with
// another wire type, makes the page useless.
template <typename Fail>
bool Skip(pbf_reader& in, uint32_t last_known, std::string_view message,
          Fail fail) {
  if (in.tag() <= last_known) {
    return fail(StrCat(
        "proto: wrong wireType = ", static_cast<uint32_t>(in.wire_type()),
        " for field ", in.tag(), " of ", message));
  }
  in.skip();
  return true;
}

// Seconds and nanoseconds as milliseconds; whatever wraps, wraps.
Timestamp ReadTime(std::string_view bytes) {
  pbf_reader in(bytes.data(), bytes.size());
  uint64_t seconds = 0;
  int32_t nanos = 0;
  while (in.next()) {
    switch (in.tag_and_type()) {
      case tag_and_type(1, kVarint):
        seconds = static_cast<uint64_t>(in.get_int64());
        break;
      case tag_and_type(2, kVarint):
        nanos = in.get_int32();
        break;
      default:
        in.skip();
    }
  }
  constexpr int32_t kNanosOfMilli = 1'000'000;
  return Timestamp(static_cast<int64_t>(
      seconds * 1000 + static_cast<uint64_t>(int64_t{nanos / kNanosOfMilli})));
}

}  // namespace

void ProtobufParser::Metric::Clear() {
  timestamp = 0;
  start = 0;
  value = 0;
  exemplar = {};
  count = 0;
  count_float = 0;
  sum = 0;
  quantiles.clear();
  buckets.clear();
  schema = 0;
  zero_threshold = 0;
  zero_count = 0;
  zero_count_float = 0;
  positive_spans.clear();
  negative_spans.clear();
  positive_deltas.clear();
  negative_deltas.clear();
  positive_counts.clear();
  negative_counts.clear();
  exemplars.clear();
}

bool ProtobufParser::ReadFamily(std::string_view bytes) {
  name_ = help_ = unit_ = {};
  type_number_ = 0;
  metrics_.clear();
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    switch (in.tag_and_type()) {
      case tag_and_type(1, kBytes):
        name_ = TakeBytes(in);
        break;
      case tag_and_type(2, kBytes):
        help_ = TakeBytes(in);
        break;
      case tag_and_type(3, kVarint):
        type_number_ = in.get_int32();
        break;
      case tag_and_type(4, kBytes):
        metrics_.push_back(TakeBytes(in));
        break;
      case tag_and_type(5, kBytes):
        unit_ = TakeBytes(in);
        break;
      default:
        if (!Skip(in, 5, "MetricFamily",
                  [&](std::string_view what) { return Refuse(what); })) {
          return false;
        }
    }
  }
  return true;
}

bool ProtobufParser::ReadMetric(std::string_view bytes) {
  metric_.Clear();
  key_.Clear();
  uint32_t field = 0;
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    bool ok = true;
    switch (in.tag_and_type()) {
      case tag_and_type(1, kBytes):
        ok = ReadLabel(TakeBytes(in));
        break;
      case tag_and_type(2, kBytes):
      case tag_and_type(3, kBytes):
      case tag_and_type(4, kBytes):
      case tag_and_type(5, kBytes):
      case tag_and_type(7, kBytes):
        field = in.tag();  // taking the bytes forgets it
        ok = ReadBody(field, TakeBytes(in));
        break;
      case tag_and_type(6, kVarint):
        metric_.timestamp = in.get_int64();
        break;
      default:
        ok = Skip(in, 7, "Metric",
                  [&](std::string_view what) { return Refuse(what); });
    }
    if (!ok) return false;
  }
  key_.Mark();
  return true;
}

bool ProtobufParser::ReadBody(uint32_t field, std::string_view bytes) {
  const auto read = [&] {
    switch (field) {
      case 3:
        return ReadCounter(bytes);
      case 4:
        return ReadSummary(bytes);
      case 7:
        return ReadHistogram(bytes);
      default:
        return ReadNumber(bytes);
    }
  };
  // By MetricType: counter, gauge, summary, untyped and the two histograms.
  constexpr uint32_t kFields[] = {3, 2, 4, 5, 7, 7};
  const auto type = static_cast<uint32_t>(type_number_);
  if (type < std::size(kFields) && kFields[type] == field) return read();
  // Another type's: must be sound, and says nothing.
  const Metric own = metric_;
  const bool ok = read();
  metric_ = own;
  return ok;
}

bool ProtobufParser::ReadLabel(std::string_view bytes) {
  std::string_view name;
  std::string_view value;
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    switch (in.tag_and_type()) {
      case tag_and_type(1, kBytes):
        name = TakeBytes(in);
        if (!IsValidLabelName(name, NameValidation::kUtf8)) {
          return Refuse(StrCat("invalid label name: ", name));
        }
        break;
      case tag_and_type(2, kBytes):
        value = TakeBytes(in);
        if (!IsAscii(value) && !IsValidUtf8(value)) {
          return Refuse(StrCat("invalid label value: ", value));
        }
        break;
      default:
        if (!Skip(in, 2, "LabelPair",
                  [&](std::string_view what) { return Refuse(what); })) {
          return false;
        }
    }
  }
  key_.AddLabel(name, value);
  return true;
}

bool ProtobufParser::ReadNumber(std::string_view bytes) {
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    if (in.tag_and_type() == tag_and_type(1, kDouble)) {
      metric_.value = in.get_double();
    } else if (!Skip(in, 1, "Gauge",
                     [&](std::string_view what) { return Refuse(what); })) {
      return false;
    }
  }
  return true;
}

bool ProtobufParser::ReadCounter(std::string_view bytes) {
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    switch (in.tag_and_type()) {
      case tag_and_type(1, kDouble):
        metric_.value = in.get_double();
        break;
      case tag_and_type(2, kBytes):
        metric_.exemplar = TakeBytes(in);
        break;
      case tag_and_type(3, kBytes):
        metric_.start = ReadTime(TakeBytes(in));
        break;
      default:
        if (!Skip(in, 3, "Counter",
                  [&](std::string_view what) { return Refuse(what); })) {
          return false;
        }
    }
  }
  return true;
}

bool ProtobufParser::ReadSummary(std::string_view bytes) {
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    switch (in.tag_and_type()) {
      case tag_and_type(1, kVarint):
        metric_.count = in.get_uint64();
        break;
      case tag_and_type(2, kDouble):
        metric_.sum = in.get_double();
        break;
      case tag_and_type(3, kBytes): {
        Quantile quantile;
        pbf_reader part(in.get_view());
        while (part.next()) {
          if (part.tag_and_type() == tag_and_type(1, kDouble)) {
            quantile.quantile = part.get_double();
          } else if (part.tag_and_type() == tag_and_type(2, kDouble)) {
            quantile.value = part.get_double();
          } else if (!Skip(part, 2, "Quantile", [&](std::string_view what) {
                       return Refuse(what);
                     })) {
            return false;
          }
        }
        metric_.quantiles.push_back(quantile);
        break;
      }
      case tag_and_type(4, kBytes):
        metric_.start = ReadTime(TakeBytes(in));
        break;
      default:
        if (!Skip(in, 4, "Summary",
                  [&](std::string_view what) { return Refuse(what); })) {
          return false;
        }
    }
  }
  return true;
}

bool ProtobufParser::ReadHistogram(std::string_view bytes) {
  Metric& m = metric_;
  const auto deltas = [](pbf_reader& in, std::vector<int64_t>& out) {
    if (in.wire_type() == kVarint) {
      out.push_back(in.get_sint64());
      return;
    }
    for (const int64_t delta : in.get_packed_sint64()) out.push_back(delta);
  };
  const auto counts = [](pbf_reader& in, std::vector<double>& out) {
    if (in.wire_type() == kDouble) {
      out.push_back(in.get_double());
      return;
    }
    for (const double count : in.get_packed_double()) out.push_back(count);
  };
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    bool ok = true;
    switch (in.tag_and_type()) {
      case tag_and_type(1, kVarint):
        m.count = in.get_uint64();
        break;
      case tag_and_type(2, kDouble):
        m.sum = in.get_double();
        break;
      case tag_and_type(3, kBytes):
        ok = ReadBucket(TakeBytes(in));
        break;
      case tag_and_type(4, kDouble):
        m.count_float = in.get_double();
        break;
      case tag_and_type(5, kVarint):
        m.schema = in.get_sint32();
        break;
      case tag_and_type(6, kDouble):
        m.zero_threshold = in.get_double();
        break;
      case tag_and_type(7, kVarint):
        m.zero_count = in.get_uint64();
        break;
      case tag_and_type(8, kDouble):
        m.zero_count_float = in.get_double();
        break;
      case tag_and_type(9, kBytes):
        ok = ReadSpan(TakeBytes(in), m.negative_spans);
        break;
      case tag_and_type(10, kVarint):
      case tag_and_type(10, kBytes):
        deltas(in, m.negative_deltas);
        break;
      case tag_and_type(11, kDouble):
      case tag_and_type(11, kBytes):
        counts(in, m.negative_counts);
        break;
      case tag_and_type(12, kBytes):
        ok = ReadSpan(TakeBytes(in), m.positive_spans);
        break;
      case tag_and_type(13, kVarint):
      case tag_and_type(13, kBytes):
        deltas(in, m.positive_deltas);
        break;
      case tag_and_type(14, kDouble):
      case tag_and_type(14, kBytes):
        counts(in, m.positive_counts);
        break;
      case tag_and_type(15, kBytes):
        m.start = ReadTime(TakeBytes(in));
        break;
      case tag_and_type(16, kBytes):
        m.exemplars.push_back(TakeBytes(in));
        break;
      default:
        ok = Skip(in, 16, "Histogram",
                  [&](std::string_view what) { return Refuse(what); });
    }
    if (!ok) return false;
  }
  return true;
}

bool ProtobufParser::ReadBucket(std::string_view bytes) {
  Bucket bucket;
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    switch (in.tag_and_type()) {
      case tag_and_type(1, kVarint):
        bucket.count = in.get_uint64();
        break;
      case tag_and_type(2, kDouble):
        bucket.bound = in.get_double();
        break;
      case tag_and_type(3, kBytes):
        bucket.exemplar = TakeBytes(in);
        break;
      case tag_and_type(4, kDouble):
        bucket.count_float = in.get_double();
        break;
      default:
        if (!Skip(in, 4, "Bucket",
                  [&](std::string_view what) { return Refuse(what); })) {
          return false;
        }
    }
  }
  metric_.buckets.push_back(bucket);
  return true;
}

bool ProtobufParser::ReadSpan(std::string_view bytes, std::vector<Span>& out) {
  Span span;
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    if (in.tag_and_type() == tag_and_type(1, kVarint)) {
      span.offset = in.get_sint32();
    } else if (in.tag_and_type() == tag_and_type(2, kVarint)) {
      span.length = in.get_uint32();
    } else if (!Skip(in, 2, "BucketSpan",
                     [&](std::string_view what) { return Refuse(what); })) {
      return false;
    }
  }
  out.push_back(span);
  return true;
}

// Damage here is the exemplar's alone: the sample stands.
bool ProtobufParser::ReadExemplar(std::string_view bytes, Exemplar& out) const
    try {
  std::vector<Label> labels;
  out = Exemplar();
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    switch (in.tag_and_type()) {
      case tag_and_type(1, kBytes): {
        Label label;
        pbf_reader pair(in.get_view());
        while (pair.next()) {
          if (pair.tag_and_type() == tag_and_type(1, kBytes)) {
            label.name = TakeBytes(pair);
          } else if (pair.tag_and_type() == tag_and_type(2, kBytes)) {
            label.value = TakeBytes(pair);
          } else {
            pair.skip();
          }
        }
        labels.push_back(label);
        break;
      }
      case tag_and_type(2, kDouble):
        out.value = in.get_double();
        break;
      case tag_and_type(3, kBytes):
        out.t = ReadTime(TakeBytes(in));
        out.has_timestamp = true;
        break;
      default:
        in.skip();
    }
  }
  out.labels = Labels::FromPairs(labels);
  return true;
} catch (const protozero::exception&) {
  return false;
}

}  // namespace narthex::scrape
