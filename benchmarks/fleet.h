// The fleet: scrapes of a thousand series per target that every contestant of a
// benchmark generates bit for bit alike.  Node exporters, kubelets,
// applications and kube-state-metrics, with churn, restarts and failed scrapes,
// out of one hash function and a table of series templates.
//
// One thread, or several as long as each has targets of its own.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/model/labels.h"

namespace narthex::bench {

inline constexpr int64_t kFleetStart = 1699999200000;  // ms; a multiple of 2 h
inline constexpr int64_t kScrapeInterval = 15000;      // ms
inline constexpr size_t kSeriesPerTarget = 1000;
inline constexpr size_t kPodSlots = 20;

// One of the series that a kind of target has.
struct SeriesTemplate {
  std::string metric = {};
  char value_class = 'z';
  int pod_slot = -1;  // -1: belongs to no pod
  std::vector<std::pair<std::string, std::string>> dims = {};
  uint32_t pos = 0;  // index in the last dimension
  uint32_t len = 1;  // values of the last dimension
};

struct FleetScrape {
  int64_t t = 0;
  bool failed = false;  // every series gets a stale marker, nothing else
  std::vector<int> churned = {};  // pod slots whose series are new, ascending
};

class Fleet {
 public:
  // Reads the table of templates.  Errors name file and line.
  static absl::StatusOr<Fleet> Load(const std::string& path, size_t targets);

  size_t targets() const { return targets_.size(); }
  // Scrape `k` of `target`; every target's scrapes in order, from 0.  Fills
  // `values` (kSeriesPerTarget long) unless the scrape failed.
  FleetScrape Next(size_t target, int64_t k, std::span<double> values);
  // Of the series as it is after the last Next().
  Labels LabelsOf(size_t target, size_t series) const;
  // Series of a pod slot, ascending.
  const std::vector<size_t>& SeriesOfSlot(size_t target, int slot) const;

  // Folds everything that `scrapes` scrapes of all targets say into one number;
  // counts on the way.
  struct Checksum {
    uint64_t sum = 0, samples = 0, series = 0;
  };
  Checksum Sum(int64_t scrapes);

 private:
  struct Kind {
    std::vector<SeriesTemplate> series = {};
    std::array<std::vector<size_t>, kPodSlots> by_slot = {};
  };
  struct Target {
    const Kind* kind = nullptr;
    char code = 'N';
    int64_t offset = 0;
    std::array<uint64_t, kPodSlots> generation = {};
    std::vector<uint64_t> hash = {};  // of each series
    std::vector<int64_t> state = {};
  };

  void Begin(size_t target, size_t series);

  std::map<char, Kind> kinds_;  // nodes stay where they are
  std::vector<std::string> regions_, apps_, namespaces_;
  std::vector<Target> targets_;
};

}  // namespace narthex::bench
