#include "narthex/remote/page_request.h"

#include <map>
#include <protozero/pbf_writer.hpp>
#include <utility>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/model/metadata.h"
#include "narthex/scrape/exposition.h"

namespace narthex::remote {
namespace {

using Writer = protozero::pbf_writer;
using scrape::ExpositionParser;

constexpr std::string_view kJob = "job";
constexpr std::string_view kExportedJob = "exported_job";

void AddText(Writer& out, protozero::pbf_tag_type tag, std::string_view text) {
  out.add_string(tag, text.data(), text.size());
}

struct Said {
  MetricType type = MetricType::kUnknown;
  std::string help = {};
};

class PageWriter {
 public:
  PageWriter(const Labels& extra, Timestamp now) : extra_(extra), now_(now) {}

  void AddSeries(ExpositionParser& parser) {
    parser.GetLabels(scratch_);
    LabelsBuilder labels(extra_);
    for (const Label& label : scratch_.pairs()) {
      if (label.name == kJob) {
        labels.Set(kExportedJob, label.value);
      } else if (label.name == "le" || label.name == "quantile") {
        // As a number is printed, not as OpenMetrics writes it.
        double bound = 0;
        labels.Set(label.name, ParseGoFloat(label.value, bound)
                                   ? FormatFloat(bound)
                                   : std::string(label.value));
      } else {
        labels.Set(label.name, label.value);
      }
    }
    Writer series(out_, 1);
    for (const Label& label : labels.Pairs()) {
      Writer pair(series, 1);
      AddText(pair, 1, label.name);
      AddText(pair, 2, label.value);
    }
    Writer sample(series, 2);
    sample.add_double(1, parser.value());
    sample.add_int64(2, parser.timestamp().value_or(now_).ms);
  }

  Said& At(std::string_view metric) { return said_[std::string(metric)]; }

  std::string Take() {
    for (const auto& [name, said] : said_) {
      Writer metadata(out_, 3);
      metadata.add_enum(1, static_cast<int>(said.type));
      AddText(metadata, 2, name);
      AddText(metadata, 4, said.help);
    }
    return std::move(bytes_);
  }

 private:
  const Labels& extra_;
  const Timestamp now_;
  std::string bytes_;
  Writer out_{bytes_};
  LabelsScratch scratch_;
  std::map<std::string, Said> said_;
};

}  // namespace

absl::StatusOr<std::string> MakePageRequest(std::string_view page,
                                            const Labels& extra,
                                            Timestamp now) {
  ExpositionParser parser(page, scrape::PageFormat::kText);
  PageWriter writer(extra, now);
  for (auto entry = parser.Next(); entry != ExpositionParser::Entry::kEnd;
       entry = parser.Next()) {
    switch (entry) {
      case ExpositionParser::Entry::kSeries:
        writer.AddSeries(parser);
        break;
      case ExpositionParser::Entry::kType:
        writer.At(parser.metric()).type = parser.type();
        break;
      case ExpositionParser::Entry::kHelp:
        writer.At(parser.metric()).help = std::string(parser.text());
        break;
      default:
        break;
    }
  }
  NARTHEX_RETURN_IF_ERROR(parser.status());
  return writer.Take();
}

}  // namespace narthex::remote
