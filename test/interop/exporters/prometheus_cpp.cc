// A program that is instrumented with prometheus-cpp, after its own sample
// server.
// Usage: prometheus_cpp_exporter ADDRESS

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: prometheus_cpp_exporter ADDRESS\n";
    return 2;
  }
  prometheus::Exposer exposer(argv[1]);
  auto registry = std::make_shared<prometheus::Registry>();
  auto& packets = prometheus::BuildCounter()
                      .Name("observed_packets_total")
                      .Help("Packets \"seen\" on a \\ link")
                      .Register(*registry);
  auto& tcp_rx = packets.Add({{"protocol", "tcp"}, {"direction", "rx"}});
  auto& udp_tx = packets.Add({{"protocol", "udp"}, {"direction", "tx"}});
  auto& depth = prometheus::BuildGauge()
                    .Name("queue_depth")
                    .Help("Depth")
                    .Register(*registry)
                    .Add({{"queue", "a \"b\"\n\\"}});
  auto& latency =
      prometheus::BuildHistogram()
          .Name("latency_seconds")
          .Help("Latency")
          .Register(*registry)
          .Add({}, prometheus::Histogram::BucketBoundaries{0.005, 0.1, 1, 10});
  auto& size =
      prometheus::BuildSummary()
          .Name("size_bytes")
          .Help("Size")
          .Register(*registry)
          .Add({}, prometheus::Summary::Quantiles{{0.5, 0.05}, {0.99, 0.001}});
  exposer.RegisterCollectable(registry);
  for (int n = 1;; ++n) {
    tcp_rx.Increment();
    udp_tx.Increment(0.25);
    depth.Set(-n);
    latency.Observe(n % 13 * 0.3);
    size.Observe(n);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}
