#!/usr/bin/env python3
"""Writes OpenMetrics pages whose samples meet every rule by which a chunk ends:
its samples, its bytes, the end of its range, a prediction; and every code of
times and values.  make_pages.py DIR: DIR/<name>.om, DIR/<name>.flags."""

import random
import struct
import sys

HOUR = 3600.0
T0 = 1_700_006_400.0  # a multiple of two hours


def text(v):
    if v != v:
        return "NaN"
    if v in (float("inf"), float("-inf")):
        return "+Inf" if v > 0 else "-Inf"
    return repr(v)


class Page:
    def __init__(self, directory, name, flags=""):
        self.out = open(f"{directory}/{name}.om", "w")
        self.samples = {}
        if flags:
            open(f"{directory}/{name}.flags", "w").write(flags + "\n")

    def add(self, metric, labels, t, v):
        self.samples.setdefault(metric, []).append((labels, t, v))

    def close(self):
        for metric, rows in self.samples.items():
            self.out.write(f"# TYPE {metric} gauge\n")
            for labels, t, v in rows:
                self.out.write(f"{metric}{{{labels}}} {text(v)} {t:.3f}\n")
        self.out.write("# EOF\n")
        self.out.close()


def series(page, n, times, value, metric="m"):
    for i in range(n):
        for k, t in enumerate(times):
            page.add(metric, f'i="{i}",job="x"', t, value(i, k))


def every(step, n, start=T0):
    return [start + step * k for k in range(n)]


def main(directory):
    rnd = random.Random(3)
    made = 0

    def page(name, n, times, value, flags="", metric="m"):
        nonlocal made
        p = Page(directory, f"{made:02d}_{name}", flags)
        series(p, n, times, value, metric)
        p.close()
        made += 1

    counter = lambda i, k: float(k * (i + 1))
    constant = lambda i, k: 1.0
    # The end of the range, at common steps.
    for step in (1, 5, 10, 15, 30, 60, 300):
        page(f"step_{step}s", 3, every(step, min(4000, int(5 * HOUR / step))), counter)
    # 240 samples without a prediction that helps: many within one millisecond step.
    page("milliseconds", 2, every(0.001, 1500), counter)
    page("one_sample", 5, [T0 + 7], constant)
    page("two_samples", 2, [T0 + 7, T0 + 8], counter)
    # The quarter of a chunk: 29, 30, 31 samples and then a pause.
    for n in (29, 30, 31, 119, 120, 121, 239, 240, 241):
        page(f"pause_after_{n}", 2,
             every(15, n) + every(15, 60, T0 + 15 * n + 1800), counter)
    # Faster and slower after the prediction.
    page("gets_faster", 2, every(60, 31) + every(1, 900, T0 + 60 * 31), counter)
    page("gets_slower", 2, every(1, 60) + every(120, 100, T0 + 61), counter)
    # 1005 bytes before 120 samples: random bits, times that jump.
    bits = lambda i, k: struct.unpack("<d", struct.pack("<Q", rnd.getrandbits(52) | 0x3F << 56))[0]
    page("random_bits", 4, every(15, 700), bits)
    jitter = [T0]
    for _ in range(900):
        jitter.append(jitter[-1] + rnd.choice([0.001, 0.5, 14.999, 15, 15.001, 60, 300.5]))
    page("jitter", 3, jitter, counter)
    page("jitter_random_bits", 3, jitter, bits)
    # Codes of the values.
    special = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324,
               1.7976931348623157e308, 1.0, -1.0, 0.1, 2.0 ** 53, 1e-300]
    page("special_values", 2, every(15, 400), lambda i, k: special[(k * (i + 3)) % len(special)])
    page("alternating", 2, every(15, 400), lambda i, k: float(k % 2))
    page("one_bit", 1, every(15, 640), lambda i, k: struct.unpack("<d", struct.pack("<Q", 1 << (k % 63)))[0])
    page("decimals", 4, every(15, 600), lambda i, k: round(rnd.uniform(0, 100), 2))
    page("large_counters", 3, every(15, 600), lambda i, k: 1e9 * (i + 1) + k * 1234.0)
    walk = [0.0]
    page("random_walk", 3, every(10, 1200), lambda i, k: walk.__setitem__(0, walk[0] + rnd.gauss(0, 1)) or walk[0])
    # Codes of the times: deltas of deltas at the borders of 14, 17 and 20 bits.
    for name, border in (("14", 8.192), ("17", 65.536), ("20", 524.288)):
        t, times = T0, []
        for k in range(60):
            t += 1000 + (border if k % 2 else 0) + rnd.choice([-0.001, 0, 0.001])
            times.append(t)
        page(f"dod_{name}_bits", 2, times, counter)
    page("days_apart", 2, [T0 + 86400 * k for k in range(20)], counter)
    # Blocks: borders, gaps, long ones.
    page("on_the_border", 2, [T0 + 2 * HOUR - 0.001, T0 + 2 * HOUR, T0 + 2 * HOUR + 0.001,
                              T0 + 4 * HOUR - 0.001, T0 + 4 * HOUR], counter)
    page("of_1970", 2, every(60, 400, 60.0), counter)
    for duration in ("2h", "6h", "18h", "24h", "72h"):
        page(f"blocks_of_{duration}", 2, every(60, 2400), counter, f"--max-block-duration={duration}")
    # Symbols and postings.
    p = Page(directory, f"{made:02d}_labels")
    made += 1
    for i in range(500):
        p.add(f"metric_{i % 17}", f'a="{i}",b="{i % 3}",c="ä\\"\\\\ {i % 5}",d="{"x" * (i % 90)}"', T0 + i % 7, float(i))
    p.close()
    p = Page(directory, f"{made:02d}_many_series")
    made += 1
    for i in range(20000):
        p.add("m", f'id="{(i * 7919) % 20000}",zone="{i % 10}"', T0 + 1, float(i))
    p.close()
    for k in range(6):
        p = Page(directory, f"{made:02d}_mixture_{k}")
        made += 1
        for i in range(40):
            t, v, step = T0 + rnd.random() * 3600, 0.0, rnd.choice([1, 5, 15, 60])
            for _ in range(rnd.randrange(1, 500)):
                p.add(f"m{i % 5}", f'i="{i}"', t, v)
                t += step + (rnd.random() if rnd.random() < 0.3 else 0) + (3000 if rnd.random() < 0.005 else 0)
                v = rnd.choice([v, v + 1, v + rnd.random(), rnd.random() * 1e6, 0.0])
        p.close()
    print(f"{made} pages")


main(sys.argv[1])
