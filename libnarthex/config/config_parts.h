// The parts of prometheus.yml: one function for each, from a YAML node to the
// struct of a library.
//
// Pure functions, any thread.  `file` is the document's path: for messages, and
// as the place from which relative paths are meant.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libnarthex/config/yaml_reader.h"
#include "narthex/config.h"
#include "narthex/scrape/job.h"

namespace narthex::config {

// config_global.cc
absl::Status ReadGlobal(const YamlNode& node, std::string_view file,
                        GlobalConfig& out);

// config_scrape.cc: defaults come from `global`.
absl::StatusOr<scrape::Job> ReadJob(const YamlNode& node, std::string_view file,
                                    const GlobalConfig& global);
void ReadRelabelRules(MapReader& map, std::string_view key,
                      std::string_view file, scrape::NameValidation validation,
                      std::vector<scrape::RelabelRule>& out);
absl::StatusOr<scrape::RelabelRule> ReadRelabelRule(
    const YamlNode& node, std::string_view file,
    scrape::NameValidation validation, KeyCase keys = KeyCase::kSnake);
void ReadLimits(MapReader& map, scrape::Job& job);
void ReadFallbackProtocol(MapReader& map, std::string_view key,
                          scrape::Job& job);
absl::Status ReadParams(const YamlNode& node, std::string_view file,
                        std::map<std::string, std::vector<std::string>>& out);

// config_http.cc: the fields of http_config that stand in a larger map.
void ReadHttpOptions(MapReader& map, std::string_view file,
                     scrape::HttpOptions& out);

// config_discovery.cc
absl::StatusOr<scrape::TargetGroup> ReadTargetGroup(const YamlNode& node,
                                                    std::string_view file);
// Every `*_sd_configs` of a scrape config, and its static_configs.
void ReadDiscovery(MapReader& map, std::string_view file, scrape::Job& job);

// A map of label names to values, checked.
absl::StatusOr<Labels> ReadLabels(const YamlNode& node, std::string_view file);
// Standard base64, line ends and padding at will; false: it is none.
bool DecodeBase64(std::string_view text, std::string& out);
// `path`, or, if it is relative, below the folder of `file`.
std::string FromFolderOf(std::string_view file, const std::string& path);
// `whose`: "global config", for messages.
void ReadScrapeProtocols(MapReader& map, std::string_view whose,
                         std::vector<scrape::ScrapeProtocol>& out);
absl::Status ReadStorage(const YamlNode& node, std::string_view file,
                         StorageConfig& out);
void ReadNameValidation(MapReader& map, scrape::NameValidation& out);
// `whose`: "global", "scrape config".
void ReadNameEscaping(MapReader& map, std::string_view whose,
                      std::optional<scrape::NameEscaping>& out);
void ReadFailureLog(MapReader& map, std::string_view file, std::string& out);

}  // namespace narthex::config
