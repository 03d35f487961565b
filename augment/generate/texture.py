"""Procedural scenes: a support in perspective, in a room with a wall, and where it is seen a floor."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.generate.base import Generator
from augment.generate.canvas import Canvas, open_canvas, shaded, shown_support
from augment.generate.edge import check_edge
from augment.generate.features import add_feature, draw_feature
from augment.generate.materials import FAMILIES, check_families, draw_light, draw_material, paint
from augment.generate.room import TABLE
from augment.types import Deals, SceneView

SKIRTING = 0.09  # m
WHITE = (0.88, 0.87, 0.85)


@dataclass(frozen=True)
class Texture(Generator):
    """Rooms with random materials, colours and light. Needs no weights and no files."""

    families: tuple[str, ...] = tuple(FAMILIES)
    """Kinds of material to choose from; each is used where it is usual, unless none of them is."""
    saturation: float = 0.6
    """Strongest colours, 0 (greys) to 1."""
    edge: tuple[float, ...] = ()
    """Two or three points x, y along the far edge of the support, as fractions of width and height, from left to right;
    used where no support region is known. Empty: detected."""

    def draw(self, rng: np.random.Generator, deal: Deals) -> dict[str, Any]:
        materials = {
            place: draw_material(rng, deal, place, self.families, self.saturation)
            for place in ("wall", "support", "floor")
        }
        return {
            **materials,
            "feature": draw_feature(rng, deal),
            "light": draw_light(rng),
            "gap": round(float(rng.uniform(0.3, 2.5)), 4) if rng.integers(2) else 0.0,
            "blur": round(float(rng.uniform(0.001, 0.005)), 5),
        }

    def check(self) -> None:
        check_families(self.families)
        check_edge(self.edge)

    def support(self, scene: SceneView) -> Bool[np.ndarray, "h w"] | None:
        return shown_support(scene, self.edge)[1]

    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        canvas = open_canvas(scene, self.edge, choices["gap"])
        backdrop = np.zeros((*canvas.x.shape, 3), dtype=np.uint8)
        canvas.cover(backdrop, canvas.backdrop, partial(_surroundings, canvas, choices))
        return canvas.finish(canvas.blurred(backdrop, choices["blur"]), choices["support"], choices["light"])


def _surroundings(
    canvas: Canvas, choices: Mapping[str, Any], x: Float32[np.ndarray, " n"], y: Float32[np.ndarray, " n"]
) -> Float32[np.ndarray, "n 3"]:
    """Walls down to the floor, and the floor before them."""
    room = canvas.room
    wall = room.on_walls(x, y)
    middle, low, high = canvas.visible_wall
    colours = paint(choices["wall"], wall.u, wall.v)
    colours = add_feature(colours, wall.u - np.float32(middle), wall.z, choices["feature"], low, high)
    skirting = wall.z < SKIRTING - TABLE
    colours[skirting] = WHITE
    colours[wall.z < SKIRTING - TABLE - 0.01] *= np.float32(0.94)
    light = room.light(choices["light"], wall)
    crease = 1 - np.float32(0.35) * np.exp(-np.maximum(wall.z - canvas.foot, 0) / np.float32(0.07))
    colours = shaded(colours, light * crease)
    on_floor = wall.z < -TABLE
    floor = room.on_level(x[on_floor], y[on_floor], TABLE)
    dark = 1 - np.float32(0.45) * np.exp(-room.to_walls(floor) / np.float32(0.08))
    colours[on_floor] = shaded(
        paint(choices["floor"], floor.u, floor.v), 0.8 * dark * room.light(choices["light"], floor)
    )
    return colours
