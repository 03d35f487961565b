"""A plate in the making: which of its pixels are support and which backdrop, and how both come together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image, ImageDraw, ImageFilter
from scipy.spatial import ConvexHull

from augment.generate.edge import Edge, find_edge, support_region
from augment.generate.materials import paint
from augment.generate.room import TABLE, Points, Room
from augment.images import pixels, resize
from augment.types import SceneView

FINE = 960  # rows that a plate is painted with, if that is 2 to 4 times its own
PIECE = 1 << 16  # points that are painted at once
CREASE = 0.05  # m: how far the darkness reaches where the support meets a wall
BEHIND = 0.04  # of the height: how far the backdrop goes on behind the support, for its blur
GAMMA = 2.2
SHOULDER = 0.75  # colours above it are compressed, so that nothing bright is flat white

Values = Float32[np.ndarray, " n"]
Colours = Float32[np.ndarray, "n 3"]
Surface = Callable[[Values, Values], Colours]  # sRGB in [0, 1] at points x, y
Picture = UInt8[np.ndarray, "H W 3"]
Grid = Bool[np.ndarray, "H W"]
Positions = Float32[np.ndarray, "H W"]


@dataclass(frozen=True, eq=False)
class Canvas:
    """A grid finer than the plate, and the room that it shows."""

    room: Room
    shape: tuple[int, int]
    """Of the plate."""
    x: Float32[np.ndarray, "H W"]
    """From the middle, in heights of the plate."""
    y: Float32[np.ndarray, "H W"]
    """From the top, in heights of the plate."""
    support: Bool[np.ndarray, "H W"]
    backdrop: Bool[np.ndarray, "H W"]
    """All that is not support, and a little behind its far edge."""

    def cover(self, picture: Picture, region: Grid, surface: Surface) -> None:
        """Paint a region of a picture, in pieces that fit the processor's cache."""
        where = np.flatnonzero(region)
        for piece in np.array_split(where, -(-len(where) // PIECE) or 1):
            colours = surface(self.x.ravel()[piece], self.y.ravel()[piece])
            picture.reshape(-1, 3)[piece] = np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)

    def finish(
        self, backdrop: Picture, material: Mapping[str, Any], light: Mapping[str, Any]
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The plate: the backdrop with the support before it."""

        def surface(x: Values, y: Values) -> Colours:
            points = self.room.on_level(x, y)
            crease = self._crease(points)
            light_on_it, gloss = self.room.light(light, points) * crease, self.room.gloss(light, points) * crease
            return shaded(paint(material, points.u, points.v), light_on_it, gloss[:, None])

        self.cover(backdrop, self.support, surface)
        return resize(backdrop, *self.shape)

    def blurred(self, picture: Picture, radius: float) -> Picture:
        """Out of focus; `radius` in heights of the plate."""
        box = ImageFilter.BoxBlur(pixels(radius, self.x.shape[0]))
        return np.array(Image.fromarray(picture).filter(box).filter(box))

    @property
    def foot(self) -> float:
        """Height, m from the support, at which walls meet what stands or lies before them."""
        return -TABLE if self.room.gap else 0.0

    @property
    def visible_wall(self) -> tuple[float, float, float]:
        """What is seen of the walls in the middle of the picture, m: where along them, and from and to what height."""
        middle = np.zeros(2, dtype=np.float32)
        rows = np.array([self.room.edge.rows(middle + np.float32(0.5))[0], 0], dtype=np.float32)
        seen = self.room.on_walls(middle, rows)
        return float(seen.u[1]), max(float(seen.z[0]), -TABLE), float(seen.z[1])

    def _crease(self, points: Points) -> Float32[np.ndarray, " n"]:
        if self.room.gap:
            return np.ones_like(points.u)
        return 1 - np.float32(0.45) * np.exp(-self.room.to_walls(points) / np.float32(CREASE))


def open_canvas(scene: SceneView, painted: Sequence[float], gap: float) -> Canvas:
    """Nothing painted yet. `painted`: points on the support's far edge (see `find_edge`); `gap`: behind it, m."""
    finer = min(4, max(2, FINE // scene.height))
    edge, support, grid_x, grid_y = _divided(scene, painted, finer)
    backdrop = ~support | (grid_y < edge.rows(_across(grid_x[0], scene)) + BEHIND)
    return Canvas(
        Room(edge, scene.width / scene.height, gap), (scene.height, scene.width), grid_x, grid_y, support, backdrop
    )


def shown_support(scene: SceneView, painted: Sequence[float]) -> tuple[Edge, Bool[np.ndarray, "h w"]]:
    """The far edge, and what every canvas of this scene shows as support."""
    edge, support, _, _ = _divided(scene, painted, 1)
    return edge, support


def shaded(
    colours: Float32[np.ndarray, "n 3"],
    light: Float32[np.ndarray, " n"],
    gloss: Float32[np.ndarray, "n 1"] | float = 0.0,
) -> Float32[np.ndarray, "n 3"]:
    """sRGB colours under a brightness in linear light, with what they mirror."""
    lit = np.asarray(colours * np.maximum(light, 0)[:, None] ** np.float32(1 / GAMMA) + gloss)
    bright = SHOULDER + (1 - SHOULDER) * np.tanh((lit - SHOULDER) / (1 - SHOULDER))
    return np.asarray(np.where(lit > SHOULDER, bright, lit), dtype=np.float32)


def _filled(region: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Its convex hull: what the robot hides is filled, the sides of a table are kept."""
    rows, width = np.flatnonzero(region.any(axis=1)), region.shape[1]
    left, right = region[rows].argmax(axis=1), width - region[rows, ::-1].argmax(axis=1)
    corners = np.concatenate([np.stack([x, y], axis=1) for x in (left, right) for y in (rows, rows + 1)])
    outline = corners[ConvexHull(corners).vertices] - 0.5  # Pillow counts from the centre of the first pixel
    hull = Image.new("1", (width, region.shape[0]))
    ImageDraw.Draw(hull).polygon([(x, y) for x, y in outline.tolist()], fill=1)
    return np.asarray(hull)


def _divided(scene: SceneView, painted: Sequence[float], finer: int) -> tuple[Edge, Grid, Positions, Positions]:
    """The far edge; on a grid so many times finer than the plate: what is support, and every point's x and y."""
    region = support_region(scene)
    edge = find_edge(region, scene.plate, painted)
    step = 1 / (scene.height * finer)
    x = (np.arange(scene.width * finer, dtype=np.float32) + 0.5) * step - scene.width / scene.height / 2
    y = (np.arange(scene.height * finer, dtype=np.float32) + 0.5) * step
    grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    support = grid_y >= edge.rows(_across(grid_x[0], scene))
    if region is not None:
        support &= np.repeat(np.repeat(_filled(region), finer, axis=0), finer, axis=1)
    return edge, support, grid_x, grid_y


def _across(x: Float32[np.ndarray, " W"], scene: SceneView) -> Float32[np.ndarray, " W"]:
    """From heights of the plate, counted from the middle, to fractions of its width."""
    return np.asarray(x * np.float32(scene.height / scene.width) + np.float32(0.5))
