"""Cameras, and what their rays hit."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from robot_io.tabletop.engine import mujoco
from robot_io.tabletop.world import World


class Group(IntEnum):
    """MuJoCo geom groups: rays can be told to pass through any of them, which is what makes truth exact."""

    TABLE = 0
    WALL = 1
    GOAL = 2
    ROBOT = 3
    OBJECT = 4


SCENERY = (Group.TABLE, Group.WALL, Group.GOAL)
MOVING = (Group.ROBOT, Group.OBJECT)


@dataclass(frozen=True, eq=False)
class Camera:
    """A square pinhole camera."""

    name: str
    size: int
    position: Float[np.ndarray, " 3"]
    axes: Float[np.ndarray, "3 3"]
    """Rows: right, up, forward."""
    view: float
    """Opening angle, radians."""

    def rays(self, samples: int) -> Float[np.ndarray, "n 3"]:
        """Unit vectors through the centres of `samples` x `samples` parts of every pixel, row by row."""
        n = self.size * samples
        edge = np.tan(self.view / 2) * ((2 * np.arange(n) + 1) / n - 1)
        x, y = np.meshgrid(edge, -edge)
        rays = np.stack([x.ravel(), y.ravel(), np.ones(n * n)], axis=1)
        rays /= np.sqrt(dot(rays, rays))[:, None]
        return rotate(rays, self.axes)

    def project(self, points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
        """Where points before it are seen: x, y in pixels from the picture's corner; and pixels per metre there."""
        right, up, depth = (dot(points - self.position, axis) for axis in self.axes)
        scale = self.size / 2 / np.tan(self.view / 2) / depth
        return np.stack([self.size / 2 + scale * right, self.size / 2 - scale * up], axis=1), scale


@dataclass(frozen=True, eq=False)
class Hits:
    """Nearest hits of those rays that hit anything."""

    ray: Int[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]
    geom: Int[np.ndarray, " n"]
    normal: Float[np.ndarray, "n 3"]
    point: Float[np.ndarray, "n 3"]


MIRROR = np.array([1.0, 1.0, -1.0])


def rotate(vectors: Float[np.ndarray, "n 3"], axes: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "n 3"]:
    """From coordinates along `axes` (rows) to the world's. Without BLAS, whose bytes depend on its threads."""
    turned: np.ndarray = vectors[:, :1] * axes[0] + vectors[:, 1:2] * axes[1] + vectors[:, 2:] * axes[2]
    return turned


def cast(
    world: World, origin: Float[np.ndarray, " 3"], rays: Float[np.ndarray, "n 3"], groups: Iterable[Group]
) -> Hits:
    """Follow unit vectors from `origin` to the first geom of `groups`."""
    ray = _near(world, origin, rays, groups)
    rays = rays[ray]
    n = len(ray)
    geom, distance, normal = np.full(n, -1, np.int32), np.empty(n), np.empty((n, 3))
    if n:
        mujoco.mj_multiRay(
            world.model, world.data, origin, rays.reshape(-1), _only(groups), 1, -1, geom, distance,
            normal.reshape(-1), n, mujoco.mjMAXVAL,
        )  # fmt: skip
    hit = np.flatnonzero(geom >= 0)
    distance = distance[hit]
    return Hits(ray[hit], distance, geom[hit], normal[hit], origin + distance[:, None] * rays[hit])


def blocked(
    world: World, light: Float[np.ndarray, " 3"], points: Float[np.ndarray, "n 3"], group: Group
) -> Bool[np.ndarray, " n"]:
    """Whether a geom of `group` is between the light and each point."""
    hidden = np.zeros(len(points), bool)
    rays = points - light
    ray = _near(world, light, rays, (group,))
    n = len(ray)
    if n:
        geom, distance = np.empty(n, np.int32), np.empty(n)
        mujoco.mj_multiRay(
            world.model, world.data, light, rays[ray].reshape(-1), _only((group,)), 1, -1, geom, distance, None, n,
            mujoco.mjMAXVAL,
        )  # fmt: skip
        hidden[ray] = (geom >= 0) & (distance < 1.0)
    return hidden


def dot(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "*rows 3"]) -> Float[np.ndarray, " n"]:
    """Row by row. Without BLAS, whose bytes depend on its threads."""
    product: np.ndarray = np.einsum("ni,ni->n" if b.ndim == 2 else "ni,i->n", a, b)
    return product


def _near(world: World, origin: np.ndarray, rays: np.ndarray, groups: Iterable[Group]) -> Int[np.ndarray, " m"]:
    """Those rays that pass through a ball around `groups`: cheaper to tell than to cast the others."""
    geoms = np.concatenate([world.geoms[group] for group in groups])
    centres = world.data.geom_xpos[geoms]
    towards = (centres.min(axis=0) + centres.max(axis=0)) / 2 - origin
    radius = (np.linalg.norm(centres - origin - towards, axis=1) + world.model.geom_rbound[geoms]).max()
    slack = towards @ towards - radius**2
    if slack <= 0:
        return np.arange(len(rays))
    along = dot(rays, towards)
    return np.flatnonzero((along > 0) & (along * along > slack * dot(rays, rays)))


def _only(groups: Iterable[Group]) -> np.ndarray:
    allowed = np.zeros(6, np.uint8)
    allowed[list(groups)] = 1
    return allowed
