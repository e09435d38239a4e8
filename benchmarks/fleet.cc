#include "benchmarks/fleet.h"

#include <algorithm>
#include <bit>
#include <fstream>
#include <sstream>
#include <utility>

#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/model/sample.h"

namespace narthex::bench {
namespace {

enum Tag : uint64_t {
  kSeries = 1,
  kPod,
  kUid,
  kChurn,
  kRestart,
  kFail,
  kOffset,
  kJitter
};

uint64_t Mix(uint64_t z) {  // splitmix64
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t Hash(Tag tag, uint64_t a, uint64_t b) {
  constexpr uint64_t kSeed = 0x6e61727468657831;
  return Mix(Mix(Mix(kSeed + tag) + a) + b);
}

// Kubernetes' alphabet for generated names: no vowels.
std::string Name27(uint64_t h, int length) {
  std::string name;
  for (; length > 0; --length, h /= 27) {
    name.push_back("bcdfghjklmnpqrstvwxz2456789"[h % 27]);
  }
  return name;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, separator);) {
    parts.push_back(part);
  }
  return parts;
}

int64_t FirstState(char value_class, uint64_t r0) {
  const uint64_t high = r0 >> 8;
  switch (value_class) {
    case '1':
      return 1;
    case 'k':
      switch (r0 & 3) {
        case 0:
          return 0;
        case 1:
          return 1;
        case 2:
          return static_cast<int64_t>(high % 100000);
        default:
          return static_cast<int64_t>(high % (1 << 26)) * 4096;
      }
    case 't':
      return 1699000000 + static_cast<int64_t>(r0 % 900000);
    case 'c':
      if (r0 & 1) return r0 & 2 ? 0 : static_cast<int64_t>(high % 1000000);
      return static_cast<int64_t>((r0 >> 16) %
                                  (10000 * (uint64_t{2} << (high % 17))));
    case 'f':
      if ((r0 & 3) == 0) return static_cast<int64_t>(high % 1000);
      return static_cast<int64_t>((r0 >> 16) %
                                  (100000 * (uint64_t{2} << (high % 10))));
    case 'n':
      if ((r0 & 1) == 0) return 0;
      return static_cast<int64_t>((r0 >> 16) %
                                  (1000 * (uint64_t{1} << (10 + high % 22))));
    case 'm':
      return static_cast<int64_t>(high % (1 << 22));
    case 'g':
      return 5000 + static_cast<int64_t>(high % 5000);
    case 'u':
    case 's':
      return static_cast<int64_t>(high % 1000);
    default:
      return 0;
  }
}

void Update(const SeriesTemplate& series, uint64_t r0, uint64_t r, int64_t& s) {
  const uint64_t high = r0 >> 8;
  auto grow = [&](uint64_t m) { s += static_cast<int64_t>(m / 2 + r % m); };
  switch (series.value_class) {
    case 'c':
      if ((r0 & 1) == 0) grow(uint64_t{2} << (high % 17));
      break;
    case 'f':
      if ((r0 & 3) != 0) grow(uint64_t{2} << (high % 10));
      break;
    case 'n':
      if ((r0 & 1) != 0) grow(uint64_t{1} << (10 + high % 22));
      break;
    case 'b':
      if ((r0 & 1) == 0) {
        s += static_cast<int64_t>(r % 64 * (series.pos + 1) / series.len);
      }
      break;
    case 'm':
      if (((r >> 32) & 3) != 0) {
        s = std::max<int64_t>(0, s + static_cast<int64_t>(r % 257) - 128);
      }
      break;
    case 'g':
      if ((r >> 32) & 1) s += static_cast<int64_t>(r % 101) - 50;
      break;
    case 'u':
      if ((r >> 32) & 1) {
        s = std::max<int64_t>(0, s + static_cast<int64_t>(r % 7) - 3);
      }
      break;
    case 's':
      if (((r >> 32) & 63) == 0) s = static_cast<int64_t>(r % 1000);
      break;
    default:
      break;
  }
}

double ValueOf(char value_class, int64_t s, uint64_t r, int64_t t) {
  switch (value_class) {
    case 'f':
    case 'g':
      return static_cast<double>(s) / 100.0;
    case 'n':
      return static_cast<double>(s) / 1e9;
    case 'm':
      return static_cast<double>(s) * 4096.0;
    case 'p':
      return static_cast<double>(r >> 11) * 0x1p-53;
    case 'q':
      return static_cast<double>(t / 1000);
    default:
      return static_cast<double>(s);
  }
}

std::string Uid(uint64_t pod, uint64_t generation) {
  std::string hex;
  for (uint64_t half :
       {Hash(kUid, pod, 2 * generation), Hash(kUid, pod, 2 * generation + 1)}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      hex.push_back("0123456789abcdef"[(half >> shift) & 15]);
    }
  }
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) +
         "-" + hex.substr(16, 4) + "-" + hex.substr(20);
}

uint64_t LabelHash(const Labels& labels) {  // FNV-1a
  uint64_t h = 0xcbf29ce484222325;
  auto add = [&h](std::string_view text) {
    for (char c : text) {
      h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    }
    h = (h ^ 0xff) * 0x100000001b3;
  };
  for (const Label& label : labels) {
    add(label.name);
    add(label.value);
  }
  return h;
}

}  // namespace

absl::StatusOr<Fleet> Fleet::Load(const std::string& path, size_t targets) {
  std::ifstream in(path);
  if (!in) return NotFound(StrCat("can't read ", path));
  Fleet fleet;
  std::map<std::string, std::vector<std::string>> vocabulary;
  size_t line_number = 0;
  for (std::string line; std::getline(in, line);) {
    ++line_number;
    auto bad = [&](std::string_view what) {
      return InvalidArgument(StrCat(path, ":", line_number, ": ", what));
    };
    const std::vector<std::string> cells = Split(line, '\t');
    if (cells.empty()) continue;
    if (cells[0] == "V" && cells.size() == 3) {
      vocabulary[cells[1]] = Split(cells[2], ',');
      continue;
    }
    if (cells[0] != "T" || cells.size() != 5) return bad("not a V or T line");

    // One series to begin with; each dimension multiplies what there is.
    std::vector<SeriesTemplate> made(1);
    made[0].metric = cells[2];
    made[0].value_class = cells[3][0];
    if (cells[4] != "-") {
      for (const std::string& dim : Split(cells[4], ';')) {
        const size_t equals = dim.find('=');
        if (equals == std::string::npos || equals + 2 > dim.size()) {
          return bad("a dimension without '='");
        }
        const std::string name = dim.substr(0, equals);
        const char how = dim[equals + 1];
        const std::string what = dim.substr(equals + 2);
        std::vector<std::string> values;
        if (how == '@') {
          values = vocabulary[what];
        } else {
          for (int i = 0; i < std::atoi(what.c_str()); ++i) {
            values.push_back(StrCat(i));
          }
        }
        if (values.empty()) return bad("a dimension without values");
        std::vector<SeriesTemplate> product;
        for (const SeriesTemplate& base : made) {
          for (size_t i = 0; i < values.size(); ++i) {
            SeriesTemplate one = base;
            one.pos = static_cast<uint32_t>(i);
            one.len = static_cast<uint32_t>(values.size());
            if (how == '%') {
              one.pod_slot = static_cast<int>(i);
            } else {
              one.dims.emplace_back(name, values[i]);
            }
            product.push_back(std::move(one));
          }
        }
        made = std::move(product);
      }
    }
    Kind& kind = fleet.kinds_[cells[1][0]];
    for (SeriesTemplate& one : made) {
      if (one.pod_slot >= static_cast<int>(kPodSlots)) {
        return bad("too many pod slots");
      }
      if (one.pod_slot >= 0) {
        kind.by_slot[static_cast<size_t>(one.pod_slot)].push_back(
            kind.series.size());
      }
      kind.series.push_back(std::move(one));
    }
  }
  for (const auto& [code, kind] : fleet.kinds_) {
    if (kind.series.size() != kSeriesPerTarget) {
      return InvalidArgument(StrCat(path, ": kind ", std::string(1, code),
                                    " has ", kind.series.size(),
                                    " series, not ", kSeriesPerTarget));
    }
  }
  fleet.regions_ = vocabulary["region"];
  fleet.apps_ = vocabulary["app"];
  fleet.namespaces_ = vocabulary["ns"];
  if (fleet.kinds_.size() != 4 || fleet.regions_.empty() ||
      fleet.apps_.empty() || fleet.namespaces_.empty()) {
    return InvalidArgument(StrCat(path, ": kinds or vocabularies are missing"));
  }
  fleet.targets_.resize(targets);
  for (size_t i = 0; i < targets; ++i) {
    Target& target = fleet.targets_[i];
    target.code = "NNNNKKKAAS"[i % 10];
    target.kind = &fleet.kinds_[target.code];
    target.offset = 1000 + static_cast<int64_t>(Hash(kOffset, i, 0) % 13000);
    target.hash.resize(kSeriesPerTarget);
    target.state.resize(kSeriesPerTarget);
    for (size_t s = 0; s < kSeriesPerTarget; ++s) fleet.Begin(i, s);
  }
  return fleet;
}

void Fleet::Begin(size_t target, size_t series) {
  Target& at = targets_[target];
  const SeriesTemplate& what = at.kind->series[series];
  // The buckets of one histogram share their randomness.
  const size_t first = what.value_class == 'b' ? series - what.pos : series;
  const uint64_t generation =
      what.pod_slot < 0 ? 0 : at.generation[static_cast<size_t>(what.pod_slot)];
  at.hash[series] =
      Hash(kSeries, kSeriesPerTarget * target + first, generation);
  at.state[series] = FirstState(what.value_class, Mix(at.hash[series]));
}

FleetScrape Fleet::Next(size_t target, int64_t k, std::span<double> values) {
  Target& at = targets_[target];
  const uint64_t uk = static_cast<uint64_t>(k);
  FleetScrape scrape;
  scrape.t = kFleetStart + at.offset + kScrapeInterval * k;
  const uint64_t jitter = Hash(kJitter, target, uk);
  if ((jitter & 15) == 0) {
    scrape.t += static_cast<int64_t>((jitter >> 8) % 21) - 10;
  }
  if (k % 2 == 1 && Hash(kFail, target, uk) % 4096 == 0) {
    scrape.failed = true;
    return scrape;
  }
  if (k > 0 && (at.code == 'K' || at.code == 'S')) {
    for (size_t slot = 0; slot < kPodSlots; ++slot) {
      if (at.kind->by_slot[slot].empty()) continue;
      if (Hash(kChurn, 64 * target + slot, uk) % 1920 != 0) continue;
      ++at.generation[slot];
      for (size_t series : at.kind->by_slot[slot]) Begin(target, series);
      scrape.churned.push_back(static_cast<int>(slot));
    }
  }
  if (k > 0 && (at.code == 'N' || at.code == 'A') &&
      Hash(kRestart, target, uk) % 1000 == 0) {
    for (size_t i = 0; i < kSeriesPerTarget; ++i) {
      const char c = at.kind->series[i].value_class;
      if (c == 'c' || c == 'f' || c == 'n' || c == 'b') at.state[i] = 0;
    }
  }
  for (size_t i = 0; i < kSeriesPerTarget; ++i) {
    const SeriesTemplate& what = at.kind->series[i];
    const uint64_t r = Mix(at.hash[i] + uk + 1);
    Update(what, Mix(at.hash[i]), r, at.state[i]);
    values[i] = ValueOf(what.value_class, at.state[i], r, scrape.t);
  }
  return scrape;
}

const std::vector<size_t>& Fleet::SeriesOfSlot(size_t target, int slot) const {
  return targets_[target].kind->by_slot[static_cast<size_t>(slot)];
}

Labels Fleet::LabelsOf(size_t target, size_t series) const {
  const Target& at = targets_[target];
  const SeriesTemplate& what = at.kind->series[series];
  std::vector<std::pair<std::string, std::string>> labels = what.dims;
  auto add = [&labels](std::string name, std::string value) {
    labels.emplace_back(std::move(name), std::move(value));
  };
  const std::string ip = StrCat("10.", (target >> 16) & 255, ".",
                                (target >> 8) & 255, ".", target & 255);
  auto pod = [&](uint64_t slot, uint64_t generation) {
    const uint64_t id = 64 * target + slot;
    const uint64_t h = Hash(kPod, id, 0);
    const std::string app = apps_[h % apps_.size()];
    add("namespace", namespaces_[(h >> 8) % namespaces_.size()]);
    add("pod", app + "-" + Name27(Mix(h), 9) + "-" +
                   Name27(Hash(kPod, id, generation + 1), 5));
    return app;
  };
  add("__name__", what.metric);
  add("cluster", "prod-" + regions_[(target / 250) % 4]);
  switch (at.code) {
    case 'N':
      add("container", "node-exporter");
      add("endpoint", "metrics");
      add("instance", ip + ":9100");
      add("job", "node-exporter");
      add("namespace", "monitoring");
      add("pod", "node-exporter-" + Name27(Hash(kPod, 64 * target + 63, 0), 5));
      add("service", "node-exporter");
      break;
    case 'K': {
      std::string dashed = ip;
      std::replace(dashed.begin(), dashed.end(), '.', '-');
      add("instance", ip + ":10250");
      add("job", "kubelet");
      add("metrics_path", "/metrics/cadvisor");
      add("node", "ip-" + dashed + ".ec2.internal");
      break;
    }
    case 'S':
      add("instance", ip + ":8080");
      add("job", "kube-state-metrics");
      break;
    default:
      add("container", "app");
      add("instance", ip + ":8080");
      add("job", pod(62, 0));
      break;
  }
  if (what.pod_slot >= 0) {
    const uint64_t slot = static_cast<uint64_t>(what.pod_slot);
    const uint64_t generation = at.generation[slot];
    pod(slot, generation);
    std::string uid = Uid(64 * target + slot, generation);
    if (at.code == 'S') add("uid", uid);
    if (at.code == 'K') {
      std::replace(uid.begin(), uid.end(), '-', '_');
      add("id",
          "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" +
              uid + ".slice");
    }
  }
  std::vector<Label> pairs;
  pairs.reserve(labels.size());
  for (const auto& [name, value] : labels) pairs.push_back({name, value});
  return Labels::FromPairs(pairs);
}

Fleet::Checksum Fleet::Sum(int64_t scrapes) {
  Checksum result;
  auto fold = [&result](uint64_t x) { result.sum = Mix(result.sum ^ x); };
  std::vector<double> values(kSeriesPerTarget);
  for (int64_t k = 0; k < scrapes; ++k) {
    for (size_t target = 0; target < targets(); ++target) {
      const FleetScrape scrape = Next(target, k, values);
      if (k == 0) {
        for (size_t i = 0; i < kSeriesPerTarget; ++i) {
          fold(LabelHash(LabelsOf(target, i)));
        }
        result.series += kSeriesPerTarget;
      }
      fold(static_cast<uint64_t>(scrape.t));
      result.samples += kSeriesPerTarget;
      if (scrape.failed) {
        for (size_t i = 0; i < kSeriesPerTarget; ++i) fold(kStaleNaNBits);
        continue;
      }
      size_t churned = 0;
      for (int slot : scrape.churned) {
        for (size_t i : SeriesOfSlot(target, slot)) {
          fold(LabelHash(LabelsOf(target, i)));
          ++churned;
        }
      }
      for (double v : values) fold(Bits(v));
      for (size_t i = 0; i < churned; ++i) fold(kStaleNaNBits);
      result.samples += churned;
      result.series += churned;
    }
  }
  return result;
}

}  // namespace narthex::bench
