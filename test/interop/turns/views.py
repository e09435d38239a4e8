"""The samples of a directory as somebody shows them: {labels: {t: text}}, the
texts those of samples.py."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import metric_family as mf
import wire
from samples import GAUGE, STALE, bits_of, histogram_text

FAR = 1 << 60  # ms
PATIENCE = 120  # seconds, on a machine that is ten times as slow


def call(url, data=None, headers=None, wanted=200, timeout=PATIENCE):
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    if status != wanted:
        raise RuntimeError(f"{url} answers {status}: {body[:500]!r}")
    return body


def ask(url, path, **parameters):
    return json.loads(call(f"{url}/api/v1/{path}?" +
                           urllib.parse.urlencode(parameters)))["data"]


def write(url, body):
    call(f"{url}/api/v1/write", wire.snappy(body),
         {"Content-Type": "application/x-protobuf",
          "Content-Encoding": "snappy",
          "X-Prometheus-Remote-Write-Version": "0.1.0"}, wanted=204)


# --- Remote read: bits on the wire.  Prometheus has it, but leaves out own
# bounds (3.5) and what equals 0, so that -0 becomes 0.

MINUS_ZERO = f"{1 << 63:x}"


def as_on_the_wire(view):
    return {labels: {t: on_the_wire(text) for t, text in samples.items()}
            for labels, samples in view.items()}


def floats_alone(view):
    """2.42 has no histograms in remote read, and all of a series the same in an
    answer."""
    return {labels: samples for labels, samples in view.items()
            if not dict(labels)["__name__"].startswith("h_")}


def on_the_wire(text):
    part = text.split(" ")
    if part[0] == "h":
        part[8] = "[]"
    return " ".join("0" if one == MINUS_ZERO else one for one in part)


def remote_read(url):
    query = mf.encode([(1, [(1, 0), (2, FAR),
                            (3, [(1, 2), (2, "__name__"), (3, ".+")])]),
                       (2, 0)])
    answer = wire.unsnappy(call(
        f"{url}/api/v1/read", wire.snappy(query),
        {"Content-Type": "application/x-protobuf",
         "Content-Encoding": "snappy",
         "X-Prometheus-Remote-Read-Version": "0.1.0"}))
    out = {}
    for _, result in wire.fields(answer):
        for _, series in wire.fields(result):
            labels, samples = [], {}
            for number, value in wire.fields(series):
                if number == 1:
                    pair = dict(wire.fields(value))
                    labels.append((pair[1].decode(), pair[2].decode()))
                elif number == 2:
                    sample = dict(wire.fields(value))
                    v = wire.bits(sample.get(1, bytes(8)))
                    samples[wire.int64(sample.get(2, 0))] = (
                        "stale" if v == STALE else f"f {v:x}")
                elif number == 4:
                    t, text = read_histogram(value)
                    samples[t] = text
            if samples:
                out[tuple(labels)] = samples
    return out


def read_histogram(data):
    one, spans = {}, {8: [], 11: []}
    for number, value in wire.fields(data):
        if number in spans:
            span = dict(wire.fields(value))
            spans[number].append((wire.signed(span.get(1, 0)),
                                  span.get(2, 0)))
        else:
            one[number] = value

    def number_of(integer, floating):
        if floating in one:
            return wire.bits(one[floating])
        return bits_of(float(one.get(integer, 0)))

    def buckets(which, deltas, counts):
        if counts in one:
            values = list(wire.all_bits(one[counts]))
        else:
            values, last = [], 0
            for delta in wire.varints(one.get(deltas, b"")):
                last += wire.signed(delta)
                values.append(bits_of(float(last)))
        out, index = {}, 0
        values = iter(values)
        for offset, length in spans[which]:
            index += offset
            for _ in range(length):
                out[index] = next(values)
                index += 1
        return out

    total = wire.bits(one.get(3, bytes(8)))
    if total == STALE:
        return wire.int64(one.get(15, 0)), "stale"
    return wire.int64(one.get(15, 0)), histogram_text(
        wire.signed(one.get(4, 0)), wire.bits(one.get(5, bytes(8))),
        number_of(6, 7), number_of(1, 2), total, buckets(11, 12, 13),
        buckets(8, 9, 10), [], one.get(14, 0) == GAUGE)


# --- The query API: what a server itself reads.


def queried(url, at):
    """Floats by bits; of histograms count and sum.  No stale markers; of NaN
    no bits."""
    out = {}
    for series in ask(url, "query", query='{__name__!=""}[12h]',
                      time=f"{at / 1000:.3f}")["result"]:
        samples = out.setdefault(tuple(sorted(series["metric"].items())), {})
        for t, v in series.get("values", ()):
            samples[round(t * 1000)] = short(f"f {bits_of(float(v)):x}")
        for t, h in series.get("histograms", ()):
            samples[round(t * 1000)] = (f"h {bits_of(float(h['count'])):x} "
                                        f"{bits_of(float(h['sum'])):x}")
    return out


def short(text):
    """As `queried` has it; None: not at all."""
    if text == "stale":
        return None
    if text[0] == "f":
        return "f NaN" if is_nan(int(text[2:], 16)) else text
    part = text.split()
    return f"h {part[4]} {part[5]}"


def is_nan(bits):
    return bits & 0x7FF << 52 == 0x7FF << 52 and bits & (1 << 52) - 1 != 0


def shortened(view):
    out = {labels: {t: short(text) for t, text in samples.items()
                    if short(text) is not None}
           for labels, samples in view.items()}
    return {labels: samples for labels, samples in out.items() if samples}


def exemplars(url, begin, end):
    out = set()
    for series in ask(url, "query_exemplars", query='{__name__!=""}',
                      start=f"{begin / 1000:.3f}",
                      end=f"{end / 1000:.3f}"):
        labels = tuple(sorted(series["seriesLabels"].items()))
        for one in series["exemplars"]:
            out.add((labels, tuple(sorted(one["labels"].items())),
                     bits_of(float(one["value"])),
                     round(one["timestamp"] * 1000)))
    return out


# --- narthex's read-only open.


def printed(program, directory):
    run = subprocess.run([program, directory], capture_output=True, text=True,
                         encoding="utf-8", check=False)
    if run.returncode != 0:
        raise RuntimeError(f"print_samples: {run.stderr}")
    out, samples = {}, {}
    for line in run.stdout.split("\n"):
        if line.startswith("S"):
            part = line.split("\t")[1:]
            samples = out[tuple(zip(part[::2], part[1::2]))] = {}
        elif line:
            t, _, text = line.partition(" ")
            part = text.split(" ")
            stale = part[1 if part[0] == "f" else 5] == f"{STALE:x}"
            samples[int(t)] = "stale" if stale else text
    return {labels: samples for labels, samples in out.items() if samples}


# --- Comparing.


def differences(want, got, most=8):
    out = []
    for labels in sorted(want.keys() | got.keys()):
        a, b = want.get(labels, {}), got.get(labels, {})
        if a == b:
            continue
        name = "{" + ", ".join(f"{n}={v!r}" for n, v in labels) + "}"
        times = sorted(t for t in a.keys() | b.keys() if a.get(t) != b.get(t))
        out.append(f"{name}: {len(times)} of {len(a)} samples differ")
        for t in times[:3]:
            out.append(f"  at {t}: want {a.get(t)}, got {b.get(t)}")
        if len(out) >= most * 4:
            break
    return out


def wait_for(what, ready, process):
    until = time.monotonic() + PATIENCE
    while not ready():
        process.check_alive()
        if time.monotonic() > until:
            raise RuntimeError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.1)
