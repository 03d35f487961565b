"""Procedural materials: functions of a point on a surface.

A pattern takes surface coordinates u, v (float32, any shape; one unit is a plank, a tile, a brick) and a seed, and
returns values in [0, 1] of the same shape: a position on the material's colour ramp.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32

Grid = Float32[np.ndarray, "*shape"]
Pattern = Callable[[Grid, Grid, int], Grid]


def lattice(i: np.ndarray, j: np.ndarray, seed: int) -> np.ndarray:
    """A fixed random number in [0, 1) for every integer point, float32."""
    mixed = (i.astype(np.uint32) * np.uint32(0x9E3779B1)) ^ (j.astype(np.uint32) * np.uint32(0x85EBCA77))
    mixed ^= np.uint32(seed * 0xC2B2AE3D & 0xFFFFFFFF)
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    mixed ^= mixed >> np.uint32(15)
    return (mixed >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def noise(u: np.ndarray, v: np.ndarray, seed: int) -> np.ndarray:
    """Value noise with one feature per unit, in [0, 1]."""
    left, top = np.floor(u), np.floor(v)
    x, y = u - left, v - top
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    i, j = left.astype(np.int32), top.astype(np.int32)
    upper, lower = (_between(lattice(i, row, seed), lattice(i + 1, row, seed), x) for row in (j, j + 1))
    return _between(upper, lower, y)


def _between(first: np.ndarray, last: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.asarray(first + (last - first) * share)


def fractal(u: np.ndarray, v: np.ndarray, seed: int, octaves: int = 4) -> np.ndarray:
    """Sum of noises of halving size and strength, in [0, 1]."""
    total = np.zeros_like(u, dtype=np.float32)
    for octave in range(octaves):
        total += noise(u * 2**octave, v * 2**octave, seed + octave) * np.float32(0.5**octave)
    return total / np.float32(2 - 0.5 ** (octaves - 1))


def plaster(u: Grid, v: Grid, seed: int) -> Grid:
    return 0.35 + 0.3 * fractal(2 * u, 2 * v, seed, 5)


def checker(u: Grid, v: Grid, seed: int) -> Grid:
    squares = (np.floor(u) + np.floor(v)) % 2
    return np.asarray(0.1 + 0.8 * squares + 0.1 * (fractal(6 * u, 6 * v, seed) - 0.5), dtype=np.float32)


def stripes(u: Grid, v: Grid, seed: int) -> Grid:
    return lattice(np.floor(1.5 * u).astype(np.int32), np.zeros_like(u, dtype=np.int32), seed)


def tiles(u: Grid, v: Grid, seed: int) -> Grid:
    return _masonry(u, v, seed, width=1.0, height=1.0, offset=0.0)


def bricks(u: Grid, v: Grid, seed: int) -> Grid:
    return _masonry(u, v, seed, width=1.0, height=0.36, offset=0.5)


def _masonry(u: Grid, v: Grid, seed: int, width: float, height: float, offset: float) -> Grid:
    row = np.floor(v / height)
    along = u / width + offset * (row % 2)
    x, y = (along % 1) * width, v % height
    joint = (np.minimum(x, width - x) < 0.025) | (np.minimum(y, height - y) < 0.025)
    stone = 0.35 + 0.45 * lattice(np.floor(along).astype(np.int32), row.astype(np.int32), seed)
    surface = stone + 0.2 * (fractal(5 * u, 5 * v, seed + 7) - 0.5)
    return np.where(joint, np.float32(0.02), surface).astype(np.float32)


def wood(u: Grid, v: Grid, seed: int) -> Grid:
    plank = np.floor(v / 0.9).astype(np.int32)
    shade = lattice(plank, plank * 0, seed)
    drift = 9 * lattice(plank, plank * 0 + 1, seed)
    grain = fractal(0.5 * u + drift, 7 * v + 1.2 * noise(0.6 * u + drift, 2 * v, seed + 3), seed + 5, 5)
    gap = (v / 0.9) % 1 < 0.02
    return np.where(gap, np.float32(0), 0.2 + 0.25 * shade + 0.5 * grain).astype(np.float32)


def marble(u: Grid, v: Grid, seed: int) -> Grid:
    warp = fractal(u, v, seed, 5)
    vein = np.abs(np.sin(2.2 * (u + v) + 7 * warp + 2 * fractal(3 * u, 3 * v, seed + 11, 4)))
    return np.asarray(0.25 + 0.7 * vein**0.4, dtype=np.float32)


def granite(u: Grid, v: Grid, seed: int) -> Grid:
    return np.asarray(np.clip(2.2 * fractal(14 * u, 14 * v, seed, 3) - 0.6, 0, 1), dtype=np.float32)


def cloth(u: Grid, v: Grid, seed: int) -> Grid:
    threads = noise(28 * u, 3 * v, seed + 21) + noise(3 * u, 28 * v, seed + 22) - 1
    return np.asarray(0.5 + 0.35 * threads + 0.3 * (fractal(1.5 * u, 1.5 * v, seed) - 0.5), dtype=np.float32)


PATTERNS: dict[str, Pattern] = {
    "plaster": plaster,
    "checker": checker,
    "stripes": stripes,
    "tiles": tiles,
    "bricks": bricks,
    "wood": wood,
    "marble": marble,
    "granite": granite,
    "cloth": cloth,
}
