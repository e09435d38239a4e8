// The document as a whole, `global`, and what several parts share.

#include <algorithm>
#include <cstdlib>

#include "libnarthex/config/config_parts.h"
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

void ReadScrapeProtocols(MapReader& map, std::string_view key,
                         std::vector<scrape::ScrapeProtocol>& out) {
  std::vector<std::string> names;
  map.Read(key, names);
  if (names.empty()) return;
  std::vector<scrape::ScrapeProtocol> protocols;
  for (const std::string& name : names) {
    auto protocol = scrape::ParseScrapeProtocol(name);
    if (!protocol.ok()) {
      return map.Fail(StrCat(key, ": ", Message(protocol.status())));
    }
    for (const scrape::ScrapeProtocol other : protocols) {
      if (other != *protocol) continue;
      return map.Fail(StrCat(key, ": \"", name, "\" is there twice"));
    }
    protocols.push_back(*protocol);
  }
  out = std::move(protocols);
}

void ReadNameValidation(MapReader& map, scrape::NameValidation& out) {
  map.ReadText("metric_name_validation_scheme",
               [&](const std::string& text) -> absl::Status {
                 if (text == "utf8") {
                   out = scrape::NameValidation::kUtf8;
                 } else if (text == "legacy") {
                   out = scrape::NameValidation::kLegacy;
                 } else {
                   return InvalidArgument(StrCat(
                       "must be `utf8` or `legacy`, not \"", text, "\""));
                 }
                 return absl::OkStatus();
               });
}

void ReadNameEscaping(MapReader& map,
                      std::optional<scrape::NameEscaping>& out) {
  map.ReadText("metric_name_escaping_scheme",
               [&](const std::string& text) -> absl::Status {
                 if (text.empty()) return absl::OkStatus();
                 NARTHEX_ASSIGN_OR_RETURN(out, scrape::ParseNameEscaping(text));
                 return absl::OkStatus();
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
  ReadScrapeProtocols(map, "scrape_protocols", out.scrape_protocols);
  ReadNameValidation(map, out.name_validation);
  map.Read("extra_scrape_metrics", out.extra_scrape_metrics);
  map.ReadBytes("body_size_limit", out.body_size_limit);
  map.Read("sample_limit", out.sample_limit);
  map.Read("target_limit", out.target_limit);
  map.Read("label_limit", out.label_limit);
  map.Read("label_name_length_limit", out.label_name_length_limit);
  map.Read("label_value_length_limit", out.label_value_length_limit);
  map.Read("keep_dropped_targets", out.keep_dropped_targets);
  ReadNameEscaping(map, out.name_escaping);
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

namespace narthex {

absl::StatusOr<Config> ParseConfig(std::string_view yaml,
                                   std::string_view file) {
  NARTHEX_ASSIGN_OR_RETURN(const config::YamlNode root,
                           config::ParseYaml(yaml, file));
  Config out;
  config::MapReader map(root, file, "the configuration");
  map.Read("global", [&](const config::YamlNode& node) {
    return config::ReadGlobal(node, file, out.global);
  });
  map.Read("storage", [&](const config::YamlNode& node) {
    return config::ReadStorage(node, file, out.storage);
  });
  map.ReadEach("scrape_configs",
               [&](const config::YamlNode& node) -> absl::Status {
                 NARTHEX_ASSIGN_OR_RETURN(
                     scrape::Job job, config::ReadJob(node, file, out.global));
                 for (const scrape::Job& other : out.jobs) {
                   if (other.name != job.name) continue;
                   return config::ErrorAt(
                       file, node,
                       StrCat("found multiple scrape configs with job name \"",
                              job.name, "\""));
                 }
                 out.jobs.push_back(std::move(job));
                 return absl::OkStatus();
               });
  map.Refuse({"runtime", "rule_files", "scrape_config_files", "alerting",
              "remote_write", "remote_read", "tracing", "otlp"});
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  return out;
}

absl::StatusOr<Config> LoadConfig(Env& env, const std::string& path) {
  NARTHEX_ASSIGN_OR_RETURN(const std::string text, env.ReadFile(path));
  return ParseConfig(text, path);
}

}  // namespace narthex
