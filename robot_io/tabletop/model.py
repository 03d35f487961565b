"""A scene as MuJoCo XML."""

from robot_io.tabletop import arm
from robot_io.tabletop.materials import linear
from robot_io.tabletop.scene import (
    COLOURS,
    GOAL_HEIGHT,
    GOAL_RADIUS,
    TABLE_X,
    TABLE_Y,
    WALL_X,
    WALL_Y,
    WALL_Z,
    Goal,
    Scene,
    Thing,
)


def mjcf(scene: Scene) -> str:
    """The model: joints of arm and fingers, then the object's free joint. Geom groups are those of raycast.Group."""
    table = _box("table", 0, TABLE_X, TABLE_Y, (-0.03, 0.0))
    wall = _box("wall", 1, (WALL_X - 0.05, WALL_X), WALL_Y, WALL_Z)
    return f"""<mujoco>
<default>
  <geom contype="0" conaffinity="0"/>
  <default class="robot"><geom group="3"/></default>
  <default class="object"><geom group="4"/></default>
</default>
<worldbody>{table}{wall}{_goal(scene.goal)}{arm.MJCF}{_thing(scene.thing)}</worldbody></mujoco>"""


def _box(name: str, group: int, *ranges: tuple[float, float]) -> str:
    centre = " ".join(str((low + high) / 2) for low, high in ranges)
    size = " ".join(str((high - low) / 2) for low, high in ranges)
    return f'<geom name="{name}" type="box" group="{group}" pos="{centre}" size="{size}"/>'


def _goal(goal: Goal) -> str:
    x, y = goal.place
    return (
        f'<geom name="goal" type="cylinder" group="2" size="{GOAL_RADIUS} {GOAL_HEIGHT / 2}" '
        f'pos="{x} {y} {GOAL_HEIGHT / 2}" rgba="{_rgba(goal.colour)}"/>'
    )


def _thing(thing: Thing) -> str:
    radius, half = thing.width / 2, thing.height / 2
    look = f'class="object" rgba="{_rgba(thing.colour)}"'
    geoms = {
        "cube": f'<geom {look} type="box" size="{radius} {radius} {half}"/>',
        "can": f'<geom {look} type="cylinder" size="{radius} {half}"/>',
        "ball": f'<geom {look} type="sphere" size="{radius}"/>',
        "bottle": f'<geom {look} type="cylinder" size="{radius} {half}"/>'
        f'<geom {look} type="ellipsoid" pos="0 0 {half}" size="{radius} {radius} {0.5 * radius}"/>'
        f'<geom {look} type="cylinder" pos="0 0 {half + 0.8 * radius}" size="{0.4 * radius} {0.3 * radius}"/>',
    }
    return f'<body name="object"><freejoint/>{geoms[thing.shape]}</body>'


def _rgba(colour: str) -> str:
    return " ".join(f"{channel:.4f}" for channel in linear(COLOURS[colour])) + " 1"
