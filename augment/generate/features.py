"""What makes a wall one of a room: a wainscot, a shelf, pictures, light from a window.

A feature paints over the colours of a wall. It is placed by shares of what the camera sees of the wall, and has its
size in metres.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32

from augment.generate.palettes import PALETTES
from augment.generate.patterns import lattice
from augment.types import Deals

Values = Float32[np.ndarray, " n"]
Colours = Float32[np.ndarray, "n 3"]
Feature = Callable[[Colours, Values, Values, Mapping[str, Any]], Colours]

LEAST = 0.15  # m of a wall that must be seen for a feature to fit
SOFT = 0.06  # m: how far shadows reach
FABRICS = np.array(list(PALETTES["fabric"].values()), dtype=np.float32)


def draw_feature(rng: np.random.Generator, deal: Deals) -> dict[str, Any]:
    """JSON values: which feature and its colours are dealt, the rest is drawn."""
    return {
        "kind": deal("feature", ["plain", *FEATURES]),
        "at": round(float(rng.uniform(0.3, 0.6)), 4),
        "along": round(float(rng.uniform(-0.4, 0.4)), 4),
        "paint": list(PALETTES["paint"][deal("feature paint", list(PALETTES["paint"]))]),
        "wood": list(PALETTES["wood"][deal("feature wood", list(PALETTES["wood"]))]),
        "seed": int(rng.integers(1 << 31)),
    }


def add_feature(colours: Colours, u: Values, z: Values, choices: Mapping[str, Any], low: float, high: float) -> Colours:
    """The wall with its feature. `u` along it from the picture's middle; `z` up it, seen from `low` to `high`; m."""
    if choices["kind"] == "plain" or high - low < LEAST:
        return colours
    above = z - np.float32(low + choices["at"] * (high - low))
    return FEATURES[choices["kind"]](colours, u - np.float32(choices["along"]), above, choices)


def wainscot(colours: Colours, u: Values, z: Values, choices: Mapping[str, Any]) -> Colours:
    """Another paint up to a rail, with the shadow of the rail."""
    lower = _mixed(colours, choices["paint"], 0.9 * (z < 0))
    shadow = 1 - 0.25 * np.exp(np.minimum(z, 0) / np.float32(SOFT)) * (z < 0)
    rail = np.abs(z - 0.015) < 0.02
    return _mixed(lower * shadow[:, None], [0.35 * channel + 0.62 for channel in choices["paint"]], rail)


def shelf(colours: Colours, u: Values, z: Values, choices: Mapping[str, Any]) -> Colours:
    """A board with some books on it."""
    slot = np.floor(u / 0.034)
    seed = choices["seed"]
    height = 0.13 + 0.1 * lattice(slot.astype(np.int32), np.zeros_like(slot, dtype=np.int32), seed)
    stands = lattice(np.floor(slot / 7).astype(np.int32), np.ones_like(slot, dtype=np.int32), seed) < 0.55
    which = (lattice(slot.astype(np.int32), np.full_like(slot, 2, dtype=np.int32), seed) * len(FABRICS)).astype(int)
    across = u / 0.034 - slot
    book = stands & (z > 0) & (z < height)
    spines = FABRICS[which] * (0.75 + 0.25 * np.sin(np.pi * across))[:, None]
    shadow = 1 - 0.4 * np.exp((z + 0.03) / np.float32(SOFT)) * (z < -0.03)
    filled = np.where(book[:, None], spines, colours * shadow[:, None].astype(np.float32))
    return _mixed(filled, choices["wood"], (z <= 0) & (z > -0.03))


def pictures(colours: Colours, u: Values, z: Values, choices: Mapping[str, Any]) -> Colours:
    """Framed pictures of different widths in a row, all with one horizon."""
    number = np.floor(u / 0.62)
    seed, index = choices["seed"], number.astype(np.int32)
    half = 0.13 + 0.1 * lattice(index, np.zeros_like(index), seed)
    x, y = np.abs(u - (number + np.float32(0.5)) * np.float32(0.62)) - half, np.abs(z) - 0.14
    depth = np.maximum(x, y)  # metres outside the picture
    tones = [FABRICS[(lattice(index, np.full_like(index, row), seed) * len(FABRICS)).astype(int)] for row in (1, 2)]
    inside = np.where((z > 0.05 * np.sin(7 * u))[:, None], tones[0], tones[1])
    shadow = 1 - 0.25 * np.exp(-np.maximum(depth - 0.02, 0) / 0.03)
    framed = np.where((depth < 0.02)[:, None], np.array(choices["wood"], dtype=np.float32), colours * shadow[:, None])
    matted = _mixed(framed, [0.93, 0.92, 0.9], depth < 0)
    return np.where((depth < -0.04)[:, None], inside, matted).astype(np.float32)


def sunlight(colours: Colours, u: Values, z: Values, choices: Mapping[str, Any]) -> Colours:
    """The slanted, blurred light of a window with four panes."""
    across, up = (u - 0.45 * z) / np.float32(0.22), z / np.float32(0.2)
    panes = _step(1 - np.abs(across)) * _step(1 - np.abs(up)) * _step(np.abs(across) - 0.06) * _step(np.abs(up) - 0.06)
    return np.asarray(colours * (1 + 0.28 * panes[:, None] * np.array([1, 0.95, 0.82])), dtype=np.float32)


FEATURES: dict[str, Feature] = {
    "wainscot": wainscot,
    "shelf": shelf,
    "pictures": pictures,
    "sunlight": sunlight,
}


def _mixed(colours: Colours, colour: list[float], share: np.ndarray) -> Colours:
    share = share[:, None].astype(np.float32)
    return np.asarray(colours * (1 - share) + np.array(colour, dtype=np.float32) * share, dtype=np.float32)


def _step(inside: np.ndarray) -> np.ndarray:
    """0 to 1 within about 2 cm of an edge."""
    return np.asarray(np.clip(inside / 0.12 + 0.5, 0, 1))
