"""What is appended: series of every kind, and what becomes of them.

A sample is told apart by text that holds every bit of it: `model[labels][t]`.
"""

import hashlib
import struct

import metric_family as mf

STALE = 0x7FF0000000000002
GAUGE = 3
CUSTOM = -53
STEP = 8000    # ms between samples of one series
ROUND = 150    # samples of a series in a turn
SPECIAL = [0x7FF8000000000001, 0x7FF0000000000000, 0xFFF0000000000000,
           0x8000000000000000, 1, 0x000FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF,
           0xFFF8000000000000, 0x7FF8000000000002, 0x3FF0000000000000, 0]


def bits_of(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def noise(*key):
    text = " ".join(map(str, key)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(),
                          "little")


class Histogram:
    """Buckets as {index: count}; integers, or floats if `floating`."""

    def __init__(self, schema=0, threshold=0.0, zeros=0, total=0.0,
                 positive=None, negative=None, custom=(), gauge=False,
                 floating=False, stale=False):
        self.schema, self.threshold, self.zeros = schema, threshold, zeros
        self.sum = STALE if stale else bits_of(total)
        self.stale = stale
        self.positive, self.negative = positive or {}, negative or {}
        self.custom, self.gauge, self.floating = custom, gauge, floating
        self.count = (zeros + sum(self.positive.values()) +
                      sum(self.negative.values()))

    def text(self):
        if self.stale:
            return "stale"
        return histogram_text(
            self.schema, bits_of(self.threshold), bits_of(float(self.zeros)),
            bits_of(float(self.count)), self.sum,
            {i: bits_of(float(n)) for i, n in self.positive.items()},
            {i: bits_of(float(n)) for i, n in self.negative.items()},
            [bits_of(bound) for bound in self.custom], self.gauge)

    def message(self, t):
        one = float if self.floating else int
        out = [(2 if self.floating else 1, one(self.count)),
               (3, mf.Bits(self.sum)), (4, mf.Signed(self.schema)),
               (5, self.threshold), (7 if self.floating else 6,
                                     one(self.zeros))]
        for buckets, spans, deltas, counts in (
                (self.negative, 8, 9, 10), (self.positive, 11, 12, 13)):
            if not buckets:
                continue
            end, last, values = 0, 0, b""
            for offset, indices in runs(sorted(buckets), end):
                out.append((spans, [(1, mf.Signed(offset)),
                                    (2, len(indices))]))
                for i in indices:
                    n = buckets[i]
                    if self.floating:
                        values += struct.pack("<d", n)
                    else:
                        delta = n - last
                        values += mf.varint(delta << 1 ^ delta >> 63)
                        last = n
            out.append((counts if self.floating else deltas, values))
        if self.gauge:
            out.append((14, GAUGE))
        out.append((15, t))
        if self.custom:
            out.append((16, struct.pack(f"<{len(self.custom)}d",
                                        *self.custom)))
        return out


def runs(indices, end):
    """(offset from the end of the run before, indices)."""
    run = []
    for i in indices:
        if run and i != run[-1] + 1:
            yield run[0] - end, run
            end, run = run[-1] + 1, []
        run.append(i)
    if run:
        yield run[0] - end, run


def histogram_text(schema, threshold, zeros, count, total, positive, negative,
                   custom, gauge):
    """Of bits.  Empty buckets are left out: chunks may have more of them."""
    def side(buckets):
        return ",".join(f"{i}:{n:x}" for i, n in sorted(buckets.items()) if n)
    return (f"h {schema} {threshold:x} {zeros:x} {count:x} {total:x} "
            f"[{side(positive)}] [{side(negative)}] "
            f"[{','.join(f'{bound:x}' for bound in custom)}]"
            f"{' gauge' if gauge else ''}")


# --- The series.  Each: (name, labels, {t: bits or Histogram}) of one turn.


def counter(k, i, floating=False, gauge=False):
    """Buckets appear as it grows; it begins anew in the middle of a turn."""
    n = k * ROUND + i + 1
    if not gauge:
        n = i + 1 if i < ROUND // 2 else i - ROUND // 2 + 1
    wide = 3 + i // 20
    one = (lambda x: x * 1.25) if floating else (lambda x: x)
    positive = {b - 3: one(n * (b % 3 + 1)) for b in range(2)}
    positive |= {b + 3: one(n * (b % 3 + 1)) for b in range(wide)}
    if gauge and i % 10 > 4:
        positive = {b: n for b, n in positive.items() if b % 2}
    return Histogram(2, 0.001, one(n), 0.1 * n, positive, {2: one(n)},
                     gauge=gauge, floating=floating)


def changing(k, i):
    """Resolutions and thresholds change, and what is stale comes back."""
    if i % 29 == 28:
        return Histogram(stale=True)
    return Histogram(i // 40 - 1, (0.0, 2.0 ** -10, 0.003)[i // 50], i + 1,
                     -0.5 * i, {-5: i + 1, 0: 2 * i + 1, 40: i + 1})


def own_buckets(k, i, floating=False):
    bounds = (0.1, 1.0, 2.5) if i < 80 else (0.1, 1.0, 2.5, 33333.33333, 1e9)
    one = float if floating else int
    counts = {b: one(i + b + k) for b in range(len(bounds) + 1)}
    return Histogram(CUSTOM, total=1.5 * i, positive=counts, custom=bounds,
                     floating=floating)


def series_of_turn(k, begin, old):
    """`old`: what 2.42 knows."""
    times = [begin + i * STEP for i in range(ROUND)]
    out = []

    def add(name, value, at=times, **more):
        labels = tuple(sorted({"__name__": name, **more}.items()))
        samples = {}
        for i, t in enumerate(at):
            sample = value(i)
            if sample is not None:
                samples[t] = sample
        out.append((labels, samples))

    for n in range(6):
        add("t_counter", lambda i: bits_of((k * ROUND + i) * 0.1 * (n + 1)),
            i=str(n), job="turns", text=f"caf\u00e9 {n} \"x\"")
    add("t_same", lambda i: bits_of(42.0))
    add("t_noise", lambda i: noise("t_noise", k, i))
    add("t_special", lambda i: SPECIAL[i % len(SPECIAL)])
    add("t_irregular", lambda i: bits_of(float(i)),
        at=[t + noise(t) % 3000 for t in times])
    add("t_sparse", lambda i: bits_of(1.0 * i) if i % 40 == k else None)
    add("t_stale", lambda i: STALE if i % 17 == 3 else bits_of(i / 7))
    add("t_doomed", lambda i: bits_of(float(i)), part="some")
    add("t_doomed", lambda i: bits_of(float(i)), part="all")
    add("t_of_one_turn", lambda i: bits_of(float(k * i)), turn=str(k))
    add("h_integer", lambda i: counter(k, i))
    add("h_floating", lambda i: counter(k, i, floating=True))
    add("h_gauge", lambda i: counter(k, i, gauge=True))
    add("h_gauge_floating", lambda i: counter(k, i, True, True))
    add("h_doomed", lambda i: counter(k, i))
    add("h_changing", lambda i: changing(k, i))
    add("h_mixed", lambda i: counter(k, i) if i // 30 % 2 else
        bits_of(float(i)))
    if not old:
        add("c_integer", lambda i: own_buckets(k, i))
        add("c_floating", lambda i: own_buckets(k, i, True))
    for n in range(3):
        add("l_float", lambda i: bits_of(0.5 * i + n), i=str(n))
    if not old:
        add("l_integer", lambda i: counter(k, i))
        add("l_floating", lambda i: counter(k, i, floating=True))
        add("l_own", lambda i: own_buckets(k, i))
    return out


def late_of_turn(k, begin, old):
    """Between those that came in time; more than a head holds unwritten."""
    shifted = series_of_turn(k, begin + STEP // 2, old)
    return [(labels, {t: v for t, v in samples.items() if noise(k, t) % 3 == 0})
            for labels, samples in shifted if labels[0][1].startswith("l_")]


def exemplars_of_turn(k, begin):
    """{labels of a series: [(labels, value, t)]}."""
    out = {}
    for n in range(2):
        labels = tuple(sorted({"__name__": "t_counter", "i": str(n),
                               "job": "turns",
                               "text": f"caf\u00e9 {n} \"x\""}.items()))
        out[labels] = [((("trace_id", f"{k}-{i}"),), 0.1 * i, begin + i * STEP)
                       for i in range(0, ROUND, 7)]
    return out


def requests(series, exemplars, per_request):
    """Bodies of remote write requests, and the samples in each, by time."""
    times = sorted({t for _, samples in series for t in samples})
    for at in range(0, len(times), per_request):
        low = times[at]
        high = times[min(at + per_request, len(times)) - 1]
        body = []
        for labels, samples in series:
            one = [(1, [(1, name), (2, value)]) for name, value in labels]
            some = [(t, v) for t, v in samples.items() if low <= t <= high]
            for t, v in sorted(some, key=lambda pair: pair[0]):
                if isinstance(v, Histogram):
                    one.append((4, v.message(t)))
                else:
                    one.append((2, [(1, mf.Bits(v)), (2, t)]))
            for of, value, t in exemplars.get(labels, ()):
                if low <= t <= high:
                    one.append((3, [(1, [(1, n), (2, v)]) for n, v in of] +
                                [(2, value), (3, t)]))
            if some:
                body.append((1, one))
        yield mf.encode(body)


def text_of(v):
    if isinstance(v, Histogram):
        return v.text()
    return "stale" if v == STALE else f"f {v:x}"
