"""Pictures of a world: the same moment with any of its things, or only their shadows, taken away."""

from collections.abc import Collection, Iterator
from copy import copy

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from robot_io.tabletop.backdrop import SAMPLES, Backdrop, Stage
from robot_io.tabletop.raycast import MIRROR, MOVING, Group, cast
from robot_io.tabletop.shadows import Shadows
from robot_io.tabletop.surfaces import Surface, surface
from robot_io.types import Role

FADE = 0.10
"""Metres above the table within which things are mirrored in it."""
NEUTRAL = np.ones(3, np.float32)
ROLES = {Group.ROBOT: Role.ROBOT, Group.OBJECT: Role.OBJECT, Group.GOAL: Role.GOAL, Group.TABLE: Role.SUPPORT}


class View:
    """What one camera sees in one state of the world."""

    def __init__(self, stage: Stage, backdrop: Backdrop, shadows: Shadows) -> None:
        world, position = stage.world, backdrop.camera.position
        self._backdrop, self._shadows, self._sky = backdrop, shadows, 0.7 * world.scene.light.sky
        below = position * MIRROR
        self._solids, self._mirrored = (
            {group: surface(world, cast(world, origin, rays, (group,)), origin) for group in MOVING}
            for origin, rays in ((position, backdrop.rays), (below, backdrop.mirror_rays))
        )
        self._hidden = {
            (group, caster): stage.lights.on_points(world, solid.hits, self._lane(solid.hits.ray), caster)
            for group, solid in self._solids.items()
            for caster in MOVING
        }

    def before(self, backdrop: Backdrop) -> "View":
        """The same robot and object, lit as they are, before another backdrop of the same shape and light."""
        other = copy(self)
        other._backdrop = backdrop
        return other

    def picture(
        self,
        visible: Collection[Group] = MOVING,
        casters: Collection[Group] = MOVING,
        exposure: Float32[np.ndarray, " 3"] = NEUTRAL,
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The scene with only `visible` of robot and object there, and only `casters` of them casting shadows."""
        backdrop, solids = self._backdrop, [self._solids[group] for group in visible]
        colour = np.zeros((len(backdrop.rays), 3), np.float32)
        lit = [self._lit_backdrop(visible, casters), *(self._lit_solid(group, casters) for group in visible)]
        for shades, (of, ray) in zip(lit, _nearest([backdrop.seen, *solids], len(colour)), strict=True):
            colour[ray] = shades[of]
        return _develop(colour * exposure, backdrop.camera.size)

    def masks(self, visible: Collection[Group] = MOVING) -> dict[Role, Bool[np.ndarray, "h w"]]:
        """Pixels of each role. Where one of a pixel's samples hits a thing, the pixel is the thing's: at an edge two
        masks share a pixel, and a pixel outside a mask shows nothing of the thing."""
        layers, size = [self._backdrop.seen, *(self._solids[group] for group in visible)], self._backdrop.camera.size
        seen = np.full(len(self._backdrop.rays), -1)
        for layer, (of, ray) in zip(layers, _nearest(layers, len(seen)), strict=True):
            seen[ray] = layer.group[of]
        samples = _per_pixel(seen, size)
        return {role: np.logical_or.reduce([sample == group for sample in samples]) for group, role in ROLES.items()}

    def _lit_backdrop(self, visible: Collection[Group], casters: Collection[Group]) -> Float32[np.ndarray, "n 3"]:
        backdrop, seen, size = self._backdrop, self._backdrop.seen, self._backdrop.camera.size
        lamp, sky = np.ones((2, len(seen.group)), np.float32)
        for receiver, of, points in backdrop.shaded:
            lamp[of] = self._shadows.cast_by(receiver.lamp, casters).at(points)
            sky[of] = self._shadows.cast_by(receiver.sky, casters).at(points)
        colour = seen.lamp * lamp[:, None] + seen.sky * sky[:, None]
        mirror = np.broadcast_to(self._mirror(visible).reshape(size, 1, size, 1, 3), (size, SAMPLES, size, SAMPLES, 3))
        colour[backdrop.table] += backdrop.share * mirror.reshape(-1, 3)[seen.hits.ray[backdrop.table]]
        return colour

    def _mirror(self, visible: Collection[Group]) -> Float32[np.ndarray, "m 3"]:
        """What the table mirrors, per pixel: clear near the table, the sky's mean further up."""
        layers = [self._backdrop.mirrored, *(self._mirrored[group] for group in visible)]
        mirror = np.tile(self._sky, (len(self._backdrop.mirror_rays), 1))
        for layer, (of, ray) in zip(layers, _nearest(layers, len(mirror)), strict=True):
            clear = np.exp(-np.clip(layer.hits.point[of, 2:], 0, None) / FADE).astype(np.float32)
            mirror[ray] = clear * (layer.lamp + layer.sky)[of] + (1 - clear) * self._sky
        return mirror

    def _lane(self, ray: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Place within the pixel: the samples of a pixel share the lamp's points among them."""
        lane: np.ndarray = ray % SAMPLES + SAMPLES * (ray // (self._backdrop.camera.size * SAMPLES) % SAMPLES)
        return lane

    def _lit_solid(self, group: Group, casters: Collection[Group]) -> Float32[np.ndarray, "n 3"]:
        solid = self._solids[group]
        lamp = np.ones((len(solid.group), 1), np.float32)
        if casters:
            hidden = np.logical_or.reduce([self._hidden[group, caster] for caster in casters])
            lamp -= hidden.mean(axis=0, dtype=np.float32)[:, None]
        colour: np.ndarray = solid.lamp * lamp + solid.sky
        return colour


def _nearest(layers: list[Surface], rays: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Painter's order: for each layer which of its hits are nearer than all layers before, and their rays."""
    depth = np.full(rays, np.inf)
    for layer in layers:
        of = np.flatnonzero(layer.hits.distance < depth[layer.hits.ray])
        ray = layer.hits.ray[of]
        depth[ray] = layer.hits.distance[of]
        yield of, ray


def _per_pixel(samples: np.ndarray, size: int) -> list[np.ndarray]:
    """SAMPLES**2 pictures `(size, size, ...)`, one per place within the pixel."""
    grid = samples.reshape(size, SAMPLES, size, SAMPLES, *samples.shape[1:])
    return [grid[:, i, :, j] for i in range(SAMPLES) for j in range(SAMPLES)]


def _develop(colour: Float32[np.ndarray, "n 3"], size: int) -> UInt8[np.ndarray, "h w 3"]:
    """Average the samples of each pixel; linear light to sRGB."""
    samples = _per_pixel(colour, size)
    pixels = np.clip(sum(samples[1:], samples[0]) / len(samples), 0, 1)
    srgb = np.where(pixels <= 0.0031308, 12.92 * pixels, 1.055 * pixels ** (1 / 2.4) - 0.055)
    return np.round(255 * srgb).astype(np.uint8)
