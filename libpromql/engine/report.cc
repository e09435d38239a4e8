#include "libpromql/engine/report.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

void Append(const PlanNode& node, int depth, const std::vector<NodeWork>* work,
            PlanReport& out) {
  const size_t at = out.nodes.size();
  PlanStep& step = out.nodes.emplace_back();
  step.text = Describe(node);
  step.depth = depth;
  step.pos = node.pos;
  step.steps = node.grid.steps;
  if (work != nullptr) {
    const NodeWork& done = (*work)[node.index];
    step.series = done.series;
    step.values = done.values;
    step.samples = done.samples;
    step.seconds = static_cast<double>(done.nanos) / 1e9;
    step.bytes = static_cast<size_t>(done.bytes);
  }
  double below = 0;
  for (const PlanPtr& input : node.inputs) {
    const size_t child = out.nodes.size();
    Append(*input, depth + 1, work, out);
    below += out.nodes[child].seconds;
  }
  PlanStep& filled = out.nodes[at];
  filled.own_seconds = std::max(0.0, filled.seconds - below);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += absl::StrFormat("\\u%04x", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string Milliseconds(double seconds) {
  return absl::StrFormat("%.3f ms", seconds * 1e3);
}

}  // namespace

PlanReport ReportOf(const Plan& plan) {
  PlanReport report;
  Append(*plan.root, 0, nullptr, report);
  for (const Selection& selection : plan.selections) {
    report.selections.push_back(Describe(selection));
  }
  return report;
}

PlanReport ReportOf(const Plan& plan, const std::vector<NodeWork>& work,
                    const QueryStats& stats) {
  PlanReport report;
  Append(*plan.root, 0, &work, report);
  for (const Selection& selection : plan.selections) {
    report.selections.push_back(Describe(selection));
  }
  report.analyzed = true;
  report.stats = stats;
  return report;
}

std::string PlanReport::ToText() const {
  std::string out;
  for (const PlanStep& node : nodes) {
    out.append(static_cast<size_t>(node.depth) * 2, ' ');
    StrAppend(&out, node.text, ", ", node.steps,
              node.steps == 1 ? " step" : " steps");
    if (analyzed) {
      StrAppend(&out, ": ", node.series, " series, ", node.values, " values");
      if (node.samples != 0) StrAppend(&out, ", ", node.samples, " samples");
      StrAppend(&out, ", ", Milliseconds(node.seconds), " (own ",
                Milliseconds(node.own_seconds), "), ", node.bytes, " B");
    }
    out += "\n";
  }
  for (size_t i = 0; i < selections.size(); ++i) {
    StrAppend(&out, "selection ", i, ": ", selections[i], "\n");
  }
  if (analyzed) {
    StrAppend(&out, "all: ", stats.series, " series, ", stats.samples_decoded,
              " samples, ", Milliseconds(stats.total_time), ", at most ",
              stats.peak_bytes, " B and ", stats.peak_samples,
              " samples at once\n");
  }
  return out;
}

std::string PlanReport::ToJson() const {
  std::string out = "{\"nodes\":[";
  for (size_t i = 0; i < nodes.size(); ++i) {
    const PlanStep& node = nodes[i];
    StrAppend(&out, i > 0 ? "," : "", "{\"text\":", Quoted(node.text),
              ",\"depth\":", node.depth, ",\"pos\":{\"start\":", node.pos.begin,
              ",\"end\":", node.pos.end, "},\"steps\":", node.steps);
    if (analyzed) {
      StrAppend(&out, ",\"series\":", node.series, ",\"values\":", node.values,
                ",\"samples\":", node.samples,
                ",\"seconds\":", FormatFloat(node.seconds),
                ",\"ownSeconds\":", FormatFloat(node.own_seconds),
                ",\"bytes\":", node.bytes);
    }
    out += "}";
  }
  out += "],\"selections\":[";
  for (size_t i = 0; i < selections.size(); ++i) {
    StrAppend(&out, i > 0 ? "," : "", Quoted(selections[i]));
  }
  out += "]";
  if (analyzed) {
    StrAppend(&out, ",\"stats\":{\"series\":", stats.series,
              ",\"samplesDecoded\":", stats.samples_decoded,
              ",\"totalQueryableSamples\":", stats.total_queryable_samples,
              ",\"peakSamples\":", stats.peak_samples,
              ",\"peakBytes\":", stats.peak_bytes,
              ",\"totalSeconds\":", FormatFloat(stats.total_time), "}");
  }
  return out + "}";
}

}  // namespace narthex::promql
