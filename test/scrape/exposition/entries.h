// What a page says, one line an entry, for tests to compare.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/model/labels_builder.h"
#include "narthex/model/metadata.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

struct Parsed {
  std::vector<std::string> entries = {};
  std::string error = {};
};

// {__name__="up"} 1 @1000 | TYPE up gauge | HELP up text | ERROR...
// Histograms: {__name__="h"} {{schema:1 ...}}; exemplars behind ` # `, start
// times behind ` since `.
inline Parsed ParsePage(std::string_view page, PageFormat format,
                        const ParserOptions& options = {}) {
  using Entry = ExpositionParser::Entry;
  Parsed parsed;
  ExpositionParser parser(page, format, options);
  LabelsScratch scratch;
  for (;;) {
    const Entry kind = parser.Next();
    switch (kind) {
      case Entry::kEnd:
        parsed.error = std::string(Message(parser.status()));
        return parsed;
      case Entry::kSeries:
      case Entry::kHistogram: {
        parser.GetLabels(scratch);
        scratch.Sort();
        Labels labels;
        scratch.BuildInto(labels);
        std::string line = StrCat(labels.ToString(), " ");
        if (kind == Entry::kSeries) {
          line += FormatFloat(parser.value());
        } else if (const FloatHistogram* h = parser.float_histogram()) {
          StrAppend(&line, "float ", h->ToTestString());
        } else {
          line += parser.histogram()->ToFloat().ToTestString();
        }
        if (parser.timestamp()) StrAppend(&line, " @", parser.timestamp()->ms);
        Exemplar exemplar;
        while (parser.GetExemplar(exemplar)) {
          StrAppend(&line, " # ", exemplar.labels.ToString(), " ",
                    FormatFloat(exemplar.value));
          if (exemplar.has_timestamp) StrAppend(&line, " @", exemplar.t.ms);
        }
        if (const Timestamp start = parser.start_time(); start.ms != 0) {
          StrAppend(&line, " since ", start.ms);
        }
        parsed.entries.push_back(line);
        break;
      }
      case Entry::kType:
        parsed.entries.push_back(StrCat("TYPE ", parser.metric(), " ",
                                        MetricTypeName(parser.type())));
        break;
      case Entry::kHelp:
        parsed.entries.push_back(
            StrCat("HELP ", parser.metric(), " ", parser.text()));
        break;
      case Entry::kUnit:
        parsed.entries.push_back(
            StrCat("UNIT ", parser.metric(), " ", parser.text()));
        break;
      case Entry::kComment:
        parsed.entries.push_back(StrCat("COMMENT ", parser.text()));
        break;
    }
  }
}

}  // namespace narthex::scrape
