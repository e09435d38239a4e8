// The document as a whole, and the files with jobs that it names.

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "libnarthex/config/config_parts.h"
#include "narthex/model/labels.h"

namespace narthex {
namespace {

// A `*` in its last part only.
bool IsPattern(std::string_view path) {
  const size_t star = path.find('*');
  return star == std::string_view::npos ||
         path.find('/', star) == std::string_view::npos;
}

// `scrape_configs` of the map.  `found_in`: which file the jobs come from, by
// name.
using FoundIn = std::map<std::string, std::string>;
void ReadJobs(config::MapReader& map, std::string_view file, Config& out,
              FoundIn& found_in) {
  map.ReadEach(
      "scrape_configs", [&](const config::YamlNode& node) -> absl::Status {
        NARTHEX_ASSIGN_OR_RETURN(scrape::Job job,
                                 config::ReadJob(node, file, out.global));
        const auto [known, is_new] =
            found_in.emplace(job.name, std::string(file));
        if (!is_new) {
          return config::ErrorAt(
              file, node,
              StrCat("found multiple scrape configs with job name ",
                     GoQuote(job.name),
                     known->second == file
                         ? std::string()
                         : StrCat(", first found in ", known->second)));
        }
        out.jobs.push_back(std::move(job));
        return absl::OkStatus();
      });
}

// The files that the pattern fits, sorted.
absl::StatusOr<std::vector<std::string>> ListFiles(Env& env,
                                                   const std::string& pattern) {
  std::vector<std::string> files;
  if (pattern.find_first_of("*?[") == std::string::npos) {
    if (env.Exists(pattern)) files.push_back(pattern);
    return files;
  }
  const std::string folder(DirName(pattern));
  const std::string last(BaseName(pattern));
  const auto entries = env.ListDir(folder);
  // As with every glob, a folder that is not there holds nothing.
  if (absl::IsNotFound(entries.status())) return files;
  NARTHEX_RETURN_IF_ERROR(entries.status());
  for (const DirEntry& entry : *entries) {
    if (fnmatch(last.c_str(), entry.name.c_str(), 0) != 0) continue;
    const bool bare = pattern.find('/') == std::string::npos;
    files.push_back(bare ? entry.name : JoinPath(folder, entry.name));
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status ReadJobFile(Env& env, const std::string& path, Config& out,
                         FoundIn& found_in) {
  NARTHEX_ASSIGN_OR_RETURN(const std::string text, env.ReadFile(path));
  NARTHEX_ASSIGN_OR_RETURN(const config::YamlNode root,
                           config::ParseYaml(text, path));
  config::MapReader map(root, path, "a file of scrape configs");
  ReadJobs(map, path, out, found_in);
  return map.Finish();
}

absl::StatusOr<Config> ParseDocument(std::string_view yaml,
                                     std::string_view file,
                                     const GlobalConfig& defaults,
                                     FoundIn& found_in) {
  NARTHEX_ASSIGN_OR_RETURN(const config::YamlNode root,
                           config::ParseYaml(yaml, file));
  Config out;
  out.global = defaults;
  config::MapReader map(root, file, "the configuration");
  map.Read("global", [&](const config::YamlNode& node) {
    return config::ReadGlobal(node, file, out.global);
  });
  map.Read("storage", [&](const config::YamlNode& node) {
    return config::ReadStorage(node, file, out.storage);
  });
  map.Read("scrape_config_files", out.scrape_config_files);
  for (std::string& path : out.scrape_config_files) {
    if (!IsPattern(path)) {
      map.Fail(StrCat("invalid scrape config file path ", GoQuote(path)));
    }
    path = config::FromFolderOf(file, path);
  }
  ReadJobs(map, file, out, found_in);
  map.Refuse({"runtime", "rule_files", "alerting", "remote_write",
              "remote_read", "tracing", "otlp"});
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  return out;
}

}  // namespace

absl::StatusOr<Config> ParseConfig(std::string_view yaml, std::string_view file,
                                   const GlobalConfig& defaults) {
  FoundIn found_in;
  return ParseDocument(yaml, file, defaults, found_in);
}

absl::StatusOr<Config> LoadConfig(Env& env, const std::string& path,
                                  const GlobalConfig& defaults) {
  NARTHEX_ASSIGN_OR_RETURN(const std::string text, env.ReadFile(path));
  FoundIn found_in;
  NARTHEX_ASSIGN_OR_RETURN(Config out,
                           ParseDocument(text, path, defaults, found_in));
  const size_t own = out.jobs.size();
  for (const std::string& pattern : out.scrape_config_files) {
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                             ListFiles(env, pattern));
    for (const std::string& file : files) {
      NARTHEX_RETURN_IF_ERROR(ReadJobFile(env, file, out, found_in));
    }
  }
  out.jobs_of_files = out.jobs.size() - own;
  return out;
}

}  // namespace narthex
