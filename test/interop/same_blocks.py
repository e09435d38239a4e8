#!/usr/bin/env python3
"""Are blocks the same, byte for byte?  same_blocks.py THEIRS OURS [...]: pairs of
directories with blocks, or of blocks.  Compared are the chunk files, the index,
and meta.json but for names and what only newer versions write there.

Of the index: Prometheus up to 3.5 writes two sections that nobody reads, the
label indices and their table, which later ones and narthex leave out.  They are
cut out of the first file, what lies behind them moves up, and all else must be
equal."""

import json
import os
import struct
import sys

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return struct.pack(">I", crc ^ 0xFFFFFFFF)


def uvarint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def put_uvarint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def without_label_indices(data):
    toc = list(struct.unpack(">6Q", data[-52:-4]))
    if crc32c(data[-52:-4]) != data[-4:]:
        sys.exit("the table of contents is damaged")
    symbols, series, indices, indices_table, _, postings_table = toc
    if indices_table == postings_table:
        return data  # it has none
    # Entries of the table say where the lists begin, so where the first does.
    length = struct.unpack(">I", data[postings_table:postings_table + 4])[0]
    body = data[postings_table + 4:postings_table + 4 + length]
    entries, at, first = [], 4, len(data)
    while at < len(body):
        begin = at
        at += 1  # two strings
        for _ in range(2):
            n, at = uvarint(body, at)
            at += n
        keys = body[begin:at]
        offset, at = uvarint(body, at)
        entries.append((keys, offset))
        first = min(first, offset)
    series_end = indices
    start = -(-series_end // 4) * 4
    moved = first - start
    out = bytearray(data[:series_end] + b"\0" * (start - series_end))
    out += data[first:indices_table]
    table = bytearray(body[:4])
    for keys, offset in entries:
        table += keys + put_uvarint(offset - moved)
    new_table = len(out)
    out += struct.pack(">I", len(table)) + table + crc32c(table)
    new_toc = struct.pack(">6Q", symbols, series, series_end, new_table,
                          series_end, new_table)
    return bytes(out) + new_toc + crc32c(new_toc)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def meta(block):
    meta = json.loads(read(f"{block}/meta.json"))
    stats = {k: v for k, v in meta["stats"].items() if k != "numFloatSamples"}
    return (meta["minTime"], meta["maxTime"], meta["version"],
            meta["compaction"]["level"], stats)


def blocks(directory):
    """By time: names are random.  A head's files may lie beside them."""
    if os.path.exists(f"{directory}/meta.json"):
        return [directory]
    found = [f"{directory}/{name}" for name in os.listdir(directory)
             if os.path.exists(f"{directory}/{name}/meta.json")]
    return sorted(found, key=lambda block: meta(block)[0])


def require_equal(theirs, ours, what):
    if theirs == ours:
        return
    n = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b),
             min(len(theirs), len(ours)))
    sys.exit(f"{what}: byte {n} of {len(ours)} ({len(theirs)}) differs")


compared = files = 0
for theirs, ours in zip(sys.argv[1::2], sys.argv[2::2]):
    a, b = blocks(theirs), blocks(ours)
    if not a or len(a) != len(b):
        sys.exit(f"{ours}: {len(b)} blocks, not {len(a)}")
    for x, y in zip(a, b):
        if meta(x) != meta(y):
            sys.exit(f"{y}/meta.json: {meta(y)}, not {meta(x)}")
        require_equal(without_label_indices(read(f"{x}/index")),
                      read(f"{y}/index"), f"{y}/index")
        names = sorted(os.listdir(f"{x}/chunks"))
        if names != sorted(os.listdir(f"{y}/chunks")):
            sys.exit(f"{y}/chunks: not {names}")
        for name in names:
            require_equal(read(f"{x}/chunks/{name}"), read(f"{y}/chunks/{name}"),
                          f"{y}/chunks/{name}")
        compared += 1
        files += len(names) + 1
print(f"{compared} blocks, {files} files: all bytes are the same")
