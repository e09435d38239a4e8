"""Reads a write-ahead log of Prometheus's format: which series a directory
holds, and their samples, histograms and exemplars bit for bit.

A second pair of eyes for tests: shares nothing with the reader in libtsdb.
Wants a log without compression and without checkpoint, as the first minutes of
a server started with --no-storage.tsdb.wal-compression leave it.
"""

import os
import struct

PAGE = 32 * 1024
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
CUSTOM_BUCKETS = -53
STALE = 0x7FF0000000000002


class Damaged(Exception):
    pass


def fragments(data):
    """(kind, bytes) of a segment's fragments; the padding of pages skipped."""
    at = 0
    while at < len(data):
        left = PAGE - at % PAGE
        if left < 7 or data[at] == 0:
            at += left
            continue
        head, length = struct.unpack_from(">BH", data, at)
        if head & ~7:
            raise Damaged(f"byte {at}: compressed or unknown fragment {head}")
        at += 7
        yield head, data[at:at + length]
        at += length


def records(directory):
    """The records of all segments, in order."""
    parts = []
    for name in sorted(os.listdir(directory)):
        if not name.isdigit():
            raise Damaged(f"{directory}/{name}: not a segment")
        with open(os.path.join(directory, name), "rb") as f:
            data = f.read()
        for kind, piece in fragments(data):
            if kind in (FULL, FIRST):
                parts = []
            parts.append(piece)
            if kind in (FULL, LAST):
                yield b"".join(parts)


class Cursor:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def more(self):
        return self.at < len(self.data)

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def fixed(self, form):
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def bits(self):
        """A float, as the number that its bits are."""
        return self.fixed(">Q")

    def uvarint(self):
        value = shift = 0
        while True:
            b = self.byte()
            value |= (b & 0x7F) << shift
            if b < 0x80:
                return value
            shift += 7

    def varint(self):
        value = self.uvarint()
        return value >> 1 ^ -(value & 1)

    def text(self):
        n = self.uvarint()
        self.at += n
        return self.data[self.at - n:self.at].decode(errors="surrogateescape")

    def labels(self):
        return tuple((self.text(), self.text()) for _ in range(self.uvarint()))

    def list(self, item):
        return tuple(item() for _ in range(self.uvarint()))

    def span(self):
        return self.varint(), self.uvarint()

    def histogram(self, floats):
        """A tuple that is equal for equal histograms."""
        hint = self.byte()
        schema = self.varint()
        count = self.bits if floats else self.uvarint
        bucket = self.bits if floats else self.varint
        fields = [
            ("float" if floats else "int"), hint, schema,
            ("zero_threshold", self.bits()), ("zero_count", count()),
            ("count", count()), ("sum", self.bits()),
            ("positive_spans", self.list(self.span)),
            ("negative_spans", self.list(self.span)),
            ("positive", self.list(bucket)), ("negative", self.list(bucket)),
        ]
        if schema == CUSTOM_BUCKETS:
            fields.append(("bounds", self.list(self.bits)))
        return tuple(fields)


class Log:
    """series: labels (sorted pairs) -> [(t, value)], value being the bits of a
    float or a histogram; exemplars: labels -> [(t, bits, labels)]."""

    def __init__(self, directory):
        self.series = {}
        self.exemplars = {}
        self._labels = {}
        for record in records(directory):
            self._take(Cursor(record))

    def _take(self, c):
        kind = c.byte()
        if kind == 1:
            while c.more():
                ref = c.fixed(">Q")
                self._labels[ref] = tuple(sorted(c.labels()))
        elif kind == 2:
            self._samples(c, self._store, c.bits)
        elif kind == 4:
            self._samples(c, self._store_exemplar,
                          lambda: (c.bits(), tuple(sorted(c.labels()))))
        elif kind in (7, 9):
            self._samples(c, self._store, lambda: c.histogram(False))
        elif kind in (8, 10):
            self._samples(c, self._store, lambda: c.histogram(True))
        elif kind not in (3, 5, 6):
            raise Damaged(f"record of unknown kind {kind}")

    @staticmethod
    def _samples(c, store, value):
        if not c.more():
            return
        ref, t = c.fixed(">Q"), c.fixed(">q")
        while c.more():
            r, at = ref + c.varint(), t + c.varint()
            store(r, at, value())

    def _store(self, ref, t, value):
        # Prometheus logs the stale marker of a histogram as one, narthex as a
        # float that is made one when it is stored.
        if isinstance(value, tuple) and ("sum", STALE) in value:
            value = STALE
        samples = self.series.setdefault(self._labels[ref], [])
        # A sample is logged before it is known whether it still fits.
        if not samples or t > samples[-1][0]:
            samples.append((t, value))

    def _store_exemplar(self, ref, t, value):
        self.exemplars.setdefault(self._labels[ref], []).append((t, *value))
