"""The colour of what a ray hits, due to lamp and sky apart, before any shadow."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from robot_io.tabletop.raycast import Group, Hits, dot
from robot_io.tabletop.scene import TABLE_X, TABLE_Y, WALL_Y, WALL_Z
from robot_io.tabletop.world import World

POLISH = {Group.GOAL: (0.0, 1.0), Group.ROBOT: (0.30, 60.0), Group.OBJECT: (0.16, 30.0)}
"""Strength and exponent of the lamp's highlight."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Hits and their unshadowed colour, linear RGB; the two lights add up."""

    hits: Hits
    group: Int[np.ndarray, " n"]
    lamp: Float32[np.ndarray, "n 3"]
    sky: Float32[np.ndarray, "n 3"]


def surface(world: World, hits: Hits, origin: Float[np.ndarray, " 3"]) -> Surface:
    """Colour the hits, as seen from `origin`."""
    light, group = world.scene.light, world.model.geom_group[hits.geom]
    albedo = _albedo(world, hits, group)
    facing = np.clip(dot(hits.normal, light.direction), 0, None).astype(np.float32)[:, None]
    lamp = (albedo * facing + (facing > 0) * _highlight(hits, group, origin, light.direction)[:, None]) * light.lamp
    return Surface(hits, group, lamp, _ambient(world, hits, group, albedo))


def mirrored_share(gloss: float, ray: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 1"]:
    """Share of light that the table mirrors towards a camera; more at grazing angles (Schlick)."""
    share: np.ndarray = (gloss * (1 + 6 * (1 - np.abs(ray[:, 2:])) ** 5)).astype(np.float32)
    return share


def _albedo(world: World, hits: Hits, group: np.ndarray) -> np.ndarray:
    albedo: np.ndarray = world.model.geom_rgba[hits.geom, :3].astype(np.float32)
    table, wall, thing = (group == g for g in (Group.TABLE, Group.WALL, Group.OBJECT))
    x, y, z = hits.point.T
    albedo[table] = world.scene.table.at(y[table] - TABLE_Y[0], x[table] - TABLE_X[0])
    albedo[wall] = world.scene.wall.at(y[wall] - WALL_Y[0], z[wall] - WALL_Z[0])
    band = world.scene.thing.band
    if band is not None:
        middle = np.abs(hits.point[:, 2] - world.state.thing[2]) < 0.28 * world.scene.thing.height
        albedo[thing & middle & (np.abs(hits.normal[:, 2]) < 0.5)] = band
    return albedo


def _highlight(hits: Hits, group: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    towards = origin - hits.point
    half = towards / np.sqrt(dot(towards, towards))[:, None] + direction
    cosine = np.clip(dot(half, hits.normal) / np.sqrt(dot(half, half)), 0, 1)
    highlight = np.zeros(len(group), np.float32)
    for polished, (strength, exponent) in POLISH.items():
        of = group == polished
        highlight[of] = strength * cosine[of] ** exponent
    return highlight


def _ambient(world: World, hits: Hits, group: np.ndarray, albedo: np.ndarray) -> np.ndarray:
    """Light from above, from the table below, and little of either close to where things meet."""
    scene = world.scene
    up = hits.normal[:, 2].astype(np.float32)
    height = hits.point[:, 2].astype(np.float32)
    wall = group == Group.WALL
    above = np.where(wall, 0.9, 0.62 + 0.38 * up)
    near = np.where(wall, 0.55 * np.exp(-np.clip(height, 0, None) / 0.09), 0.5 * np.exp(-height / 0.03) * (1 - up) / 2)
    bounce = (0.5 - 0.5 * up) * (0.55 * (1 - np.exp(-np.clip(height, 0, None) / 0.08)))
    from_table = scene.table.mean * (scene.light.sky + 0.75 * scene.light.lamp)
    radiance = (above * (1 - near))[:, None] * scene.light.sky + np.where(wall, 0, bounce)[:, None] * from_table
    ambient: np.ndarray = albedo * radiance.astype(np.float32)
    return ambient
