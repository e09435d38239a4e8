#include "benchmarks/query_cases.h"

#include <string_view>

namespace narthex::bench {
namespace {

struct Pattern {
  std::string_view query = {};  // X: `one` and `hundred`
  int steps = 0;                // 0: 1, 100 and 1000
};

constexpr Pattern kPatterns[] = {
    {"a_X"},
    {"rate(a_X[1m])"},
    {"rate(a_X[1m])", 10000},
    {"rate(sparse[1m])", 10000},
    {"double_exponential_smoothing(a_X[1d], 0.3, 0.3)"},
    {"changes(a_X[1d])"},
    {"rate(a_X[1d])"},
    {"absent_over_time(a_X[1d])"},
    {"-a_X"},
    {"a_X - b_X"},
    {"a_X - b_X", 10000},
    {"a_X and b_X{l=~'.*[0-4]$'}"},
    {"a_X or b_X{l=~'.*[0-4]$'}"},
    {"a_X unless b_X{l=~'.*[0-4]$'}"},
    {"a_X and b_X{l='notfound'}"},
    {"abs(a_X)"},
    {"label_replace(a_X, 'l2', '$1', 'l', '(.*)')"},
    {"label_join(a_X, 'l2', '-', 'l', 'l')"},
    {"sum(a_X)"},
    {"avg(a_X)"},
    {"sum without (l)(h_X)"},
    {"sum without (le)(h_X)"},
    {"sum by (l)(h_X)"},
    {"sum by (le)(h_X)"},
    {"count_values('value', h_X)", 100},
    {"topk(1, a_X)"},
    {"topk(5, a_X)"},
    {"limitk(1, a_X)"},
    {"limitk(5, a_X)"},
    {"limit_ratio(0.1, a_X)"},
    {"limit_ratio(0.5, a_X)"},
    {"limit_ratio(-0.5, a_X)"},
    {"rate(a_X[1m]) + rate(b_X[1m])"},
    {"sum without (l)(rate(a_X[1m]))"},
    {"sum without (l)(rate(a_X[1m])) / sum without (l)(rate(b_X[1m]))"},
    {"histogram_quantile(0.9, rate(h_X[5m]))"},
    {"a_X + on(l) group_right a_one"},
    {"count({__name__!=\"\"})", 1},
    {"count({__name__!=\"\",l=\"\"})", 1},
    {"timestamp(a_X)"},
};

std::string With(std::string_view query, std::string_view x) {
  std::string out;
  for (char c : query) {
    if (c == 'X') {
      out += x;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::vector<RangeCase> RangeCases() {
  std::vector<RangeCase> cases;
  for (const Pattern& pattern : kPatterns) {
    const bool has_x = pattern.query.find('X') != std::string_view::npos;
    const std::vector<std::string_view> xs =
        has_x ? std::vector<std::string_view>{"one", "hundred"}
              : std::vector<std::string_view>{""};
    const std::vector<int> steps = pattern.steps == 0
                                       ? std::vector<int>{1, 100, 1000}
                                       : std::vector<int>{pattern.steps};
    for (std::string_view x : xs) {
      for (int n : steps) cases.push_back({With(pattern.query, x), n});
    }
  }
  return cases;
}

const std::vector<const char*> kInstantCases = {
    "a_hundred",
    "rate(a_hundred[1m])",
    "sum(rate(a_hundred[5m]))",
    "histogram_quantile(0.9, rate(h_hundred[5m]))",
};

const std::vector<const char*> kHistogramCases = {
    "sum(native_histogram_series)",
    "sum(rate(native_histogram_series[2m]))",
    "sum(rate(native_histogram_series[20m]))",
    "histogram_count(sum(rate(native_histogram_series[2m])))",
    "histogram_quantile(0.9, sum(rate(native_histogram_series[2m])))",
};

const std::vector<const char*> kFleetCases = {
    "node_load1",
    "sum by (cluster) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))",
    "1 - avg by (instance) "
    "(rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))",
    "histogram_quantile(0.99, sum by (le, handler) "
    "(rate(http_request_duration_seconds_bucket[5m])))",
    "sum by (namespace) "
    "(container_memory_working_set_bytes{container=\"main\"})",
    "topk(10, sum by (namespace, pod) "
    "(rate(container_cpu_usage_seconds_total[5m])))",
    "sum by (namespace, pod) "
    "(rate(container_network_receive_bytes_total[5m])) > 100",
    "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1",
    "count by (job) (up == 1)",
    "max_over_time(node_memory_MemFree_bytes[30m])",
    "count({job=\"kubelet\"})",
    "sum by (namespace) (kube_pod_status_phase * on (cluster, namespace, pod) "
    "group_left () kube_pod_info)",
};

}  // namespace narthex::bench
