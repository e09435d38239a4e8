// The document as a whole, `global`, and what several parts share.

#include <algorithm>
#include <cstdlib>
#include <set>

#include "libnarthex/config/config_parts.h"
#include "narthex/base/ascii.h"
#include "narthex/model/labels_builder.h"

namespace narthex::config {
namespace {

// Go's os.Expand: $NAME, ${NAME}, and "$" for "$$".
std::string ExpandEnvironment(std::string_view text) {
  auto is_name = [](char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    size_t begin = i + 1, end = begin, next = begin;
    if (text[begin] == '$') {
      out.push_back('$');
      ++i;
      continue;
    }
    if (text[begin] == '{') {
      end = text.find('}', ++begin);
      if (end == std::string_view::npos) {
        out.push_back(text[i]);
        continue;
      }
      next = end + 1;
    } else {
      while (end < text.size() && is_name(text[end], end == begin)) ++end;
      if (end == begin) {
        out.push_back(text[i]);
        continue;
      }
      next = end;
    }
    const std::string name(text.substr(begin, end - begin));
    if (const char* value = std::getenv(name.c_str())) out += value;
    i = next - 1;
  }
  return out;
}

}  // namespace

std::string FromFolderOf(std::string_view file, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  const std::string_view folder = DirName(file);
  return folder.empty() || folder == "." ? path : JoinPath(folder, path);
}

absl::StatusOr<Labels> ReadLabels(const YamlNode& node, std::string_view file) {
  if (node.kind == YamlNode::Kind::kNull) return Labels();
  if (node.kind != YamlNode::Kind::kMap) {
    return ErrorAt(file, node, "labels must be a map of texts");
  }
  std::vector<Label> pairs;
  for (const YamlEntry& entry : node.entries) {
    const YamlNode& value = entry.value;
    if (value.kind != YamlNode::Kind::kScalar &&
        value.kind != YamlNode::Kind::kNull) {
      return ErrorAt(
          file, value,
          StrCat("the value of label \"", entry.key, "\" must be a text"));
    }
    if (!scrape::IsValidLabelName(entry.key, scrape::NameValidation::kUtf8)) {
      return ErrorAt(file, value,
                     StrCat("\"", entry.key, "\" is not a valid label name"));
    }
    if (value.kind == YamlNode::Kind::kNull) continue;
    if (!IsValidUtf8(value.text)) {
      return ErrorAt(
          file, value,
          StrCat("the value of label \"", entry.key, "\" is not UTF-8"));
    }
    pairs.push_back({entry.key, value.text});
  }
  return Labels::FromPairs(pairs);
}

void ReadScrapeProtocols(MapReader& map, std::string_view whose,
                         std::vector<scrape::ScrapeProtocol>& out) {
  constexpr std::string_view kKey = "scrape_protocols";
  std::vector<std::string> names;
  map.Read(kKey, names);
  if (!map.Has(kKey)) return;
  const auto fail = [&](std::string_view what) {
    map.Fail(StrCat(what, " for ", whose));
  };
  if (names.empty()) return fail("scrape_protocols cannot be empty");
  std::string all;
  for (const std::string& name : names) {
    StrAppend(&all, all.empty() ? "" : " ", name);
  }
  std::set<std::string> seen;
  out.clear();
  for (const std::string& name : names) {
    if (!seen.insert(AsciiLower(name)).second) {
      return fail(
          StrCat("duplicated protocol in scrape_protocols, got [", all, "]"));
    }
    const auto protocol = scrape::ParseScrapeProtocol(name);
    if (!protocol.ok()) {
      return fail(StrCat("scrape_protocols: ", Message(protocol.status())));
    }
    out.push_back(*protocol);
  }
}

void ReadNameValidation(MapReader& map, scrape::NameValidation& out) {
  map.ReadText("metric_name_validation_scheme",
               [&](const std::string& text) -> absl::Status {
                 if (text == "utf8") {
                   out = scrape::NameValidation::kUtf8;
                 } else if (text == "legacy") {
                   out = scrape::NameValidation::kLegacy;
                 } else if (!text.empty()) {
                   return InvalidArgument(StrCat(
                       "unrecognized ValidationScheme: ", GoQuote(text)));
                 }
                 return absl::OkStatus();
               });
}

void ReadNameEscaping(MapReader& map, std::string_view whose,
                      std::optional<scrape::NameEscaping>& out) {
  map.ReadText("metric_name_escaping_scheme",
               [&](const std::string& text) -> absl::Status {
                 if (text.empty()) return absl::OkStatus();
                 const auto read = scrape::ParseNameEscaping(text);
                 if (read.ok()) {
                   out = *read;
                   return absl::OkStatus();
                 }
                 return InvalidArgument(StrCat("unknown ", whose,
                                               " name escaping method "
                                               "specified, ",
                                               Message(read.status())));
               });
}

void ReadFailureLog(MapReader& map, std::string_view file, std::string& out) {
  std::string path;
  map.Read("scrape_failure_log_file", path);
  if (!path.empty()) out = FromFolderOf(file, path);
}

absl::Status ReadGlobal(const YamlNode& node, std::string_view file,
                        GlobalConfig& out) {
  MapReader map(node, file, "global");
  map.Read("scrape_interval", out.scrape_interval);
  if (out.scrape_interval.ms == 0) out.scrape_interval = Minutes(1);
  out.scrape_timeout = std::min(Seconds(10), out.scrape_interval);
  Duration timeout = {};
  map.Read("scrape_timeout", timeout);
  if (timeout.ms != 0) out.scrape_timeout = timeout;
  if (out.scrape_timeout > out.scrape_interval) {
    map.Fail("global scrape timeout greater than scrape interval");
  }
  map.Read("evaluation_interval", out.evaluation_interval);
  if (out.evaluation_interval.ms == 0) out.evaluation_interval = Minutes(1);
  map.Read("external_labels", [&](const YamlNode& labels) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(const Labels read, ReadLabels(labels, file));
    LabelsBuilder builder;
    for (const Label& label : read) {
      builder.Set(label.name, ExpandEnvironment(label.value));
    }
    out.external_labels = builder.Build();
    return absl::OkStatus();
  });
  ReadScrapeProtocols(map, "global config", out.scrape_protocols);
  ReadNameValidation(map, out.name_validation);
  for (const Label& label : out.external_labels) {
    if (!scrape::IsValidLabelName(label.name, out.name_validation)) {
      map.Fail(StrCat(GoQuote(label.name), " is not a valid label name"));
    }
  }
  map.Read("extra_scrape_metrics", out.extra_scrape_metrics);
  map.ReadBytes("body_size_limit", out.body_size_limit);
  map.Read("sample_limit", out.sample_limit);
  map.Read("target_limit", out.target_limit);
  map.Read("label_limit", out.label_limit);
  map.Read("label_name_length_limit", out.label_name_length_limit);
  map.Read("label_value_length_limit", out.label_value_length_limit);
  map.Read("keep_dropped_targets", out.keep_dropped_targets);
  ReadNameEscaping(map, "global", out.name_escaping);
  if (out.name_escaping == scrape::NameEscaping::kAllowUtf8 &&
      out.name_validation != scrape::NameValidation::kUtf8) {
    map.Fail(
        "utf8 metric names requested but validation scheme is not set to UTF8");
  }
  map.Read("scrape_native_histograms", out.scrape_native_histograms);
  map.Read("convert_classic_histograms_to_nhcb",
           out.convert_classic_histograms_to_nhcb);
  map.Read("always_scrape_classic_histograms",
           out.always_scrape_classic_histograms);
  ReadFailureLog(map, file, out.scrape_failure_log_file);
  map.Refuse({"query_log_file", "rule_query_offset"});
  return map.Finish();
}

}  // namespace narthex::config
