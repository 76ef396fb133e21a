"""Draws the app's two icons, somebody leaving through a door, as PNG: lines and distances, nothing else."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

ACCENT = "#1F3A5F"
COLOUR_SIZE, OUTLINE_SIZE = 192, 32
"""Microsoft's sizes: a full square, and a white outline on nothing."""

Point = tuple[float, float]
Pixel = tuple[int, int, int, int]

DOOR: Sequence[Point] = ((0.56, 0.36), (0.56, 0.26), (0.28, 0.26), (0.28, 0.74), (0.56, 0.74), (0.56, 0.64))
ARROW: Sequence[Point] = ((0.42, 0.5), (0.74, 0.5))
HEAD: Sequence[Point] = ((0.64, 0.4), (0.74, 0.5), (0.64, 0.6))
PIXEL = 0.5
"""Half a pixel inside a line's edge and half outside it pass from one colour to the other."""


def colour() -> bytes:
    """White lines on the accent colour, 192 by 192."""
    ground = tuple(int(ACCENT[at : at + 2], 16) for at in (1, 3, 5))

    def pixel(covered: float) -> Pixel:
        red, green, blue = (round(under + (255 - under) * covered) for under in ground)
        return red, green, blue, 255

    return _png([[pixel(one) for one in row] for row in _lines(COLOUR_SIZE, width=0.06, zoom=1.0)])


def outline() -> bytes:
    """White lines on nothing, 32 by 32."""
    rows = _lines(OUTLINE_SIZE, width=0.075, zoom=1.55)
    return _png([[(255, 255, 255, round(255 * one)) for one in row] for row in rows])


def _lines(size: int, *, width: float, zoom: float) -> list[list[float]]:
    """How much of each pixel a line covers, 0 to 1."""
    strokes = [
        tuple(((x - 0.5) * zoom + 0.5, (y - 0.5) * zoom + 0.5) for x, y in (start, end))
        for line in (DOOR, ARROW, HEAD)
        for start, end in pairwise(line)
    ]

    def covered(x: float, y: float) -> float:
        nearest = min(_distance((x, y), start, end) for start, end in strokes)
        return min(max((width / 2 - nearest) * size + PIXEL, 0.0), 1.0)

    return [[covered((x + PIXEL) / size, (y + PIXEL) / size) for x in range(size)] for y in range(size)]


def _distance(point: Point, start: Point, end: Point) -> float:
    (px, py), (sx, sy), (ex, ey) = point, start, end
    dx, dy = ex - sx, ey - sy
    along = min(max(((px - sx) * dx + (py - sy) * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    return math.hypot(px - sx - along * dx, py - sy - along * dy)


def _png(rows: list[list[Pixel]]) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    # Eight bits of each of red, green, blue and opacity; no filter before any row.
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 6, 0, 0, 0)
    pixels = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")
    )
