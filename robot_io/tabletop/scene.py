"""What differs between episodes: materials, light, the object, where things stand."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32

from robot_io.tabletop.materials import TABLES, WALLS, Texture, linear, texture

# metres; the table's top is z = 0, x runs from the wall to the camera, y to the camera's right
TABLE_X, TABLE_Y = (-0.52, 1.0), (-1.2, 1.2)
WALL_X, WALL_Y, WALL_Z = -0.60, (-1.6, 1.6), (-0.4, 0.9)
REACH_X, REACH_Y = (0.0, 0.14), (-0.16, 0.16)
GOAL_RADIUS, GOAL_HEIGHT = 0.058, 0.006

COLOURS = {
    "red": "b8322a", "blue": "2c5aa8", "green": "3a8a4a", "yellow": "d9ae2e", "orange": "d4712a", "purple": "74489c",
    "teal": "1f8a8a", "pink": "cf6d92",
}  # fmt: skip
SHAPES = {"cube": (0.058, 0.070), "can": (0.058, 0.068), "ball": (0.064, 0.074), "bottle": (0.056, 0.064)}
"""Shape -> range of its width in metres: all fit the gripper and are at least 6 pixels wide at 64 pixels."""
HEIGHTS = {"cube": 1.0, "can": 1.45, "ball": 1.0, "bottle": 1.5}
"""Height over width of the part that is grasped; a bottle's neck comes on top."""


@dataclass(frozen=True, eq=False)
class Thing:
    """The object to be manipulated."""

    shape: str
    colour: str
    width: float
    height: float
    band: Float32[np.ndarray, " 3"] | None
    """Linear RGB of the label around its middle."""
    place: Float[np.ndarray, " 2"]
    yaw: float


@dataclass(frozen=True, eq=False)
class Goal:
    """The coaster that the object is to be put on."""

    colour: str
    place: Float[np.ndarray, " 2"]


@dataclass(frozen=True, eq=False)
class Lighting:
    """One far lamp with soft shadows, and light from all sides."""

    direction: Float[np.ndarray, " 3"]
    """Unit vector towards the lamp."""
    radius: float
    """Of the lamp, radians as seen from the table."""
    lamp: Float32[np.ndarray, " 3"]
    sky: Float32[np.ndarray, " 3"]
    """Linear radiance of lamp and surroundings; a white surface facing both has their sum."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything about an episode but the robot's motion."""

    table: Texture
    wall: Texture
    gloss: float
    """Share of light that the table mirrors when looked at steeply, 0 to 1."""
    light: Lighting
    thing: Thing
    goal: Goal

    @property
    def instruction(self) -> str:
        return f"put the {self.thing.colour} {self.thing.shape} on the {self.goal.colour} coaster"


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene."""
    shape = str(rng.choice(list(SHAPES)))
    first, second = (str(name) for name in rng.choice(list(COLOURS), size=2, replace=False))
    here, there = _places(rng)
    width = rng.uniform(*SHAPES[shape])
    band = linear("e9e4d8") if shape in ("can", "bottle") else None
    thing = Thing(shape, first, width, width * HEIGHTS[shape], band, here, rng.uniform(-0.7, 0.7))
    table, wall = _materials(rng)
    gloss = rng.uniform(0.0, 0.03) if "cloth" in table.kind or table.kind == "checker" else rng.uniform(0.06, 0.2)
    return Scene(table, wall, gloss, _lighting(rng), thing, Goal(second, there))


def refurnished(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with other materials on table and wall."""
    table, wall = _materials(rng)
    return replace(scene, table=table, wall=wall)


def _materials(rng: np.random.Generator) -> tuple[Texture, Texture]:
    """Of table and wall."""
    table = texture(str(rng.choice(list(TABLES))), rng, (TABLE_X[1] - TABLE_X[0], TABLE_Y[1] - TABLE_Y[0]), 0.002)
    wall = texture(str(rng.choice(list(WALLS))), rng, (WALL_Z[1] - WALL_Z[0], WALL_Y[1] - WALL_Y[0]), 0.004)
    return table, wall


def _places(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two places in reach, far enough apart for hand and coaster."""
    while True:
        here, there = rng.uniform((REACH_X[0], REACH_Y[0]), (REACH_X[1], REACH_Y[1]), size=(2, 2))
        if np.hypot(*(here - there)) > 0.16:
            return here, there


def _lighting(rng: np.random.Generator) -> Lighting:
    azimuth = rng.choice((-1, 1)) * rng.uniform(0.5, 1.5)
    elevation = np.deg2rad(rng.uniform(48, 66))
    direction = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    warmth, share = rng.uniform(-1, 1), rng.uniform(0.58, 0.72)
    lamp = np.array([1 + 0.10 * warmth, 1.0, 1 - 0.16 * warmth]) * share * 1.35
    sky = np.array([1 - 0.05 * warmth, 1.0, 1 + 0.08 * warmth]) * (1 - share) * 1.1
    return Lighting(direction, np.deg2rad(rng.uniform(2.5, 5)), lamp.astype(np.float32), sky.astype(np.float32))
