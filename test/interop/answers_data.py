"""What the servers of same_answers have in their blocks: the vocabulary of
test/support/query_generator.h, as OpenMetrics text (for promtool) and as a
remote write request (for the real Prometheus: native histograms and stale
markers).  The same bytes whenever it is asked.
"""

import math
import random
import struct

BASE = 1700006400  # seconds; begins a block of two hours
SCRAPES = 160      # one in 15 s
INSTANT = BASE + 2001.5
START = BASE + 100
END = BASE + 2500
STEP = 47

INSTANCES = ("0", "1", "2")
JOBS = ("api", "web")


def times(rng, jitter=True):
    """Milliseconds, about 15 s apart."""
    for i in range(SCRAPES):
        yield i, (BASE + 15 * i) * 1000 + (rng.randrange(0, 40) if jitter else 0)


def floats():
    """Yields (name, labels, [(ms, value)]), names in one block each."""
    rng = random.Random(7)
    for code in ("200", "500"):
        for instance in INSTANCES:
            for job in JOBS:
                v, points = 0.0, []
                for i, t in times(rng):
                    v += rng.randrange(0, 50) if code == "200" else rng.random()
                    if rng.randrange(0, 60) == 0:
                        v = float(rng.randrange(0, 3))
                    points.append((t, v))
                yield "requests_total", dict(code=code, instance=instance,
                                             job=job), points
    for instance in INSTANCES:
        for job in JOBS:
            v, points = 0.0, []
            end = SCRAPES if instance != "2" else 97
            for i, t in times(rng):
                v += rng.choice((0, 0, 0, 1, 2))
                if i < end and rng.randrange(0, 10) > 1 and not 40 <= i < 64:
                    points.append((t, v))
            yield "errors_total", dict(instance=instance, job=job), points
    for instance in INSTANCES:
        for job in JOBS:
            yield "load", dict(instance=instance, job=job), [
                (t, round(rng.gauss(0, 3), rng.randrange(1, 17)))
                for _, t in times(rng)]
    for instance in INSTANCES:
        for room in ("hall", "attic"):
            yield "temp", dict(instance=instance, room=room), [
                (t, rng.choice((18.5, 19, 19, 20.25, 21)) + int(instance) % 2)
                for _, t in times(rng, False)]
    odd = {
        "nan": lambda i: math.nan if i % 7 < 3 else i / 3,
        "inf": lambda i: (math.inf, -math.inf, 1.0, 2.0, 3.0)[i // 5 % 5],
        "huge": lambda i: (1e308, 1.5e308, -1e308, 1e300)[i % 4],
        "tiny": lambda i: (5e-324, -1e-310, 1e-300, 0.0)[i % 4],
        "sparse": lambda i: float(i) if i % 9 == 0 else None,
        "signs": lambda i: (-0.0, 0.0, -1.5, 2.5, 0.1, -0.7)[i % 6],
    }
    for kind, value in odd.items():
        yield "odd", dict(kind=kind), [
            (t, value(i)) for i, t in times(rng) if value(i) is not None]
    for instance in INSTANCES:
        for job in JOBS:
            yield "up", dict(instance=instance, job=job), [
                (t, float(rng.randrange(0, 8) > 0)) for _, t in times(rng)]
    for instance in INSTANCES:
        for job in JOBS:
            version = "1.9" if instance == "0" else "1.10"
            yield "build_info", dict(instance=instance, job=job,
                                     version=version), [
                (t, 1.0) for _, t in times(rng)]
    for instance in INSTANCES:
        for job in JOBS:
            zone = "east" if instance == "0" else "west"
            yield "target_info", dict(instance=instance, job=job, zone=zone), [
                (t, 1.0) for _, t in times(rng)]
    for job in JOBS:
        counts = [0.0] * 4
        columns = [[] for _ in counts]
        for i, t in times(rng):
            for _ in range(rng.randrange(0, 20)):
                x = rng.expovariate(2)
                for k, bound in enumerate((0.1, 0.5, 1, math.inf)):
                    counts[k] += x <= bound
            for k in range(4):
                columns[k].append((t, counts[k]))
        for k, le in enumerate(("0.1", "0.5", "1", "+Inf")):
            yield "latency_bucket", dict(job=job, le=le), columns[k]
    # Classic histograms with something wrong about them.
    for le, scale in (("1", 3.0), ("2", 2.0), ("+Inf", 4.0)):
        yield "shaky_bucket", dict(le=le), [
            (t, i * scale) for i, t in times(rng)]
    for le in ("1", "2"):
        yield "open_bucket", dict(le=le), [
            (t, float(i)) for i, t in times(rng)]
    for le in ("1", "two", "+Inf"):
        yield "wrong_bucket", dict(le=le), [
            (t, float(i)) for i, t in times(rng)]
    for le in ("-1", "0", "1", "+Inf"):
        yield "negative_bucket", dict(le=le), [
            (t, float(i) * (float(le) + 2 if le != "+Inf" else 4))
            for i, t in times(rng)]
    # Seconds since the epoch, angles, one sample alone, a straight line.
    for zone, t0 in (("now", BASE), ("leap", 1709164800), ("old", -86400 * 400)):
        yield "moment_seconds", dict(zone=zone), [
            (t, t0 + 40000.0 * i) for i, t in times(rng)]
    yield "angle", dict(unit="turns"), [
        (t, (i - 80) / 80) for i, t in times(rng)]
    yield "lonely", {}, [(BASE * 1000 + 1800000, 42.0)]
    yield "line", {}, [(t, 3.0 * i) for i, t in times(rng, False)]
    yield "steady", {}, [(t, 0.1) for i, t in times(rng, False)]


def text_of(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def openmetrics():
    lines = []
    for name, labels, points in floats():
        inside = ",".join(f'{k}="{v}"' for k, v in labels.items())
        series = f"{name}{{{inside}}}" if inside else name
        for t, v in points:
            lines.append(f"{series} {text_of(v)} {t // 1000}.{t % 1000:03d}")
    return "\n".join(lines) + "\n# EOF\n"


# --- Remote write: protobuf and snappy, as little of them as is needed.

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def zigzag(n):
    return varint((n << 1) ^ (n >> 63) if n >= 0 else ((-n) << 1) - 1)


def field(number, kind, payload):
    return varint(number << 3 | kind) + payload


def message(number, payload):
    return field(number, 2, varint(len(payload)) + payload)


def double(number, value):
    return field(number, 1, struct.pack("<d", value))


def spans(number, list_of_spans):
    return b"".join(
        message(number, field(1, 0, zigzag(offset)) + field(2, 0, varint(length)))
        for offset, length in list_of_spans)


def packed(number, values, encode):
    return message(number, b"".join(map(encode, values))) if values else b""


GAUGE = 3


def histogram(t, schema, total, positive, positive_counts, negative=(),
              negative_counts=(), zero=0, threshold=0.001, hint=0, bounds=(),
              as_float=False):
    """Counts are absolute; spans are (offset, length)."""
    count = sum(positive_counts) + sum(negative_counts) + zero
    out = b""
    if as_float:
        out += double(2, count)
    else:
        out += field(1, 0, varint(count))
    out += double(3, total)
    out += field(4, 0, zigzag(schema))
    out += double(5, threshold if schema != -53 else 0)
    out += double(7, zero) if as_float else field(6, 0, varint(zero))

    def deltas(counts):
        return [b - a for a, b in zip((0,) + tuple(counts), counts)]
    for numbers, some_spans, counts in (((8, 9, 10), negative, negative_counts),
                                        ((11, 12, 13), positive,
                                         positive_counts)):
        out += spans(numbers[0], some_spans)
        if as_float:
            out += packed(numbers[2], counts, lambda c: struct.pack("<d", c))
        else:
            out += packed(numbers[1], deltas(counts), zigzag)
    if hint:
        out += field(14, 0, varint(hint))
    out += field(15, 0, varint(t))
    out += packed(16, bounds, lambda b: struct.pack("<d", b))
    return message(4, out)


def sample(t, value):
    return message(2, double(1, value) + field(2, 0, varint(t)))


STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def stale_sample(t):
    return message(2, field(1, 1, struct.pack("<Q", 0x7FF0000000000002)) +
                   field(2, 0, varint(t)))


def series(labels, body):
    names = b"".join(
        message(1, message(1, k.encode()) + message(2, v.encode()))
        for k, v in sorted(labels.items()))
    return message(1, names + body)


def histogram_series(rng):
    for instance in INSTANCES[:2]:
        for job in JOBS:
            # Counts stay large beside what is added within any window, at resets
            # too: there 3.5 and 3.14 extrapolate alike (see `young`).
            body, positive, negative, zero, total = \
                b"", [300] * 5, [0] * 2, 0, 0.0
            for i, t in times(rng):
                for k in range(5):
                    positive[k] += rng.randrange(0, 4)
                negative[rng.randrange(0, 2)] += rng.randrange(0, 2)
                zero += rng.randrange(0, 2)
                total += rng.random() * 20
                if rng.randrange(0, 50) == 0:
                    positive = [200 + rng.randrange(0, 5)] * 5
                    negative, zero, total = [0] * 2, 0, 5.0
                # The second half of one is coarser.
                schema = 1 if instance == "0" and i >= 80 else 2
                body += histogram(t, schema, total, ((-2, 2), (1, 3)), positive,
                                  ((0, 2),), negative, zero)
            yield dict(__name__="size", instance=instance, job=job), body
    for job in JOBS:
        bounds = (0.5, 1.0, 2.5, 10.0) if job == "api" else (0.5, 2.5, 20.0)
        counts, total, body = [300] * (len(bounds) + 1), 0.0, b""
        for i, t in times(rng):
            for k in range(len(counts)):
                counts[k] += rng.randrange(0, 3)
            total += rng.random() * 9
            body += histogram(t, -53, total, ((0, len(counts)),), counts,
                              bounds=bounds)
        yield dict(__name__="custom", job=job), body
    for instance in INSTANCES[:2]:
        samples, histograms = b"", b""
        for i, t in times(rng):
            if i // 20 % 2 == int(instance):
                samples += sample(t, float(i))
            else:
                histograms += histogram(
                    t, 0, 3.0 * i, ((0, 3),),
                    [i + 300, i + 301, i + 303], zero=i)
        yield dict(__name__="mixed", instance=instance), samples + histograms
    # Begins at nothing: since 3.6 rate() doesn't extrapolate beyond zero.
    body = b"".join(histogram(t, 0, 3.0 * i, ((0, 2),), [3 * i, 2 * i])
                    for i, t in times(rng))
    yield dict(__name__="young"), body
    body = b""
    for i, t in times(rng):
        body += histogram(t, 3, rng.random() * 10,
                          ((rng.randrange(-3, 3), 4),),
                          [rng.random() * 5 for _ in range(4)], zero=0.5,
                          hint=GAUGE, as_float=True)
    yield dict(__name__="queue", kind="gauge"), body
    # Comes and goes.
    body = b""
    for i, t in times(rng):
        if i % 40 == 25:
            body += stale_sample(t)
        elif i % 40 < 25:
            body += sample(t, float(i))
    yield dict(__name__="fleeting", instance="0"), body


def snappy(raw):
    """The block format, literals alone."""
    out = bytearray(varint(len(raw)))
    for at in range(0, len(raw), 65536):
        piece = raw[at:at + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def remote_write():
    rng = random.Random(11)
    return snappy(b"".join(series(*s) for s in histogram_series(rng)))
