"""Prometheus and narthex scrape the same pages at the same time; then both
logs must hold the same.

Usage: run.py --narthex BIN --prometheus BIN --work DIR [--old]
              [--only REGEX] [NAME=URL...]

NAME=URL: a live exporter; it is asked once per round, for both.
--old: the peer is 2.42, which is shown the cases that it knows.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "support")]

import answers  # noqa: E402
import openmetrics  # noqa: E402
import protobuf  # noqa: E402
import text  # noqa: E402
from case import INTERVAL, ROUNDS, Case  # noqa: E402
from compare import Twin, compare_case, compare_exemplars  # noqa: E402
from twin_proxy import TEXT, TwinProxy, Upstream  # noqa: E402
from wal_log import Log  # noqa: E402

AGENTS = ("prometheus", "narthex")
TEXT_PROTOCOLS = ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1",
                  "PrometheusText1.0.0", "PrometheusText0.0.4"]
PATIENCE = 240  # seconds; a quiet machine needs 35


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def live_cases(pairs, old):
    cases = []
    for pair in pairs:
        name, _, url = pair.partition("=")
        source = Upstream(url, accept=TEXT if old else None)
        cases.append(Case(name, source, {"honor_labels": name == "pushgateway"},
                          old=True, stored=5))
    return cases


def as_new(labels):
    """A series of 2.42 as 3.x names it: bounds of buckets and quantiles are
    written as floats."""
    def bound(name, value):
        if name not in ("le", "quantile"):
            return value
        return re.sub(r"^(-?\d+)$", r"\1.0", value)
    return tuple((k, bound(k, v)) for k, v in labels)


class Server:
    def __init__(self, name, command, work, config, features):
        self.name = name
        self.data = os.path.join(work, f"{name}.data")
        self.port = free_port()
        self.log_path = os.path.join(work, f"{name}.log")
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [*command, f"--config.file={config}",
             f"--storage.tsdb.path={self.data}",
             "--no-storage.tsdb.wal-compression",
             f"--web.listen-address=127.0.0.1:{self.port}",
             f"--enable-feature={','.join(features)}"],
            stdout=self.log, stderr=self.log, cwd=work)

    def query(self, expression):
        url = (f"http://127.0.0.1:{self.port}/api/v1/query?query=" +
               urllib.parse.quote(expression))
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def check_alive(self):
        if self.process.poll() is None:
            return
        with open(self.log_path, errors="replace") as f:
            tail = "".join(f.readlines()[-15:])
        sys.exit(f"FAILED: {self.name} exits {self.process.returncode}\n{tail}")

    def stop(self):
        self.process.terminate()
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.log.close()
        return status


def wait(what, ready, servers):
    until = time.monotonic() + PATIENCE
    while not ready():
        for server in servers:
            server.check_alive()
        if time.monotonic() > until:
            print(f"waited {PATIENCE} s for {what}")
            return False
        time.sleep(0.2)
    return True


def same_requests(case, proxy, old, problems):
    """Both ask with the same headers; 2.42 knows other formats."""
    theirs, ours = (proxy.first_request(f"/{case.name}", a) for a in AGENTS)
    if theirs is None or ours is None:
        return
    if theirs.path != ours.path and case.targets == 1:
        problems.append(f"{case.name}: asks for {ours.path}, "
                        f"Prometheus for {theirs.path}")
    for name in sorted(theirs.headers.keys() | ours.headers.keys()):
        if name == "user-agent" or (old and name == "accept"):
            continue
        a, b = theirs.headers.get(name), ours.headers.get(name)
        if a != b:
            problems.append(f"{case.name}: header {name}: Prometheus sends "
                            f"{a!r}, narthex {b!r}")


def scrape(args, cases, proxy, old):
    addresses = [proxy.new_address() if case.own_port else proxy.address
                 for case in cases]
    paths = {}
    for agent in AGENTS:
        config = {
            "global": {"scrape_interval": f"{INTERVAL}s",
                       "scrape_timeout": f"{INTERVAL}s"},
            "scrape_configs": [case.scrape_config(address, agent)
                               for case, address in zip(cases, addresses)],
        }
        if not old:  # with native histograms, 3.5 asks for protobuf
            config["global"]["scrape_protocols"] = TEXT_PROTOCOLS
        paths[agent] = os.path.join(args.work, f"{agent}.yml")
        with open(paths[agent], "w", encoding="utf-8") as f:
            json.dump(config, f, ensure_ascii=False, indent=1)  # is YAML, too
    vanishing = [case for case in cases if case.vanishes]
    for case in vanishing:
        case.write_file(args.work, proxy.address)

    features = ["extra-scrape-metrics", "exemplar-storage"]
    servers = []
    try:
        for name, command in (("prometheus", [args.prometheus]),
                              ("narthex", [args.narthex, "serve"])):
            more = [] if old or name == "narthex" else ["native-histograms"]
            servers.append(Server(name, command, args.work, paths[name],
                                  features + more))

        def rounds(case):
            return min(proxy.rounds(f"/{case.name}", a) for a in AGENTS)

        done = wait("the first scrapes", lambda: all(
            rounds(case) > 2 for case in vanishing), servers)
        for case in vanishing:
            case.write_file(args.work, None)
        done = done and wait("all rounds", lambda: all(
            rounds(case) > ROUNDS for case in cases
            if case.asked and not case.vanishes), servers)
        done = done and wait("stale markers", lambda: all(
            server.query(f'up{{case="{case.name}"}}') == []
            for case in vanishing for server in servers), servers)
        if not done:
            for case in cases:
                told = [proxy.rounds(f"/{case.name}", a) for a in AGENTS]
                if min(told) <= ROUNDS:
                    print(f"  {case.name}: {told} scrapes")
    finally:
        stopped = [server.stop() for server in servers]
    for server, status in zip(servers, stopped):
        if status != 0:
            sys.exit(f"FAILED: {server.name} exits {status}")
    return [Twin(s.name, Log(os.path.join(s.data, "wal"))) for s in servers]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--narthex", required=True)
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("live", nargs="*")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)

    cases = live_cases(args.live, args.old)
    cases += text.CASES + answers.CASES + openmetrics.CASES
    cases += protobuf.CASES
    cases = [case for case in cases
             if re.search(args.only, case.name) and (case.old or not args.old)]
    proxy = TwinProxy({path: source for case in cases
                       for path, source in case.sources().items()})
    began = time.monotonic()
    twins = scrape(args, cases, proxy, args.old)
    scraped = time.monotonic() - began

    problems = list(proxy.errors)
    series = samples = exemplars = 0
    for case in cases:
        same_requests(case, proxy, args.old, problems)
        for target in range(case.targets):
            n, m = compare_case(case, str(target), twins,
                                as_new if args.old else lambda labels: labels,
                                problems)
            series += n
            samples += m
        exemplars += compare_exemplars(case, twins, problems)
    for problem in problems:
        print(problem)
    print("; ".join(f"{twin.name}: {twin.punctual} of {twin.scrapes} scrapes "
                    "to the millisecond" for twin in twins))
    print(f"{len(cases)} cases, {series} series, {samples} samples, "
          f"{exemplars} exemplars; scraped in {scraped:.0f} s, compared in "
          f"{time.monotonic() - began - scraped:.0f} s")
    if problems:
        sys.exit(f"FAILED: {len(problems)} differences")


if __name__ == "__main__":
    main()
