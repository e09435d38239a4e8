// prometheus.yml as a struct: what narthex does of it, with Prometheus's
// defaults filled in.
//
// What Prometheus knows and narthex does not do yet is refused, never ignored;
// so are unknown and doubled keys.  Every error says file:line:column.  Values;
// any thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/env.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/discovery.h"
#include "narthex/scrape/job.h"
#include "narthex/tsdb/options.h"

namespace narthex {

// `global`: what jobs inherit unless they say otherwise.
struct GlobalConfig {
  Duration scrape_interval = Minutes(1);
  Duration scrape_timeout = Seconds(10);
  Duration evaluation_interval = Minutes(1);
  // Added to what leaves the process; `$NAME` and `${NAME}` in values were
  // replaced by the environment's.
  Labels external_labels = {};
  // Empty: each job's default, which depends on its histograms.
  std::vector<scrape::ScrapeProtocol> scrape_protocols = {};
  scrape::NameValidation name_validation = scrape::NameValidation::kUtf8;
  std::optional<scrape::NameEscaping> name_escaping = std::nullopt;
  bool extra_scrape_metrics = false;
  bool scrape_native_histograms = false;
  bool convert_classic_histograms_to_nhcb = false;
  bool always_scrape_classic_histograms = false;
  std::string scrape_failure_log_file = {};

  // Limits; 0: none.
  uint64_t body_size_limit = 0;
  size_t sample_limit = 0;
  size_t target_limit = 0;
  size_t label_limit = 0;
  size_t label_name_length_limit = 0;
  size_t label_value_length_limit = 0;
  size_t keep_dropped_targets = 0;
};

// `storage`: may change while the server runs.
struct StorageConfig {
  Duration out_of_order_time_window = Duration(0);
  size_t max_exemplars = 100000;
  // Absent: as the flags say.  0: no limit.
  std::optional<Duration> retention = {};
  std::optional<uint64_t> retention_bytes = {};
  // Absent: as the features say.
  std::optional<tsdb::FloatChunks> float_chunks = {};
  double stale_series_compaction_threshold = 0;  // 0: never
  std::optional<double> retention_percent = {};  // of the disk; 0..100
};

struct Config {
  GlobalConfig global = {};
  StorageConfig storage = {};
  // Files with more scrape_configs; in the last part of a path there may be a
  // `*`.
  std::vector<std::string> scrape_config_files = {};
  // scrape_configs, those of the files behind them; names unique.
  std::vector<scrape::Job> jobs = {};
  size_t jobs_of_files = 0;  // of them those of scrape_config_files
};

// `file` is for messages; relative paths in the text are meant from its folder.
// `defaults`: what holds where `global` says nothing.
absl::StatusOr<Config> ParseConfig(std::string_view yaml, std::string_view file,
                                   const GlobalConfig& defaults = {});
// Reads what scrape_config_files names too.
absl::StatusOr<Config> LoadConfig(Env& env, const std::string& path,
                                  const GlobalConfig& defaults = {});

// YAML again, every default written out, secrets hidden: what
// /api/v1/status/config shows.
std::string FormatConfig(const Config& config);
// One item of its `scrape_configs`.
std::string FormatJob(const scrape::Job& job);
// Of it, `scrape_configs:` alone; "" if there are none.
std::string FormatJobs(const std::vector<scrape::Job>& jobs);

// What the Prometheus Operator makes of ServiceMonitors and PodMonitors: a job
// for each endpoint, "serviceMonitor/<namespace>/<name>/<number>".  What they
// refer to must stand in the same text; narthex/operator.h takes several.
absl::StatusOr<std::vector<scrape::Job>> ReadMonitors(std::string_view yaml,
                                                      std::string_view file);

// Reads file_sd's YAML files, for ScraperOptions::yaml.
absl::StatusOr<std::vector<scrape::TargetGroup>> DecodeTargetYaml(
    std::string_view bytes, std::string_view path);

// Reads kubeconfig files, for ScraperOptions::kubeconfig.  Users that have to
// run a program to log in are refused.
absl::StatusOr<scrape::KubernetesAccess> DecodeKubeconfig(
    std::string_view bytes, std::string_view path);

}  // namespace narthex
