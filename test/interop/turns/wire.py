"""Remote write requests and remote read answers, field by field; snappy blocks.

Shares nothing with narthex: what both programs stored is judged by it.
"""

import struct


def uvarint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def put_uvarint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value):
    """Of zigzag."""
    return value >> 1 ^ -(value & 1)


def int64(value):
    return value - (1 << 64) if value >> 63 else value


def fields(data):
    """(number, value) of a message: an int, the 8 bytes of a fixed64, bytes."""
    at = 0
    while at < len(data):
        key, at = uvarint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = uvarint(data, at)
        elif kind == 1:
            value = data[at:at + 8]
            at += 8
        elif kind == 2:
            size, at = uvarint(data, at)
            value = data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def bits(eight):
    return struct.unpack("<Q", eight)[0]


def all_bits(packed):
    return struct.unpack(f"<{len(packed) // 8}Q", packed)


def varints(packed):
    at = 0
    while at < len(packed):
        value, at = uvarint(packed, at)
        yield value


def snappy(data):
    """Literals alone: nobody asks how well it is packed."""
    out = bytearray(put_uvarint(len(data)))
    for at in range(0, len(data), 1 << 16):
        piece = data[at:at + (1 << 16)]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def unsnappy(data):
    size, at = uvarint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = tag >> 2
            if length >= 60:
                n = length - 59
                length = int.from_bytes(data[at:at + n], "little")
                at += n
            out += data[at:at + length + 1]
            at += length + 1
            continue
        if tag & 3 == 1:
            length = (tag >> 2 & 7) + 4
            back = tag >> 5 << 8 | data[at]
            at += 1
        else:
            n = 2 if tag & 3 == 2 else 4
            length = (tag >> 2) + 1
            back = int.from_bytes(data[at:at + n], "little")
            at += n
        begin = len(out) - back
        if back >= length:
            out += out[begin:begin + length]
        else:
            for i in range(length):
                out.append(out[begin + i])
    if len(out) != size:
        raise ValueError("snappy: another length")
    return bytes(out)
