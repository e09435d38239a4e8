// W3: one block; its series by matchers, its label values, all of its samples.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/bench.h"
#include "benchmarks/fleet.h"
#include "libtsdb/block/block_reader.h"
#include "libtsdb/query/source_querier.h"
#include "narthex/base/status.h"
#include "narthex/model/matcher.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/block.h"

namespace narthex::bench {
namespace {

constexpr TimeRange kAll = {kFleetStart, kFleetStart + 7200000 - 1};

struct Condition {
  Matcher::Type type = Matcher::Type::kEqual;
  const char* name = "";
  const char* value = "";
};
constexpr auto kEq = Matcher::Type::kEqual;
constexpr auto kNe = Matcher::Type::kNotEqual;
constexpr auto kRe = Matcher::Type::kRegex;
constexpr auto kNre = Matcher::Type::kNotRegex;

absl::StatusOr<Matchers> MakeMatchers(std::span<const Condition> conditions) {
  Matchers matchers;
  for (const Condition& c : conditions) {
    NARTHEX_ASSIGN_OR_RETURN(MatcherPtr m,
                             Matcher::Make(c.type, c.name, c.value));
    matchers.push_back(std::move(m));
  }
  return matchers;
}

std::vector<const Matcher*> Raw(const Matchers& matchers) {
  std::vector<const Matcher*> raw;
  for (const MatcherPtr& m : matchers) raw.push_back(m.get());
  return raw;
}

// Means of a round over half a second, the first one not counted.
struct Round {
  double wall = 0, cpu = 0;
};
absl::StatusOr<Round> Repeat(const std::function<absl::Status()>& body) {
  NARTHEX_RETURN_IF_ERROR(body());
  const double wall0 = WallSeconds(), cpu0 = ProcessCpuSeconds();
  int n = 0;
  while (n < 2 || (n < 200 && WallSeconds() - wall0 < 0.5)) {
    NARTHEX_RETURN_IF_ERROR(body());
    ++n;
  }
  return Round{(WallSeconds() - wall0) / n, (ProcessCpuSeconds() - cpu0) / n};
}

struct SelectCase {
  const char* name = "";
  std::vector<Condition> conditions = {};
};

std::vector<SelectCase> SelectCases() {
  const char* n = "__name__";
  const char* cpu = "node_cpu_seconds_total";
  const char* rss = "container_memory_rss";
  return {
      {"eq_name", {{kEq, n, "node_load1"}}},
      {"eq_two", {{kEq, n, cpu}, {kEq, "mode", "idle"}}},
      {"eq_instance", {{kEq, "instance", "10.0.0.10:9100"}}},
      {"re_alt", {{kRe, n, "node_load1|node_load5|node_memory_MemFree_bytes"}}},
      {"re_prefix_name", {{kRe, n, "node_memory_.*"}}},
      {"re_prefix_pod", {{kEq, n, rss}, {kRe, "pod", "cart-.*"}}},
      {"re_infix_pod", {{kEq, n, rss}, {kRe, "pod", ".*-[0-9]x.*"}}},
      {"ne", {{kEq, n, cpu}, {kNe, "mode", "idle"}}},
      {"nre", {{kEq, n, rss}, {kNre, "namespace", "kube-system|ci"}}},
      {"highcard_nonempty", {{kRe, "pod", ".+"}, {kEq, "job", "kubelet"}}},
      {"absent_label", {{kEq, n, cpu}, {kEq, "nosuch", ""}}},
      {"all", {{kRe, n, ".+"}}},
  };
}

}  // namespace

absl::Status RunSelect(const BenchFlags& flags) {
  Env& env = *Env::Posix();
  NARTHEX_ASSIGN_OR_RETURN(auto blocks, tsdb::ListBlocks(env, flags.dir));
  if (blocks.empty()) return NotFound(StrCat("no block under ", flags.dir));
  const std::string dir = blocks[0].dir;

  MemoryBudget budget;
  const CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  auto open = [&]() -> absl::StatusOr<std::shared_ptr<tsdb::BlockReader>> {
    return tsdb::BlockReader::Open(env, dir);
  };
  NARTHEX_ASSIGN_OR_RETURN(Round opening,
                           Repeat([&] { return open().status(); }));
  Emit("W3", "open_block", "seconds", opening.wall, "s");
  Emit("W3", "open_block", "cpu_seconds", opening.cpu, "s");
  NARTHEX_ASSIGN_OR_RETURN(auto block, open());
  Emit("W3", "open_block", "rss", ReadMemoryUse().resident, "B");
  auto querier = tsdb::NewSourcesQuerier({block}, kAll);

  for (const SelectCase& which : SelectCases()) {
    NARTHEX_ASSIGN_OR_RETURN(Matchers matchers, MakeMatchers(which.conditions));
    const std::vector<const Matcher*> raw = Raw(matchers);
    size_t series = 0, text = 0;
    NARTHEX_ASSIGN_OR_RETURN(
        Round round, Repeat([&]() -> absl::Status {
          SelectRequest request;
          request.matchers = raw;
          request.range = kAll;
          request.sorted = false;
          NARTHEX_ASSIGN_OR_RETURN(auto set, querier->Select(request, ctx));
          series = set->size();
          text = 0;  // ids don't count: every label is looked up as text
          for (size_t i = 0; i < series; ++i) {
            for (LabelPair pair : set->labels(i)) {
              text += querier->symbols().Text(pair.name).size() +
                      querier->symbols().Text(pair.value).size();
            }
          }
          return absl::OkStatus();
        }));
    const std::string name = StrCat("select/", which.name);
    Emit("W3", name, "series", static_cast<double>(series), "1");
    Emit("W3", name, "label_bytes", static_cast<double>(text), "B");
    Emit("W3", name, "seconds", round.wall, "s");
    Emit("W3", name, "cpu_seconds", round.cpu, "s");
  }

  struct ValuesCase {
    const char* name;
    const char* label;
    std::vector<Condition> conditions;
  };
  for (const ValuesCase& which :
       std::vector<ValuesCase>{{"label_values/name", "__name__", {}},
                               {"label_values/pod", "pod", {}},
                               {"label_values/instance_where_job",
                                "instance",
                                {{kEq, "job", "kubelet"}}},
                               {"label_values/name_where_ns",
                                "__name__",
                                {{kEq, "namespace", "payments"}}}}) {
    NARTHEX_ASSIGN_OR_RETURN(Matchers matchers, MakeMatchers(which.conditions));
    const std::vector<const Matcher*> raw = Raw(matchers);
    size_t values = 0;
    NARTHEX_ASSIGN_OR_RETURN(
        Round round, Repeat([&]() -> absl::Status {
          NARTHEX_ASSIGN_OR_RETURN(
              auto found, querier->LabelValues(which.label, raw, 0, ctx));
          values = found.size();
          return absl::OkStatus();
        }));
    Emit("W3", which.name, "values", static_cast<double>(values), "1");
    Emit("W3", which.name, "seconds", round.wall, "s");
    Emit("W3", which.name, "cpu_seconds", round.cpu, "s");
  }

  for (const SelectCase& which :
       std::vector<SelectCase>{{"iterate/one_metric",
                                {{kEq, "__name__", "node_cpu_seconds_total"}}},
                               {"iterate/all", {{kRe, "__name__", ".+"}}}}) {
    NARTHEX_ASSIGN_OR_RETURN(Matchers matchers, MakeMatchers(which.conditions));
    const std::vector<const Matcher*> raw = Raw(matchers);
    uint64_t samples = 0, sum = 0;
    SampleColumns columns(budget);
    NARTHEX_ASSIGN_OR_RETURN(
        Round round, Repeat([&]() -> absl::Status {
          SelectRequest request;
          request.matchers = raw;
          request.range = kAll;
          request.sorted = false;
          NARTHEX_ASSIGN_OR_RETURN(auto set, querier->Select(request, ctx));
          samples = sum = 0;
          for (size_t i = 0; i < set->size(); ++i) {
            NARTHEX_RETURN_IF_ERROR(set->Read(i, kAll, ctx, columns));
            const auto t = columns.t();
            const auto v = columns.v();
            for (size_t j = 0; j < t.size(); ++j) {
              sum += Bits(v[j]) ^ static_cast<uint64_t>(t[j].ms);
            }
            samples += t.size();
          }
          return absl::OkStatus();
        }));
    Emit("W3", which.name, "samples", static_cast<double>(samples), "1");
    Emit("W3", which.name, "sum32",
         static_cast<double>(static_cast<uint32_t>(sum ^ (sum >> 32))), "1");
    Emit("W3", which.name, "samples_per_s",
         static_cast<double>(samples) / round.wall, "1/s");
    Emit("W3", which.name, "ns_per_sample_cpu",
         round.cpu * 1e9 / static_cast<double>(samples), "ns");
  }
  return absl::OkStatus();
}

}  // namespace narthex::bench
