"""Colour profiles, made by hand."""

from __future__ import annotations

import struct


def linear_profile() -> bytes:
    """Linear light with the primaries of sRGB: a profile of matrix and curves.

    The curves say a gamma of 1. One without points means the same (ICC.1:2001-04, 6.5.3), but Chromium 150
    passes over a profile with such curves.
    """

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    curve = b"curv\0\0\0\0\0\0\0\1\1\0"
    text = b"desc\0\0\0\0\0\0\0\2a\0" + b"\0" * 78
    tags = [
        (b"desc", text),
        (b"cprt", b"text\0\0\0\0a\0\0\0"),
        (b"wtpt", xyz(0.9642, 1.0, 0.8249)),
        (b"rXYZ", xyz(0.4361, 0.2225, 0.0139)),
        (b"gXYZ", xyz(0.3851, 0.7169, 0.0971)),
        (b"bXYZ", xyz(0.1431, 0.0606, 0.7141)),
        (b"rTRC", curve),
        (b"gTRC", curve),
        (b"bTRC", curve),
    ]
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags:
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I", at + len(body)) + b"\0" * 4 + b"\2\x10\0\0mntrRGB XYZ " + b"\0" * 12
    head += b"acsp" + b"\0" * 28 + number(0.9642) + number(1.0) + number(0.8249) + b"\0" * 48
    return head + struct.pack(">I", len(tags)) + table + body
