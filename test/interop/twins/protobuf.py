"""Awkward pages of protobuf, native histograms above all."""

import metric_family as mf
from case import MINUTE, ROUNDS, START, Case, by_round
from metric_family import Bits, Signed
from twin_proxy import PROTOBUF, Reply

ASKED = {"scrape_protocols": ["PrometheusProto", "OpenMetricsText1.0.0",
                              "PrometheusText0.0.4"]}
# What 3.5 does by a feature flag, narthex is told in the job.
NATIVE = {"scrape_native_histograms": True}


def page(*families):
    return Reply(mf.delimited(*families), PROTOBUF)


def simple(k):
    ex = mf.exemplar(0.5, START + 1000 * k, trace_id=f"t{k}")
    return page(
        mf.family("req_total", mf.COUNTER, mf.counter(float(k), ex, code="200"),
                  mf.counter(1.5, code="500", created=START), help="Help"),
        mf.family("temp_celsius", mf.GAUGE, mf.gauge(-k * 0.1),
                  mf.gauge(float(k), at=START - 30 * MINUTE + k, timed="yes"),
                  unit="celsius"),
        mf.family("what", mf.UNTYPED, mf.untyped(float(k))),
        mf.family("rpc", mf.SUMMARY, mf.summary(
            k, 1.5, [(0.5, 0.1), (0.99, float("nan")), (1.0, float(k))])),
        mf.family("wait", mf.HISTOGRAM, mf.histogram(
            (1, 20 + k), (2, 3.5), mf.bucket(0.1, k, ex), mf.bucket(1.0, 10),
            mf.bucket(2.5, 11 + k))),
        mf.family("wait_inf", mf.HISTOGRAM, mf.histogram(
            (1, 20), (2, 3.5), mf.bucket(1.0, 10),
            mf.bucket(float("inf"), 20, mf.exemplar(9, x="y")))),
        mf.family("depth", mf.GAUGE_HISTOGRAM, mf.histogram(
            (4, 2.5), (2, 1.0), mf.bucket(1.0, 1.5))),
        mf.family("nothing", mf.GAUGE),
        mf.family("a.b", mf.GAUGE, mf.gauge(1.0, **{"l.m": "\u00fc"})),
    )


# The payloads that text cannot carry; the second is the stale marker itself.
NANS = [0x7FF8000000000001, 0x7FF0000000000002, 0x7FF8000000000002,
        0xFFF8000000000000, 0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF,
        0x8000000000000000, 0x0000000000000001]


def nans(k):
    return page(mf.family("nan", mf.GAUGE, mf.gauge(Bits(NANS[k])),
                          mf.gauge(Bits(NANS[-1 - k]), other="y")))


def natives(k):
    ex = [(16, mf.exemplar(0.5, START + 1000 * k, id=str(k))),
          (16, mf.exemplar(0.7, id="no time")),
          (16, mf.exemplar(0.1, START + 1000 * k - 500, id="older"))]
    both = mf.native(1, 2, [(0, 2), (1, 1)], [1, k, -1], count=4 + 2 * k,
                     total=5.0)
    return page(
        mf.family("h", mf.HISTOGRAM,
                  mf.histogram(*mf.native(3, k, [(-2, 2), (3, 1)], [1 + k, 1,
                                                                    -1],
                                          [(0, 1)], [k], count=4 + 5 * k,
                                          total=1.5 * k), *ex)),
        mf.family("h_both", mf.HISTOGRAM, mf.histogram(
            *both, mf.bucket(0.5, 3), mf.bucket(1.0, 7 + k, ex[0][1]))),
        mf.family("h_float", mf.HISTOGRAM, mf.histogram(
            *mf.native_float(0, 0.5, [(0, 2)], [1.5, k + 0.25],
                             count=3.0 + k, total=2.0), x="1")),
        mf.family("h_gauge", mf.GAUGE_HISTOGRAM, mf.histogram(
            *mf.native(0, 1, [(0, 1)], [15 - k], count=16 - k))),
        mf.family("h_empty", mf.HISTOGRAM, mf.histogram(
            *mf.native(3, 0, [(0, 0)], []), x="noop span")),
        mf.family("h_timed", mf.HISTOGRAM, mf.histogram(
            *mf.native(0, 1, [(0, 1)], [k], count=1 + k),
            at=START - 20 * MINUTE + 1000 * k)),
        mf.family("h_resets", mf.HISTOGRAM, mf.histogram(
            *mf.native(2, 0, [(0, 2)], [[5, 9, 2, 4][k % 4], 0],
                       count=2 * [5, 9, 2, 4][k % 4]))),
        mf.family("h_schema", mf.HISTOGRAM, mf.histogram(
            *mf.native(3 - k % 4, 0, [(0, 1)], [3], count=3))),
        mf.family("h_vanishes", mf.HISTOGRAM, *([] if k in (2, 3) else [
            mf.histogram(*mf.native(0, 0, [(0, 1)], [k], count=k))])),
        mf.family("turns", *((mf.GAUGE, mf.gauge(float(k))) if k % 3 == 1 else
                             (mf.HISTOGRAM, mf.histogram(
                                 *mf.native(0, 0, [(0, 1)], [k], count=k))))),
        mf.family("classic", mf.HISTOGRAM, mf.histogram(
            (1, 9 + k), (2, 1.0), mf.bucket(0.5, 3), mf.bucket(1.0, 7 + k))),
    )


def wide(k):
    """More buckets than a limit of 20 lets through as they are."""
    return page(mf.family("wide", mf.HISTOGRAM, mf.histogram(
        *mf.native(8, 0, [(0, 10 * k + 1)], [1] + [0] * (10 * k),
                   count=10 * k + 1))),
        mf.family("small", mf.GAUGE, mf.gauge(1.0)))


def bad(k):
    """A histogram that is none, behind a good sample.  Schemas that are not
    known are stored by 3.5 but refused or reduced by 3.14 and narthex; buckets
    that the spans do not cover are refused by narthex as it reads them."""
    odd = [
        mf.native(0, 0, [(0, 1)], [2], count=1),
        mf.native(0, 0, [(0, 1)], [1], [(0, 1)], [-5], count=1),
        mf.native(0, 0, [(0, 1)], [1], count=0),
        mf.native(0, 0, [(0, 1)], [-1], count=1),
        mf.native(0, 5, [(0, 1)], [1], count=1),
        mf.native(0, 0, [(0, 1), (-1, 1)], [1, 0], count=2),
        mf.native(-53, 0, [(0, 1)], [1], count=1),
        mf.native(0, 0, [(0, 1)], [1], count=1, total=float("nan")),
    ][k]
    return page(mf.family("good", mf.GAUGE, mf.gauge(1.0)),
                mf.family("odd", mf.HISTOGRAM, mf.histogram(*odd)),
                mf.family("after", mf.GAUGE, mf.gauge(2.0)))


GOOD = mf.delimited(mf.family("good", mf.GAUGE, mf.gauge(1.0)))
ODD_PAGES = [
    GOOD + b"\x05abc", GOOD + b"\xff" * 12, GOOD + mf.delimited([]),
    GOOD + mf.delimited([(1, "no_kind"), (4, mf.gauge(1.0))]),
    GOOD + mf.delimited([(3, mf.GAUGE), (4, mf.gauge(1.0))]),
    GOOD + mf.delimited([(1, "odd"), (3, 9), (4, mf.gauge(1.0))]),
    GOOD + mf.delimited(mf.family("odd", mf.COUNTER, mf.gauge(1.0))),
    GOOD + mf.delimited(mf.family(b"o\xffdd", mf.GAUGE, mf.gauge(1.0))),
    GOOD + mf.delimited(mf.family("odd", mf.GAUGE,
                                  mf.gauge(1.0, a=b"\xff"))),
    GOOD + mf.delimited(mf.family("odd", mf.GAUGE, mf.gauge(1.0),
                                  help=b"\xff")),
    GOOD + mf.delimited(mf.family("", mf.GAUGE, mf.gauge(1.0))),
    GOOD + mf.delimited([(99, "unknown"), (1, "odd"), (3, mf.GAUGE),
                         (4, mf.gauge(1.0) + [(77, 5), (78, 1.0)])]),
    GOOD + mf.delimited([(4, mf.gauge(1.0)), (3, mf.GAUGE), (1, "odd")]),
    GOOD + mf.delimited(mf.family("odd", mf.GAUGE, [(2, b"\x09\x01")])),
    GOOD + mf.delimited(mf.family("odd", mf.GAUGE, mf.gauge(1.0, at=-5))),
    GOOD + mf.delimited(mf.family("odd", mf.GAUGE, mf.labels(a="1") +
                                  mf.gauge(1.0, a="2"))),
    GOOD + GOOD, b"", GOOD[:-1], b"\x00" + GOOD,
    GOOD + mf.delimited(mf.family("odd_total", mf.COUNTER, mf.counter(
        1.0, mf.exemplar(1, START, a=b"\xff")))),
    GOOD + mf.delimited(mf.family("odd", mf.HISTOGRAM, mf.histogram())),
    GOOD + mf.delimited(mf.family("odd", mf.HISTOGRAM, mf.histogram(
        (1, 3), mf.bucket(2.0, 2), mf.bucket(1.0, 1)))),
    GOOD + mf.delimited(mf.family("odd", mf.SUMMARY, mf.summary(1, 2.0, []))),
]


def odd_cases():
    return [Case(f"odd_protobuf_{i // ROUNDS:02}",
                 [Reply(body, PROTOBUF) for body in ODD_PAGES[i:i + ROUNDS]],
                 ASKED)
            for i in range(0, len(ODD_PAGES), ROUNDS)]


CLASSIC = """\
# TYPE wait histogram
wait_bucket{{le="0.1"}} {k}
wait_bucket{{le="1"}} 1{k}
wait_bucket{{le="+Inf"}} 2{k}
wait_sum 3.5
wait_count 2{k}
# TYPE odd histogram
odd_bucket{{le="1"}} 5
odd_bucket{{le="2"}} 3
odd_bucket{{le="+Inf"}} 6
odd_count 6
# TYPE halves histogram
halves_bucket{{le="1"}} 1.5
halves_bucket{{le="+Inf"}} {k}.5
halves_count {k}.5
# TYPE two histogram
two_bucket{{x="a",le="1"}} 1
two_bucket{{x="a",le="+Inf"}} 2
two_sum{{x="a"}} 1
two_count{{x="a"}} 2
two_bucket{{x="b",le="1"}} 3
two_bucket{{x="b",le="+Inf"}} {k}
two_sum{{x="b"}} 1
two_count{{x="b"}} {k}
# TYPE bare histogram
bare_count 5
plain {k}
"""
CONVERTED = {"convert_classic_histograms_to_nhcb": True}

CASES = [
    Case("pb_simple", by_round(simple), ASKED, exemplars=True, stored=20),
    Case("pb_nans", by_round(nans), ASKED),
    Case("pb_natives", by_round(natives), ASKED, ours=NATIVE, exemplars=True,
         histograms=True, stored=10),
    Case("pb_natives_and_classic", by_round(natives), {
        **ASKED, "always_scrape_classic_histograms": True}, ours=NATIVE,
         histograms=True),
    Case("pb_bad_natives", by_round(bad), ASKED, ours=NATIVE),
    Case("pb_bucket_limit", by_round(wide), {
        **ASKED, "native_histogram_bucket_limit": 20}, ours=NATIVE,
         histograms=True),
    Case("pb_bucket_factor", by_round(wide), {
        **ASKED, "native_histogram_min_bucket_factor": 1.1}, ours=NATIVE,
         histograms=True),
    Case("pb_converted", by_round(natives), {**ASKED, **CONVERTED},
         ours=NATIVE, histograms=True),
    Case("converted", by_round(lambda k: CLASSIC.format(k=k)), CONVERTED,
         ours=NATIVE, histograms=True),
    Case("converted_and_classic", by_round(lambda k: CLASSIC.format(k=k)), {
        **CONVERTED, "always_scrape_classic_histograms": True}, ours=NATIVE,
         histograms=True),
] + odd_cases()
