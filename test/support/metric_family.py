"""Writes pages of the protobuf exposition format, field by field, so that odd
and broken ones can be made as well.

A message is a list of (field number, value): an int is a varint, Signed one in
zigzag, a float a double, bytes and str and lists are what they are.
"""

import struct

COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)


class Signed(int):
    pass


class Bits(int):
    """A double, by its bits."""


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def encode(fields):
    out = b""
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, Bits):
            out += varint(number << 3 | 1) + struct.pack("<Q", value)
        elif isinstance(value, Signed):
            out += varint(number << 3) + varint(value << 1 ^ value >> 63)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            if isinstance(value, str):
                value = value.encode()
            elif isinstance(value, list):
                value = encode(value)
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def delimited(*messages):
    out = b""
    for message in messages:
        data = encode(message) if isinstance(message, list) else message
        out += varint(len(data)) + data
    return out


def labels(**pairs):
    return [(1, [(1, name), (2, value)]) for name, value in pairs.items()]


def time(milliseconds):
    return [(1, milliseconds // 1000), (2, milliseconds % 1000 * 1_000_000)]


def exemplar(value, at=None, **pairs):
    return labels(**pairs) + [(2, float(value)),
                              (3, None if at is None else time(at))]


def family(name, kind, *metrics, help=None, unit=None):
    return [(1, name), (2, help), (3, kind),
            *((4, metric) for metric in metrics), (5, unit)]


def counter(value, ex=None, created=None, **pairs):
    return labels(**pairs) + [(3, [(1, value), (2, ex),
                                   (3, created and time(created))])]


def gauge(value, at=None, **pairs):
    return labels(**pairs) + [(2, [(1, value)]), (6, at)]


def untyped(value, **pairs):
    return labels(**pairs) + [(5, [(1, value)])]


def summary(count, total, quantiles, **pairs):
    return labels(**pairs) + [(4, [(1, count), (2, total), *(
        (3, [(1, q), (2, v)]) for q, v in quantiles)])]


def bucket(bound, count, ex=None):
    number = 4 if isinstance(count, float) else 1
    return (3, [(number, count), (2, bound), (3, ex)])


def histogram(*fields, at=None, **pairs):
    return labels(**pairs) + [(7, list(fields)), (6, at)]


def native(schema, zero, spans, deltas, negative=(), negative_deltas=(),
           count=0, total=0.0, threshold=0.001):
    """An integer native histogram's fields."""
    return [(1, count), (2, total), (5, Signed(schema)), (6, threshold),
            (7, zero),
            *((9, [(1, Signed(o)), (2, n)]) for o, n in negative),
            *((10, Signed(d)) for d in negative_deltas),
            *((12, [(1, Signed(o)), (2, n)]) for o, n in spans),
            *((13, Signed(d)) for d in deltas)]


def native_float(schema, zero, spans, counts, count=0.0, total=0.0,
                 threshold=0.001):
    return [(4, count), (2, total), (5, Signed(schema)), (6, threshold),
            (8, zero), *((12, [(1, Signed(o)), (2, n)]) for o, n in spans),
            *((14, float(c)) for c in counts)]
