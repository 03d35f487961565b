"""The tabletop as a world with a state: the robot moves, grips, carries and lets go.

Motion is kinematic: the hand goes where it is told, a gripped object follows it rigidly, a released one drops.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from robot_io.tabletop import arm
from robot_io.tabletop.engine import mujoco
from robot_io.tabletop.model import mjcf
from robot_io.tabletop.scene import GOAL_HEIGHT, GOAL_RADIUS, Scene

FPS = 12.5
STEP, TURN = 0.055, 0.4
"""Metres and radians that an action of 1 moves the hand within one step."""
SQUEEZE = 0.024
"""Metres that the fingers open or close within one step."""
DROP = 0.05
"""Metres that a released object falls within one step."""
WORKSPACE = np.array([[-0.05, -0.18, 0.02], [0.15, 0.18, 0.24]])
"""Lowest and highest place of the finger tips, metres."""


@dataclass(frozen=True, eq=False)
class State:
    """Where everything is, before an action."""

    joints: Float[np.ndarray, " 5"]
    hand: Float[np.ndarray, " 3"]
    yaw: float
    opening: float
    """Metres between the fingers."""
    thing: Float[np.ndarray, " 3"]
    """The object's centre."""
    thing_yaw: float
    held: bool


class World:
    """One scene in MuJoCo."""

    def __init__(self, scene: Scene, hand: Float[np.ndarray, " 3"]) -> None:
        """`hand` is where the finger tips begin, metres."""
        thing = scene.thing
        self.scene = scene
        self.model = mujoco.MjModel.from_xml_string(mjcf(scene))
        self.data = mujoco.MjData(self.model)
        groups = self.model.geom_group
        self.geoms = {int(group): np.flatnonzero(groups == group) for group in np.unique(groups)}
        """Geom group -> indices of its geoms."""
        centre = np.array([*thing.place, thing.height / 2])
        heading = float(np.arctan2(hand[1] - arm.BASE[1], hand[0] - arm.BASE[0]))
        self._place(hand, heading, arm.MAX_OPENING, centre, thing.yaw, held=False)

    def step(self, action: Float32[np.ndarray, " 5"]) -> None:
        """Carry out `(dx, dy, dz, dyaw, grip)`, each clipped to [-1, 1]: STEP metres, TURN radians, 1 = close."""
        old, move = self.state, np.clip(action.astype(np.float64), -1, 1)
        hand = np.clip(old.hand + STEP * move[:3], *WORKSPACE)
        yaw = old.yaw + TURN * move[3]
        opening = float(np.clip(old.opening - SQUEEZE * np.sign(move[4]), 0.0, arm.MAX_OPENING))
        width = self.scene.thing.width
        grasps = bool(move[4] > 0) and old.opening >= width and self._between_fingers(hand)
        held = (old.held or grasps) and opening <= width
        if held:
            # Fingers that close push the object to the middle between them.
            offset = old.thing - old.hand if old.held else np.array([0.0, 0.0, old.thing[2] - hand[2]])
            turn = yaw - old.yaw if old.held else 0.0
            self._place(hand, yaw, width, hand + _turned(offset, turn), old.thing_yaw + turn, held)
        else:
            thing = np.array([*old.thing[:2], max(old.thing[2] - DROP, self._ground(old.thing))])
            self._place(hand, yaw, opening, thing, old.thing_yaw, held)

    @property
    def lifted(self) -> bool:
        """The hand holds the object clear of the table."""
        return self.state.held and bool(self.state.thing[2] > self.scene.thing.height / 2 + 0.05)

    @property
    def placed(self) -> bool:
        """The object stands on the coaster by itself."""
        away = np.hypot(*(self.state.thing[:2] - self.scene.goal.place))
        return not self.state.held and bool(away < GOAL_RADIUS / 2)

    def _between_fingers(self, hand: np.ndarray) -> bool:
        thing = self.state.thing
        return bool(np.hypot(*(thing[:2] - hand[:2])) < 0.02 and abs(thing[2] - hand[2]) < self.scene.thing.height / 2)

    def _ground(self, thing: np.ndarray) -> float:
        """Height of the object's centre when it stands where it is."""
        on_goal = np.hypot(*(thing[:2] - self.scene.goal.place)) < GOAL_RADIUS
        return self.scene.thing.height / 2 + (GOAL_HEIGHT if on_goal else 0.0)

    def _place(
        self, hand: np.ndarray, yaw: float, opening: float, thing: np.ndarray, thing_yaw: float, held: bool
    ) -> None:
        joints = arm.inverse_kinematics(hand, yaw)
        self.state = State(joints, hand, yaw, opening, thing, thing_yaw, held)
        quaternion = [np.cos(thing_yaw / 2), 0, 0, np.sin(thing_yaw / 2)]
        self.data.qpos[:] = [*joints, opening / 2, opening / 2, *thing, *quaternion]
        mujoco.mj_kinematics(self.model, self.data)


def _turned(offset: np.ndarray, yaw: float) -> np.ndarray:
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.array([cosine * offset[0] - sine * offset[1], sine * offset[0] + cosine * offset[1], offset[2]])
