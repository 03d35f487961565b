"""The room that a camera looks into: a level support and, behind its far edge, a floor and upright walls.

A pinhole camera 0.45 m above the support, with a field of view of 49 degrees from top to bottom and without roll. How
far it looks down follows from where the support ends in the picture. Points are in metres: x to the right, y away from
the camera, z up from the support; the camera is at (0, 0, 0.45).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float32

from augment.generate.edge import Edge

CAMERA = 0.45  # m above the support
TABLE = 0.74  # m from the floor to the support
FOCAL = 1.1  # heights
FARTHEST = 60.0  # m: what lies at the horizon or beyond is here

Values = Float32[np.ndarray, "*n"]


@dataclass(frozen=True)
class Points:
    """Where rays meet a surface."""

    x: Values
    y: Values
    z: Values
    u: Values
    """Along the surface, to the right, m."""
    v: Values
    """Across it, towards the camera or downwards, m."""
    normal: tuple[Values, Values, Values]


@dataclass(frozen=True)
class Wall:
    """Upright, `distance` from the foot of the camera; `across` points away from the camera, `along` to the right."""

    along: tuple[float, float]
    across: tuple[float, float]
    distance: float


@dataclass(frozen=True)
class Room:
    """What follows from the support's far edge."""

    edge: Edge
    aspect: float
    """Width by height of the picture."""
    gap: float
    """Between the far edge and the walls, m; 0: the support stands against them."""

    @cached_property
    def horizon(self) -> float:
        """Fraction of the height. The higher up the edge, the further above it: such a camera looks down."""
        ends = self.edge.rows(np.array([0, 0.5, 1], dtype=np.float32)).tolist()
        middle = sum(ends) / 3
        return float(min(middle - 0.25 - 0.5 * max(0.0, 0.5 - middle), min(ends) - 0.1))

    @cached_property
    def walls(self) -> tuple[Wall, ...]:
        """Parallel to each piece of the edge."""
        x = np.array([(x - 0.5) * self.aspect for x, _ in self.edge.points], dtype=np.float32)
        y = np.array([y for _, y in self.edge.points], dtype=np.float32)
        feet = np.stack(self._on_level(x, np.maximum(y, np.float32(self.horizon + 0.05)), CAMERA), axis=1).tolist()
        walls = []
        for (x0, y0), (x1, y1) in pairwise(feet):
            length = float(np.hypot(x1 - x0, y1 - y0))
            east, north = (x1 - x0) / length, (y1 - y0) / length
            walls.append(Wall((east, north), (-north, east), max(east * y0 - north * x0, 0.2) + self.gap))
        return tuple(walls)

    def rays(self, x: Values, y: Values) -> tuple[Values, Values, Values]:
        """Directions: right, ahead, up. `x` from the middle and `y` from the top, in heights of the picture."""
        pitch = np.arctan((0.5 - self.horizon) / FOCAL)
        cos, sin = np.float32(np.cos(pitch)), np.float32(np.sin(pitch))
        down = y - np.float32(0.5)
        return x, np.float32(FOCAL) * cos - down * sin, -(down * cos + np.float32(FOCAL) * sin)

    def on_level(self, x: Values, y: Values, below: float = 0.0) -> Points:
        """Where rays meet the level plane so far below the support's, m. Its u runs along the edge's first piece."""
        east, north = self._on_level(x, y, CAMERA + below)
        wall, flat = self.walls[0], np.zeros_like(east)
        u = np.float32(wall.along[0]) * east + np.float32(wall.along[1]) * north
        v = np.float32(wall.across[0]) * east + np.float32(wall.across[1]) * north
        return Points(east, north, flat - np.float32(below), u, -v, (flat, flat, flat + 1))

    def _on_level(self, x: Values, y: Values, below: float) -> tuple[Values, Values]:
        right, ahead, up = self.rays(x, y)
        reach = np.float32(below) / np.maximum(-up, np.float32(below / FARTHEST))
        return right * reach, ahead * reach

    def on_walls(self, x: Values, y: Values) -> Points:
        """Where rays meet the nearest wall."""
        right, ahead, up = self.rays(x, y)
        reach = np.full_like(right, FARTHEST)
        u, east, north = np.zeros_like(right), np.zeros_like(right), np.zeros_like(right) - 1
        for number, wall in enumerate(self.walls):
            towards = wall.across[0] * right + wall.across[1] * ahead
            here = np.float32(wall.distance) / np.maximum(towards, np.float32(wall.distance / FARTHEST))
            nearer = here < reach
            reach = np.where(nearer, here, reach)
            # a large step between walls, so that their materials do not mirror each other
            u = np.where(nearer, (wall.along[0] * right + wall.along[1] * ahead) * reach + np.float32(7 * number), u)
            east = np.where(nearer, np.float32(-wall.across[0]), east)
            north = np.where(nearer, np.float32(-wall.across[1]), north)
        z = up * reach + np.float32(CAMERA)
        return Points(right * reach, ahead * reach, z, u, -z, (east, north, np.zeros_like(east)))

    def to_walls(self, points: Points) -> Values:
        """Distance from points to the nearest wall, m."""
        distances = [
            np.float32(wall.distance) - np.float32(wall.across[0]) * points.x - np.float32(wall.across[1]) * points.y
            for wall in self.walls
        ]
        return np.maximum(np.minimum(distances[0], distances[-1]), np.float32(0))

    def light(self, light: Mapping[str, Any], points: Points) -> Values:
        """Brightness, about 1, of surfaces lit by one soft lamp and by the room itself."""
        ray, squared = self._to_lamp(light, points)
        facing = sum(axis * normal for axis, normal in zip(ray, points.normal, strict=True)) / np.sqrt(squared)
        depth = self.walls[0].distance
        direct = np.maximum(facing, 0) * np.float32(depth**2) / (squared + np.float32(0.2 * depth**2))
        ambient = np.float32(light["ambient"])
        return np.asarray(ambient + (1 - ambient) * np.float32(2.4) * direct / (direct + np.float32(0.7)))

    def gloss(self, light: Mapping[str, Any], points: Points) -> Values:
        """The lamp's blurred reflection in a level surface, to be added to its colours."""
        ray, squared = self._to_lamp(light, points)
        mirrored = points.x * ray[0] + points.y * ray[1] + (np.float32(CAMERA) - points.z) * ray[2]
        seen = points.x**2 + points.y**2 + (points.z - np.float32(CAMERA)) ** 2
        cosine = np.maximum(mirrored / np.sqrt(squared * seen), 0)
        return np.asarray(np.float32(light["gloss"]) * cosine ** np.float32(24))

    def _to_lamp(self, light: Mapping[str, Any], points: Points) -> tuple[list[Values], Values]:
        """From points to the lamp, m, and the length of that, squared."""
        depth = self.walls[0].distance
        lamp = (light["side"] * depth, light["ahead"] * depth, light["above"] * depth)
        ray = [np.float32(at) - axis for at, axis in zip(lamp, (points.x, points.y, points.z), strict=True)]
        return ray, ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2
