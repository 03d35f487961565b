"""Procedural materials: linear RGB albedo in [0, 1], drawn once per episode and looked up by place.

They are band-limited (soft edges, no per-pixel noise), so that they do not shimmer and compress well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32

Pattern = Callable[[np.random.Generator, tuple[int, int], float], tuple[np.ndarray, np.ndarray]]

# Albedo ranges that real table tops and walls have: (dark, light) pairs of sRGB colours.
WOODS = [("5a3a22", "8d6239"), ("8a5a33", "b98652"), ("b08a5c", "d4b488"), ("6d4a36", "94694d"), ("c2a57d", "dcc6a0")]
CLOTHS = [("e8e2d4", "7d93a8"), ("ece7dc", "a8574b"), ("dfe3df", "5f8069"), ("e9dfc8", "c59a4a"), ("d9d6d2", "55565c")]
STONES = [("d9d5cf", "aaa59e"), ("6a6d70", "8b8e90"), ("cdbfae", "a3917d"), ("4a4d52", "6c7076"), ("b9c0c2", "8c989c")]
PAINTS = [("d8d3c8", "cbc5b8"), ("a9bac4", "9bb0bc"), ("c9b7a0", "bda98f"), ("9fb3a0", "93a894"), ("d2b5ab", "c8a99e")]
TILES = [("e3e1db", "b9b4aa"), ("a8bfc9", "dfe4e4"), ("c98f6b", "e0cdb8"), ("8fa58f", "dcdfd3")]


@dataclass(frozen=True, eq=False)
class Texture:
    """Albedo over a rectangle of a plane, `cell` metres apart, clamped outside."""

    kind: str
    albedo: Float32[np.ndarray, "rows columns 3"]
    cell: float

    def at(self, u: Float[np.ndarray, " n"], v: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n 3"]:
        """Albedo at `(u, v)` metres from the rectangle's corner; u runs along columns."""
        rows, columns = self.albedo.shape[:2]
        row = np.clip((v / self.cell).astype(np.intp), 0, rows - 1)
        column = np.clip((u / self.cell).astype(np.intp), 0, columns - 1)
        albedo: np.ndarray = self.albedo[row, column]
        return albedo

    @cached_property
    def mean(self) -> Float32[np.ndarray, " 3"]:
        mean: np.ndarray = self.albedo.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        return mean


def linear(colour: str) -> Float32[np.ndarray, " 3"]:
    """Linear RGB of an sRGB colour written as six hex digits."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float64) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def texture(kind: str, rng: np.random.Generator, size: tuple[float, float], cell: float) -> Texture:
    """A material over `size` = (v, u) metres. Raises KeyError for a kind that is in neither TABLES nor WALLS."""
    pattern, colours = {**TABLES, **WALLS}[kind]
    shape = (round(size[0] / cell), round(size[1] / cell))
    dark, light = (linear(colour) for colour in colours[rng.integers(len(colours))])
    mix, shade = pattern(rng, shape, cell)
    albedo = (dark + (light - dark) * mix[..., None]) * shade[..., None]
    return Texture(kind, np.clip(albedo, 0.0, 1.0).astype(np.float32), cell)


def noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float, feature: tuple[float, float]
) -> Float[np.ndarray, "rows columns"]:
    """Smooth noise in [0, 1] whose features are about `feature` = (v, u) metres large."""
    steps = [np.arange(n) * (cell / size) for n, size in zip(shape, feature, strict=True)]
    field = rng.random((int(steps[0][-1]) + 2, int(steps[1][-1]) + 2))
    for axis, at in enumerate(steps):
        low = at.astype(np.intp)
        share = np.expand_dims(step(at - low - 0.5, 0.5), 1 - axis)
        field = (1 - share) * field.take(low, axis) + share * field.take(low + 1, axis)
    return field


def step(x: np.ndarray, width: float) -> np.ndarray:
    """0 below -width, 1 above width, smooth between."""
    t = np.clip(x / (2 * width) + 0.5, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _plain(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    return noise(rng, shape, cell, (0.5, 0.5)), np.ones(shape)


def _stone(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    coarse, fine = noise(rng, shape, cell, (0.16, 0.22)), noise(rng, shape, cell, (0.05, 0.06))
    vein = 1 - np.abs(2 * noise(rng, shape, cell, (0.18, 0.3)) - 1)
    return 0.6 * coarse + 0.4 * fine, 1 - 0.25 * step(vein - 0.93, 0.05)


def _wood(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Planks along v, each with its own tone and grain."""
    width = rng.uniform(0.11, 0.18)
    v, u = np.mgrid[: shape[0], : shape[1]] * cell
    plank = ((u + 0.3 * width) // width).astype(np.intp)
    across = (u + 0.3 * width) % width
    tone, phase = rng.random(plank.max() + 1)[plank], rng.random(plank.max() + 1)[plank]
    bend = noise(rng, shape, cell, (0.45, 0.05))
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * (9 * bend + 3 * phase + 14 * across + 0.3 * v))
    streak = noise(rng, shape, cell, (0.3, 0.012))
    gap = np.minimum(across, width - across)
    return 0.45 * tone + 0.3 * grain + 0.25 * streak, 0.55 + 0.45 * step(gap - 0.0015, 0.0015)


def _checker(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    """A gingham cloth."""
    period = rng.uniform(0.07, 0.11)
    v, u = np.mgrid[: shape[0], : shape[1]] * cell
    soft = 0.03
    return 0.5 * step(np.sin(np.pi * u / period), soft) + 0.5 * step(np.sin(np.pi * v / period), soft), np.ones(shape)


def _stripes(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertical on a wall; on a table they run away from the wall."""
    period, share = rng.uniform(0.07, 0.13), rng.uniform(0.2, 0.5)
    u = np.broadcast_to(np.arange(shape[1]) * cell, shape)
    return step(share - np.abs(2 * (u / period % 1) - 1), 0.04), np.ones(shape)


def _tiles(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Running bond, light joints."""
    height, width = rng.uniform(0.06, 0.09), rng.uniform(0.13, 0.2)
    v, u = np.mgrid[: shape[0], : shape[1]] * cell
    row = (v // height).astype(np.intp)
    u = u + 0.5 * width * (row % 2)
    column = (u // width).astype(np.intp)
    tone = rng.random((row.max() + 1, column.max() + 1))[row, column]
    joint = np.minimum(np.minimum(v % height, height - v % height), np.minimum(u % width, width - u % width))
    return step(0.004 - joint, 0.002), 0.9 + 0.1 * tone


TABLES: dict[str, tuple[Pattern, list[tuple[str, str]]]] = {
    "wood": (_wood, WOODS),
    "checker": (_checker, CLOTHS),
    "stone": (_stone, STONES),
    "plain": (_plain, STONES + PAINTS),
    "striped cloth": (_stripes, CLOTHS),
}
WALLS: dict[str, tuple[Pattern, list[tuple[str, str]]]] = {
    "paint": (_plain, PAINTS),
    "striped paper": (_stripes, PAINTS + CLOTHS),
    "tiles": (_tiles, TILES),
    "panels": (_wood, WOODS),
}
