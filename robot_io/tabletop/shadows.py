"""Which light reaches where: soft shadows of robot and object, each kept apart so that either can be taken away.

Table and wall are planes: their shadows are maps over the plane (planes.py). Robot and object are lit
point by point.
"""

from collections.abc import Collection

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from robot_io.tabletop.planes import FAR, TABLE, WALL, Plane, Shade, Z
from robot_io.tabletop.raycast import MOVING, Group, Hits, blocked, dot
from robot_io.tabletop.scene import Lighting
from robot_io.tabletop.world import World

LAMP_SAMPLES, SKY_SAMPLES = 8, 10
LANES = 4
"""Among which the lamp's points are shared."""
GOLDEN = np.pi * (3 - np.sqrt(5))


class Lights:
    """The lamp and the sky as points of light."""

    def __init__(self, lighting: Lighting) -> None:
        i = np.arange(LAMP_SAMPLES)
        radius, angle = np.tan(lighting.radius) * np.sqrt((i + 0.5) / LAMP_SAMPLES), GOLDEN * i
        side = np.cross(lighting.direction, Z) / np.linalg.norm(np.cross(lighting.direction, Z))
        disc = (radius * np.cos(angle))[:, None] * side
        disc += (radius * np.sin(angle))[:, None] * np.cross(lighting.direction, side)
        self.lamp = FAR * (lighting.direction + disc)
        i = np.arange(SKY_SAMPLES)
        sine, angle = np.sqrt((i + 0.5) / SKY_SAMPLES) * 0.94, GOLDEN * i
        self.sky = FAR * np.stack([sine * np.cos(angle), sine * np.sin(angle), np.sqrt(1 - sine**2)], axis=1)

    def on_points(
        self, world: World, hits: Hits, lane: Int[np.ndarray, " n"], group: Group
    ) -> Bool[np.ndarray, "lights n"]:
        """Lamp points hidden by `group`. A hit sees only those of its lane, 0 to LANES - 1.

        Hits that face away from the lamp get none of its light anyway and count as not hidden.
        """
        hidden = np.zeros((LAMP_SAMPLES // LANES, len(lane)), bool)
        facing = dot(hits.normal, world.scene.light.direction) > 0
        lifted = hits.point + 1e-3 * hits.normal
        for i, light in enumerate(self.lamp):
            of = np.flatnonzero(facing & (lane == i % LANES))
            hidden[i // LANES, of] = blocked(world, light, lifted[of], group)
        return hidden


class Shadows:
    """What robot and object keep from table and wall, in one state of the world."""

    def __init__(self, world: World, lights: Lights, groups: Collection[Group] = MOVING) -> None:
        self._hidden = {
            (plane, group): _hidden(world, points, plane, group)
            for receiver in (TABLE, WALL)
            for plane, points in ((receiver.lamp, lights.lamp), (receiver.sky, lights.sky))
            for group in groups
        }

    def cast_by(self, plane: Plane, casters: Collection[Group]) -> Shade:
        """The shade on `plane` if only `casters` were there."""
        hidden = [self._hidden[plane, group] for group in casters]
        if not hidden:
            return Shade(plane, np.ones(plane.shape, np.float32))
        share = 1 - np.logical_or.reduce(hidden).mean(axis=0, dtype=np.float32)
        return Shade(plane, ndimage.gaussian_filter(share, 0.8, mode="nearest"))


def _hidden(
    world: World, lights: Float[np.ndarray, "lights 3"], plane: Plane, group: Group
) -> Bool[np.ndarray, "lights rows columns"]:
    """From which cells `group` hides which of the points of light."""
    geoms = world.geoms[group]
    centres, radii = world.data.geom_xpos[geoms], world.model.geom_rbound[geoms]
    hidden = np.zeros((len(lights), *plane.shape), bool)
    for i, light in enumerate(lights):
        window = plane.window(light, centres, radii)
        points = plane.points[window]
        hidden[i][window] = blocked(world, light, points.reshape(-1, 3), group).reshape(points.shape[:2])
    return hidden
