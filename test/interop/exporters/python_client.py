"""A program that is instrumented with Debian's python3-prometheus-client."""

import sys
import threading

import prometheus_client as client

requests = client.Counter("py_requests", "Requests", ["method", "code"])
latency = client.Histogram("py_latency_seconds", "Latency", ["path"],
                           buckets=(0.005, 0.1, 1, 2.5, 10))
size = client.Summary("py_size_bytes", "Size \\ \"quoted\"\nof replies")
queue = client.Gauge("py_queue", "Waiting", ["queue"])
state = client.Enum("py_state", "State", states=["starting", "running"])
client.Info("py_build", "Build").info({"version": "1.2", "name": "a \"b\""})

client.start_http_server(int(sys.argv[1]), "127.0.0.1")
n = 0
while True:
    n += 1
    requests.labels("get", "200").inc(1.5, {"trace_id": f"t{n}"})
    requests.labels("post", "500").inc()
    latency.labels("/").observe(n % 13 * 0.3, {"span": "x", "id": str(n)})
    size.observe(n * 17)
    queue.labels("b\u00fcro \n").set(-n)
    queue.labels("nan").set(float("nan"))
    state.state("running" if n % 2 else "starting")
    threading.Event().wait(0.25)
