"""Table and wall as receivers of shadows: maps over a plane, shared by all cameras."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage

from robot_io.tabletop.raycast import dot
from robot_io.tabletop.scene import WALL_X

FAR = 10.0
"""Metres to the lights: far, so that flat things are evenly lit."""
CELLS = (0.0075, 0.015)
"""Of the lamp's map and of the sky's, metres."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A rectangle that receives shadows, divided into square cells."""

    corner: Float[np.ndarray, " 3"]
    u: Float[np.ndarray, " 3"]
    v: Float[np.ndarray, " 3"]
    """Unit vectors along columns and rows."""
    cell: float
    shape: tuple[int, int]

    @cached_property
    def points(self) -> Float[np.ndarray, "rows columns 3"]:
        rows, columns = (self.cell * (np.arange(n) + 0.5) for n in self.shape)
        points: np.ndarray = self.corner + rows[:, None, None] * self.v + columns[None, :, None] * self.u
        return points

    @cached_property
    def normal(self) -> Float[np.ndarray, " 3"]:
        return np.cross(self.u, self.v)

    def window(
        self, light: Float[np.ndarray, " 3"], centres: Float[np.ndarray, "n 3"], radii: Float[np.ndarray, " n"]
    ) -> tuple[slice, slice]:
        """Rows and columns that the shadows of these balls can fall on."""
        height, above = (light - self.corner) @ self.normal, (light - centres) @ self.normal
        if height <= 0 or (above <= 0).any():
            return slice(0), slice(0)
        reach = radii * height / above * (FAR / height)
        shadow = light + (centres - light) * (height / above)[:, None] - self.corner
        windows = []
        for axis, n in ((self.v, self.shape[0]), (self.u, self.shape[1])):
            low, high = (shadow @ axis - reach).min() / self.cell, (shadow @ axis + reach).max() / self.cell
            windows.append(slice(int(np.clip(low, 0, n)), int(np.clip(high + 1, 0, n))))
        return windows[0], windows[1]


X, Y, Z = np.eye(3)


@dataclass(frozen=True, eq=False)
class Receiver:
    """A flat thing that shadows fall on: fine cells for the lamp's, coarse ones for the sky's, which are soft."""

    lamp: Plane
    sky: Plane


def _receiver(corner: tuple[float, float, float], u: np.ndarray, v: np.ndarray, size: tuple[float, float]) -> Receiver:
    """`size` is that along v and u, metres."""
    return Receiver(
        *(Plane(np.array(corner), u, v, cell, (round(size[0] / cell), round(size[1] / cell))) for cell in CELLS)
    )


TABLE = _receiver((-0.54, -0.60, 0.0), X, Y, (1.20, 1.10))
WALL = _receiver((WALL_X, -0.9, -0.05), Y, Z, (0.65, 1.80))


@dataclass(frozen=True, eq=False)
class Shade:
    """Share of a light that reaches each cell of a plane, 0 to 1."""

    plane: Plane
    share: Float32[np.ndarray, "rows columns"]

    def at(self, points: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, " n"]:
        """The share at points of the plane; 1 outside the rectangle."""
        place = (points - self.plane.corner) / self.plane.cell
        grid = [dot(place, axis) - 0.5 for axis in (self.plane.v, self.plane.u)]
        share: np.ndarray = ndimage.map_coordinates(self.share, grid, order=1, mode="constant", cval=1.0)
        return share
