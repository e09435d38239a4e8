"""Random relabel rules, by the thousand: Prometheus and narthex are given the
same configuration, and must show the same targets, dropped ones included.

Usage: run.py --narthex BIN --prometheus BIN --work DIR [--seed N]
              [--configurations N] [--jobs N]

A difference is printed with its rules; `job(SEED, NUMBER)` of rules.py makes
them again.
"""

import argparse
import json
import os
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.dirname(here)]

from rules import job  # noqa: E402
from served import Served  # noqa: E402

PATIENCE = 300  # seconds
AT_ONCE = 5
SHOWN = 5
# Labels that 3.14 gives a target and 3.5 does not.
NEW_LABELS = ("__scrape_native_histograms__",
              "__convert_classic_histograms_to_nhcb__",
              "__always_scrape_classic_histograms__")


class Server(Served):
    def targets(self):
        """Number -> what became of it; None as long as they are not there."""
        data = self.data("targets")
        if data is None or not data["activeTargets"]:
            return None
        found = {}
        for target in data["activeTargets"]:
            number = int(target["discoveredLabels"]["__meta_number"])
            found[number] = (
                "active", known(target["discoveredLabels"]), target["labels"],
                target["scrapeUrl"], target["scrapePool"],
                target["scrapeInterval"], target["scrapeTimeout"])
        for target in data["droppedTargets"]:
            number = int(target["discoveredLabels"]["__meta_number"])
            found[number] = ("dropped", known(target["discoveredLabels"]))
        return found


def known(labels):
    return {k: v for k, v in labels.items() if k not in NEW_LABELS}


class Round:
    """One configuration, in both."""

    def __init__(self, args, number):
        self.numbers = range(number * args.jobs, (number + 1) * args.jobs)
        work = os.path.join(args.work, str(number))
        os.makedirs(work)
        path = os.path.join(work, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"scrape_configs": [job(args.seed, n)
                                          for n in self.numbers]},
                      f, ensure_ascii=False)  # is YAML, too
        self.servers = [
            Server("prometheus", [args.prometheus], path, work),
            Server("narthex", [args.narthex, "serve"], path, work)]
        self.seen = [None, None]
        self.still = 0  # looks since anything changed

    def look(self):
        """True: both have taken everything in."""
        before = [len(seen or ()) for seen in self.seen]
        self.seen = [server.targets() for server in self.servers]
        now = [len(seen or ()) for seen in self.seen]
        # Targets whose rules made nonsense are in neither list, so there is no
        # number to wait for; but both take in everything at once.
        self.still = self.still + 1 if min(now) > 0 and now == before else 0
        return self.still >= 2

    def differences(self, args):
        theirs, ours = self.seen
        for n in self.numbers:
            if theirs.get(n) != ours.get(n):
                yield (f"job {n}: {json.dumps(job(args.seed, n), indent=1)}\n"
                       f"  Prometheus {theirs.get(n)}\n"
                       f"  narthex    {ours.get(n)}")

    def stop(self):
        for server in self.servers:
            server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--narthex", required=True)
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--configurations", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1000)
    args = parser.parse_args()

    waiting = list(range(args.configurations))
    running = []
    wrong = []
    kinds = {"active": 0, "dropped": 0, "refused": 0}
    changed = 0
    until = time.monotonic() + PATIENCE
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                running.append(Round(args, waiting.pop(0)))
            for round_ in [r for r in running if r.look()]:
                wrong += round_.differences(args)
                theirs = round_.seen[0]
                for n in round_.numbers:
                    kinds[theirs[n][0] if n in theirs else "refused"] += 1
                    changed += n in theirs and len(theirs[n]) > 2 and {
                        **theirs[n][2], "job": "", "instance": ""
                    }.keys() != {"job", "instance"}
                round_.stop()
                running.remove(round_)
            if time.monotonic() > until:
                sys.exit(f"FAILED: not done after {PATIENCE} s")
            time.sleep(0.5)
    finally:
        for round_ in running:
            round_.stop()
    for text in wrong[:SHOWN]:
        print(text)
    total = args.configurations * args.jobs
    print(f"seed {args.seed}: {total} rule sets, {kinds['active']} targets "
          f"({changed} with labels of their own), {kinds['dropped']} dropped, "
          f"{kinds['refused']} refused; {len(wrong)} differ")
    if wrong:
        sys.exit("FAILED")
    if min(kinds.values()) * 50 < total:
        sys.exit("FAILED: the rules no longer make targets of every kind")


if __name__ == "__main__":
    main()
