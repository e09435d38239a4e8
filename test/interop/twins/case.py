"""A case: pages that a target shows round after round, and the scrape_config
that asks for them."""

import json
import os
import time
from dataclasses import dataclass, field

from twin_proxy import Reply

ROUNDS = 8  # compared; what comes later repeats the last page
INTERVAL = 2  # seconds

# Explicit timestamps hang on this, milliseconds off any scrape's grid.
START = int(time.time()) * 1000 + 777
MINUTE = 60_000


@dataclass
class Case:
    name: str
    pages: object  # [bytes, str or Reply] or function of a Request
    job: dict = field(default_factory=dict)  # of its scrape_config
    ours: dict = field(default_factory=dict)  # for narthex alone
    old: bool = False  # 2.42 stores the same
    paths: dict = field(default_factory=dict)  # further ones: path -> pages
    labels: dict = field(default_factory=dict)  # of its target
    exemplars: bool = False  # must have some
    histograms: bool = False  # must have native ones
    stored: int = 1  # series with samples of pages, at least
    targets: int = 1  # how many; they share the pages
    asked: bool = True  # False: no scrape comes as far as a request
    own_port: bool = False  # no connection shared with other cases
    vanishes: bool = False  # its target goes in the course of the test

    def sources(self):
        """Path -> function of a Request."""
        found = {f"/{self.name}": as_source(self.pages)}
        for path, pages in self.paths.items():
            found[path] = as_source(pages)
        return found

    def groups(self, address):
        return [{"targets": [address],
                 "labels": {"case": self.name, "target": str(n), **self.labels}}
                for n in range(self.targets)]

    def write_file(self, directory, address):
        """Of file_sd, in one piece; no address: no target any more."""
        path = os.path.join(directory, self.name + ".json")
        with open(path + ".new", "w") as f:
            json.dump(self.groups(address) if address else [], f)
        os.rename(path + ".new", path)

    def interval_ms(self):
        return 1000 * int(self.job.get("scrape_interval",
                                       f"{INTERVAL}s").rstrip("s"))

    def scrape_config(self, address, agent):
        groups = self.groups(address)
        for n, group in enumerate(groups[1:], 1):
            group["labels"]["__param_n"] = str(n)
        config = {"job_name": self.name, "metrics_path": f"/{self.name}"}
        if self.vanishes:
            config["file_sd_configs"] = [{"files": [self.name + ".json"]}]
        else:
            config["static_configs"] = groups
        config.update(self.job)
        if agent == "narthex":
            config.update(self.ours)
        return config


def as_source(pages):
    if callable(pages):
        return pages

    def page(request):
        found = pages[min(request.number, len(pages) - 1)]
        if isinstance(found, Reply):
            return found
        if isinstance(found, str):
            found = found.encode()
        return Reply(found)

    return page


def by_round(make, rounds=ROUNDS):
    return [make(k) for k in range(rounds)]
