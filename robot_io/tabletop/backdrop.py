"""Table, wall and goal as a camera sees them: all that is static, but for the shadows that fall on it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from robot_io.tabletop.planes import TABLE, WALL, Receiver
from robot_io.tabletop.raycast import MIRROR, SCENERY, Camera, Group, cast
from robot_io.tabletop.shadows import Lights, Shadows
from robot_io.tabletop.surfaces import Surface, mirrored_share, surface
from robot_io.tabletop.world import World

SAMPLES = 2
"""Rays per pixel and direction."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """What a camera's rays hit when neither robot nor object is there."""

    camera: Camera
    rays: Float[np.ndarray, "n 3"]
    seen: Surface
    shaded: tuple[tuple[Receiver, Int[np.ndarray, " _"], Float[np.ndarray, "_ 3"]], ...]
    """What of `seen` receives shadows on which plane, and where on that plane."""
    table: Int[np.ndarray, " t"]
    """What of `seen` is the table."""
    share: Float32[np.ndarray, "t 1"]
    """Of light that it mirrors."""
    mirror_rays: Float[np.ndarray, "m 3"]
    """From below the table, one per pixel."""
    mirrored: Surface


class Stage:
    """A world that is lit."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lights = Lights(world.scene.light)
        shadows = Shadows(world, self.lights, (Group.GOAL,))
        self._goal_shade = [shadows.cast_by(plane, (Group.GOAL,)) for plane in (TABLE.lamp, TABLE.sky)]

    def backdrop(self, camera: Camera) -> Backdrop:
        """Serves as long as the camera does not move."""
        rays, mirror_rays, below = camera.rays(SAMPLES), camera.rays(1) * MIRROR, camera.position * MIRROR
        seen = surface(self.world, cast(self.world, camera.position, rays, SCENERY), camera.position)
        mirrored = surface(self.world, cast(self.world, below, mirror_rays, (Group.WALL,)), below)
        table, wall = (np.flatnonzero(seen.group == group) for group in (Group.TABLE, Group.WALL))
        self._shade_goal(seen, table)
        flat = np.flatnonzero(seen.group != Group.WALL)
        points, direction = seen.hits.point, self.world.scene.light.direction
        # The goal is low: its shade is that of the table behind it, seen from the lamp.
        on_table = points[flat] - points[flat, 2:] / direction[2] * direction
        share = mirrored_share(self.world.scene.gloss, rays[seen.hits.ray[table]])
        shaded = ((TABLE, flat, on_table), (WALL, wall, points[wall]))
        return Backdrop(camera, rays, seen, shaded, table, share, mirror_rays, mirrored)

    def _shade_goal(self, seen: Surface, table: np.ndarray) -> None:
        for colour, shade in zip((seen.lamp, seen.sky), self._goal_shade, strict=True):
            colour[table] *= shade.at(seen.hits.point[table])[:, None]
