// Objects of the Prometheus Operator as scrape configs: ServiceMonitor,
// PodMonitor and Probe, with what they refer to.
//
// Pure functions; any thread.

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/scrape/job.h"

namespace narthex {

// YAML or JSON, several documents or a List are fine; `name` is for messages.
struct OperatorFile {
  std::string_view text = {};
  std::string_view name = {};
};

struct OperatorOptions {
  // Which of the shards this process is, and of how many there are; none: as a
  // Prometheus among the objects says, which without `shards` has one.
  size_t shard = 0;
  std::optional<size_t> shards = {};
};

// A job for each endpoint of a monitor, "serviceMonitor/<ns>/<name>/<number>",
// and for each Probe, "probe/<ns>/<name>".  Secrets and ConfigMaps that they
// name must be among the objects of any file; a Prometheus or PrometheusAgent
// among them says what holds for all: shards, enforced limits, and so on.
absl::StatusOr<std::vector<scrape::Job>> ReadOperatorObjects(
    std::span<const OperatorFile> files, const OperatorOptions& options = {});

// FormatJobs with passwords and keys as they are: not for the eyes of others.
std::string FormatJobsWithSecrets(const std::vector<scrape::Job>& jobs);

}  // namespace narthex
