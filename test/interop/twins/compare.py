"""What two servers stored of the same pages: are they equal?

A scrape's samples carry its time, which is each server's own; so times are
told by the number of the scrape (of the `up` sample that bears the same time),
and only explicit timestamps as they are.
"""

import math
import statistics
import struct
from dataclasses import dataclass

from case import ROUNDS

STALE = 0x7FF0000000000002
DURATION = "scrape_duration_seconds"
SHOWN = 6  # differences per case
LATER = 6  # rounds by which one server may be ahead at the end


@dataclass
class Twin:
    """A server, and what it left."""

    name: str  # "prometheus" or "narthex"
    log: object  # wal_log.Log
    scrapes: int = 0
    punctual: int = 0  # of them, to the millisecond


def show(value):
    if not isinstance(value, int):
        return str(value)
    if value == STALE:
        return "stale"
    number = struct.unpack(">d", struct.pack(">Q", value))[0]
    return f"{number!r}" if not math.isnan(number) else f"NaN {value:016x}"


def show_series(labels):
    return "{" + ",".join(f'{k}="{v[:60]}"' for k, v in labels
                          if k not in ("case", "target")) + "}"


def show_samples(samples):
    return " ".join(f"{'@' if kind == 'at' else '#'}{t}:{show(v)}"
                    for (kind, t), v in samples)


def of_target(series, case, target):
    want = {("case", case), ("target", target)}
    return {labels: samples for labels, samples in series.items()
            if want <= set(labels)}


def scrape_times(series, case, target):
    """Of `up` as the report writes it: with the fewest labels."""
    ups = [labels for labels in of_target(series, case, target)
           if ("__name__", "up") in labels]
    if not ups:
        return []
    return [t for t, _ in series[min(ups, key=len)]]


def rounded(samples, times, normalize=lambda v: v):
    """By number of scrape, as far as the pages that are compared."""
    number = {t: k for k, t in enumerate(times)}
    told = []
    for t, value in samples:
        k = number.get(t)
        if k is None:
            told.append((("at", t), normalize(value)))
        elif k < ROUNDS:
            told.append((("round", k), normalize(value)))
    return told


def runs(samples):
    """For a target that went: values without repetitions."""
    values = [v for _, v in samples]
    kept = [v for i, v in enumerate(values) if i == 0 or v != values[i - 1]]
    return [(("round", i), v) for i, v in enumerate(kept)]


def check_grid(case, twin, times, interval_ms, problems):
    """Scrapes come once an interval, at the same place in it."""
    place = statistics.mode(t % interval_ms for t in times)
    off = [(t - place) % interval_ms for t in times]
    off = [o if o < interval_ms / 2 else o - interval_ms for o in off]
    near = sum(abs(o) <= interval_ms / 20 for o in off)
    twin.scrapes += len(times)
    twin.punctual += sum(o == 0 for o in off)
    gaps = [b - a for a, b in zip(times, times[1:])]
    # A busy machine is late now and then, but goes on with the same grid.
    if near * 2 < len(times) or min(gaps) * 3 < interval_ms:
        problems.append(f"{case.name}: {twin.name} leaves the grid by {off}")


def compare_case(case, target, twins, changes, problems):
    """Returns how many series and samples were equal."""
    told = []
    interval_ms = case.interval_ms()
    for twin in twins:
        found = of_target(twin.log.series, case.name, target)
        times = scrape_times(twin.log.series, case.name, target)
        if len(times) < (2 if case.vanishes else ROUNDS):
            problems.append(f"{case.name}: {len(times)} scrapes of {twin.name}")
            return 0, 0
        duration = min((labels for labels in found
                        if ("__name__", DURATION) in labels),
                       key=len, default=None)
        series = {}
        for labels, samples in found.items():
            if labels == duration:
                continue
            kept = (runs(samples) if case.vanishes
                    else rounded(samples, times))
            if kept:
                series[changes(labels)] = kept
        check_grid(case, twin, times[:ROUNDS], interval_ms, problems)
        if case.vanishes:
            check_vanished(case, twin, found, interval_ms, problems)
        if duration is None or len(found[duration]) < len(times):
            problems.append(f"{case.name}: {twin.name} lacks {DURATION}")
        told.append(series)

    theirs, ours = told
    wrong = []
    for labels in sorted(theirs.keys() | ours.keys()):
        a, b = theirs.get(labels), ours.get(labels)
        if a == b:
            continue
        if a is None or b is None:
            who, samples = ("narthex", b) if a is None else ("Prometheus", a)
            wrong.append(f"  only {who} has {show_series(labels)}: "
                         f"{show_samples(samples)}")
        else:
            wrong.append(f"  {show_series(labels)}\n"
                         f"    Prometheus {show_samples(a)}\n"
                         f"    narthex    {show_samples(b)}")
    if wrong:
        problems.append(f"{case.name}: {len(wrong)} of {len(theirs)} series "
                        "differ\n" + "\n".join(wrong[:SHOWN]))
    if case.histograms and not any(isinstance(v, tuple) for samples in
                                   theirs.values() for _, v in samples):
        problems.append(f"{case.name}: Prometheus stored no histogram")
    pages = [labels for labels in theirs
             if not dict(labels)["__name__"].startswith(("up", "scrape_"))]
    if len(pages) < case.stored:
        problems.append(f"{case.name}: only {len(pages)} series of its pages")
    return len(theirs), sum(map(len, theirs.values()))


def check_vanished(case, twin, found, interval_ms, problems):
    for labels, samples in found.items():
        marked = [t for t, v in samples if v == STALE]
        if marked != [samples[-1][0]]:
            problems.append(f"{case.name}: {twin.name} does not end "
                            f"{show_series(labels)} with one stale marker")
            return
        gap = (marked[0] - samples[-2][0]) / interval_ms
        if not 0.5 < gap < 1.8:
            problems.append(f"{case.name}: {twin.name} marks {gap:.2f} "
                            "intervals after the last scrape")
            return


def compare_exemplars(case, twins, problems):
    """Their own times are the page's; the others are the scrape's."""
    stored = [of_target(twin.log.exemplars, case.name, "0") for twin in twins]
    told = []
    for twin, mine in zip(twins, stored):
        found = {}
        times = scrape_times(twin.log.series, case.name, "0")
        number = {t: k for k, t in enumerate(times)}
        for labels, list_ in mine.items():
            kept = []
            for exemplar in list_:
                t, bits, own = exemplar
                # What both have is the page's, though one may have scraped at
                # that very moment.
                k = None if all(exemplar in other.get(labels, [])
                                for other in stored) else number.get(t)
                if k is None or k < ROUNDS:
                    kept.append((("at", t) if k is None else ("round", k),
                                 bits, own))
            found[labels] = kept
        told.append(found)
    theirs, ours = told
    # Those that bear times of their own come from later pages, too, of which
    # one server may have seen more.
    for labels in theirs.keys() & ours.keys():
        a, b = theirs[labels], ours[labels]
        if 0 < abs(len(a) - len(b)) <= LATER:
            both = min(len(a), len(b))
            theirs[labels], ours[labels] = a[:both], b[:both]
    if case.exemplars and not theirs:
        problems.append(f"{case.name}: Prometheus stored no exemplar")
    if theirs != ours:
        wrong = [f"  {show_series(labels)}\n"
                 f"    Prometheus {theirs.get(labels)}\n"
                 f"    narthex    {ours.get(labels)}"
                 for labels in sorted(theirs.keys() | ours.keys())
                 if theirs.get(labels) != ours.get(labels)]
        problems.append(f"{case.name}: exemplars differ\n" +
                        "\n".join(wrong[:SHOWN]))
    return sum(map(len, theirs.values()))
