"""A scripted expert: reach, grasp, lift, move, lower, let go, back off."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from robot_io.tabletop.scene import GOAL_HEIGHT
from robot_io.tabletop.world import STEP, TURN, World

CLEARANCE = 0.075
"""Metres above the place of the grasp from which it is approached."""
GRIP = {"cube": 0.6, "can": 0.7, "ball": 0.5, "bottle": 0.75}
"""Shape -> share of its height at which it is gripped."""
OPEN, CLOSE = -1.0, 1.0


@dataclass(frozen=True, eq=False)
class Waypoint:
    """Where the hand shall be, and whether it grips on the way."""

    hand: Float[np.ndarray, " 3"]
    yaw: float
    grip: float
    pause: int = 0
    """Steps to stay instead of moving."""


def demonstrate(world: World) -> Iterator[Float32[np.ndarray, " 5"]]:
    """Actions that put the object on the coaster; the caller carries out each before asking for the next."""
    for waypoint in _waypoints(world):
        start, turn = world.state, waypoint.yaw - world.state.yaw
        steps = waypoint.pause or _steps(waypoint.hand - start.hand, turn)
        for i in range(1, steps + 1):
            share = 0.5 - 0.5 * np.cos(np.pi * i / steps)
            move = start.hand + share * (waypoint.hand - start.hand) - world.state.hand
            rotate = start.yaw + share * turn - world.state.yaw
            yield np.array([*(move / STEP), rotate / TURN, waypoint.grip], dtype=np.float32)


def _waypoints(world: World) -> list[Waypoint]:
    thing, goal = world.scene.thing, world.scene.goal
    height = GRIP[thing.shape] * thing.height
    up = np.array([0.0, 0.0, CLEARANCE])
    grasp, yaw = np.array([*thing.place, height]), _grasp_yaw(world)
    place = np.array([*goal.place, height + GOAL_HEIGHT])
    bearing = yaw + 0.5 * (np.arctan2(goal.place[1], 0.4) - np.arctan2(thing.place[1], 0.4))
    return [
        Waypoint(grasp + up, yaw, OPEN),
        Waypoint(grasp, yaw, OPEN),
        Waypoint(grasp, yaw, CLOSE, pause=3),
        Waypoint(grasp + up, yaw, CLOSE),
        Waypoint(place + up, bearing, CLOSE),
        Waypoint(place, bearing, CLOSE),
        Waypoint(place, bearing, OPEN, pause=2),
        Waypoint(place + up, bearing, OPEN),
    ]


def _grasp_yaw(world: World) -> float:
    """Fingers on two faces of a cube, the pair that needs the smaller turn; round things as they come."""
    if world.scene.thing.shape != "cube":
        return world.state.yaw
    quarter = np.pi / 2
    turn = world.state.thing_yaw - world.state.yaw
    return float(world.state.yaw + turn - quarter * np.round(turn / quarter))


def _steps(move: np.ndarray, turn: float) -> int:
    """Enough for the fastest moment of an eased motion to stay within one action."""
    return int(np.ceil(np.pi / 2 * max(np.abs(move).max() / STEP, abs(turn) / TURN, 1.0)))
