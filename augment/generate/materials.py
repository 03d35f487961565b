"""What things in rooms are made of: families of material in the sizes and colours in which they occur."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from augment.errors import RequestError
from augment.generate.palettes import PALETTES
from augment.generate.patterns import PATTERNS
from augment.types import Deals


@dataclass(frozen=True)
class Family:
    """How a pattern is used."""

    palette: str
    sizes: tuple[float, float]
    """Of one unit of the pattern, m."""
    ramp: tuple[float, ...]
    """Brightness of its colours relative to the palette's, from the pattern's 0 to its 1."""
    places: str
    """wall, support, floor: where it is usual."""


FAMILIES: dict[str, Family] = {
    "plaster": Family("paint", (0.3, 0.8), (0.93, 1.0, 1.07), "wall support"),
    "checker": Family("fabric", (0.04, 0.12), (1.0, 1.05, 1.1), "support floor"),
    "stripes": Family("paint", (0.05, 0.12), (0.88, 1.0, 1.08), "wall support"),
    "tiles": Family("ceramic", (0.1, 0.22), (0.7, 0.95, 1.0, 1.04), "wall support floor"),
    "bricks": Family("brick", (0.2, 0.24), (1.25, 0.85, 1.0, 1.15), "wall"),
    "wood": Family("wood", (0.1, 0.2), (0.5, 0.85, 1.05, 1.2), "wall support floor"),
    "marble": Family("stone", (0.25, 0.6), (0.72, 0.95, 1.05), "wall support"),
    "granite": Family("stone", (0.05, 0.1), (0.65, 1.0, 1.25), "support floor"),
    "cloth": Family("fabric", (0.06, 0.12), (0.85, 1.0, 1.12), "support floor"),
}
DARKEST_WALL = 0.4
SHADES = 1024  # of a material's ramp
TWO_COLOURED = {"checker": (0.94, 0.93, 0.9), "stripes": (0.95, 0.94, 0.91)}


def check_families(families: Sequence[str]) -> None:
    """Raises RequestError unless there are some and all exist."""
    if not families or set(families) - set(FAMILIES):
        raise RequestError(f"families={list(families)}: choose at least one of {', '.join(FAMILIES)}")


def draw_material(
    rng: np.random.Generator, deal: Deals, place: str, families: Sequence[str], saturation: float
) -> dict[str, Any]:
    """A material for a `place` (wall, support, floor), as JSON values: family and colour are dealt, the rest drawn."""
    usual = [name for name in families if place in FAMILIES[name].places.split()]
    usual = usual or list(families)
    family = deal(f"{place} family", usual)
    made = FAMILIES[family]
    palette = PALETTES[made.palette]
    if place == "wall":
        palette = {name: colour for name, colour in palette.items() if sum(colour) / 3 > DARKEST_WALL}
    base = np.array(palette[deal(f"{place} {family}", list(palette), every=len(usual))]) * rng.uniform(0.94, 1.05)
    ramp = np.array(made.ramp)[:, None] * base
    if family in TWO_COLOURED:
        share = np.linspace(0, rng.uniform(0.5, 1), len(ramp))[:, None]
        ramp = ramp * (1 - share) + np.array(TWO_COLOURED[family]) * share
    upright = place == "wall" and family == "wood"  # boards stand
    turned = place != "wall" and bool(rng.integers(2))
    tilt = 0.0 if place == "wall" else float(rng.normal(0, 0.04))
    return {
        "family": family,
        "colours": [[round(float(channel), 4) for channel in _muted(colour, saturation)] for colour in ramp],
        "size": round(float(rng.uniform(*made.sizes)), 4),
        "angle": round((np.pi / 2 if upright or turned else 0.0) + tilt, 4),
        "seed": int(rng.integers(1 << 31)),
    }


def draw_light(rng: np.random.Generator) -> dict[str, Any]:
    """A lamp on one side, between camera and wall, as JSON values: shares of the distance of the wall."""
    return {
        "side": round(float(rng.choice([-1, 1]) * rng.uniform(0.25, 1.1)), 4),
        "ahead": round(float(rng.uniform(0.1, 0.75)), 4),
        "above": round(float(rng.uniform(0.5, 1.1)), 4),
        "ambient": round(float(rng.uniform(0.3, 0.6)), 4),
        "gloss": round(float(rng.uniform(0, 0.3)), 4),
    }


def paint(
    material: Mapping[str, Any], u: Float32[np.ndarray, " n"], v: Float32[np.ndarray, " n"]
) -> Float32[np.ndarray, "n 3"]:
    """Colours, sRGB in [0, 1], of a material at points of a surface, m."""
    cos, sin = np.float32(np.cos(material["angle"])), np.float32(np.sin(material["angle"]))
    u, v = u / np.float32(material["size"]), v / np.float32(material["size"])
    values = PATTERNS[material["family"]](cos * u - sin * v, sin * u + cos * v, material["seed"])
    stops = np.linspace(0, 1, len(material["colours"]))
    ramp = [np.interp(np.linspace(0, 1, SHADES), stops, channel) for channel in zip(*material["colours"], strict=True)]
    nearest = np.rint(np.clip(values, 0, 1) * np.float32(SHADES - 1)).astype(np.int32)
    return np.stack(ramp, axis=-1).astype(np.float32).take(nearest, axis=0)


def _muted(colour: np.ndarray, saturation: float) -> np.ndarray:
    """The colour with at most this saturation (that of HSV)."""
    colour = np.clip(colour, 0.02, 0.98)
    brightest = colour.max()
    own = 1 - colour.min() / brightest
    return np.asarray(brightest - (brightest - colour) * min(1.0, saturation / max(own, 1e-6)))
