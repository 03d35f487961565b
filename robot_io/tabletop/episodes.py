"""Demonstrations rendered into memory or into a file, with or without the truth that only a renderer knows."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from robot_io.formats.hdf5.create import create
from robot_io.tabletop.backdrop import Stage
from robot_io.tabletop.cameras import agentview, eye_in_hand
from robot_io.tabletop.captions import describe_scene
from robot_io.tabletop.expert import demonstrate
from robot_io.tabletop.filming import Filming
from robot_io.tabletop.raycast import MOVING, Group
from robot_io.tabletop.recording import RECORDED, Recording
from robot_io.tabletop.render import NEUTRAL, View
from robot_io.tabletop.scene import refurnished, sample_scene
from robot_io.tabletop.shadows import Shadows
from robot_io.tabletop.spec import TabletopSpec
from robot_io.tabletop.world import World
from robot_io.types import Episode, Truth

ENV_NAME = "RestageTabletop"
START = np.array([[-0.04, -0.10, 0.17], [0.06, 0.10, 0.21]])
"""Lowest and highest place where the finger tips begin, metres."""

REST = np.array([0, 0, 0, 0, -1], np.float32)
"""The action that keeps an open hand where it is."""


def record_episode(spec: TabletopSpec, index: int) -> Episode:
    """Render one demonstration as a camera would record it.

    Cameras `agentview_image` (size x size) and `robot0_eye_in_hand_image` (half of it), each with masks of robot,
    object, goal and support: a pixel is in a mask if any of its samples hits the thing. Signals of `t` steps, as they
    are before the step's action:

    - `actions` float32 (t, 5): the hand's dx, dy, dz in units of 0.055 m and turn in units of 0.4 rad, then the gripper
      (1 close, -1 open); all in [-1, 1]
    - `states` float64 (t, 14): MuJoCo's qpos
    - `rewards` float64 (t,): 1 if after the action the object stands on the coaster; `dones` int64 (t,): 1 at the end
    - `obs/robot0_joint_pos` (t, 5) rad, `obs/robot0_eef_pos` (t, 3) m, `obs/robot0_gripper_qpos` (t, 2) m
    - `obs/object` (t, 4): its centre, m, and yaw, rad

    Raises IndexError where the spec has no such episode.
    """
    recording, instruction = _record(spec, index, truth=False)
    return recording.episode(f"demo_{index}", instruction)


def render_episode(spec: TabletopSpec, index: int) -> tuple[Episode, dict[str, Truth]]:
    """The episode that `record_episode` returns, and by camera its truth. Raises IndexError as it does."""
    recording, instruction = _record(spec, index, truth=True)
    return recording.episode(f"demo_{index}", instruction), recording.truth()


def render_dataset(spec: TabletopSpec, path: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Record all episodes into one robomimic-style HDF5 file, which appears at `path` when it is whole.

    `progress(done, total)` is called after each episode.
    """

    def episodes() -> Iterator[Episode]:
        for index in range(spec.episodes):
            yield record_episode(spec, index)
            if progress is not None:
                progress(index + 1, spec.episodes)

    create(path, episodes(), ENV_NAME)


def render_plate(spec: TabletopSpec, index: int) -> tuple[UInt8[np.ndarray, "h w 3"], str]:
    """What the static camera sees of an episode's scene without robot and things, and its caption."""
    rng = spec.random(index)
    world = World(sample_scene(rng), rng.uniform(*START))
    stage = Stage(world)
    view = View(stage, stage.backdrop(agentview(spec.size)), Shadows(world, stage.lights))
    return view.picture((), (), NEUTRAL), describe_scene(world.scene, empty=True)


def _record(spec: TabletopSpec, index: int, truth: bool) -> tuple[Recording, str]:
    rng, elsewhere = spec.random(index), spec.random_elsewhere(index)
    world = World(sample_scene(rng), rng.uniform(*START))
    stage, recording = Stage(world), Recording()
    other = Stage(World(refurnished(world.scene, elsewhere), world.state.hand)) if truth else None
    filming = Filming.draw(spec.conditions, elsewhere)
    first = int(elsewhere.integers(spec.every)) if spec.every > 1 else 0
    for step, action in enumerate(chain(repeat(REST, spec.conditions.rest), demonstrate(world))):
        if (step - first) % spec.every:
            world.step(action)
            continue
        shadows = Shadows(world, stage.lights)
        present = MOVING if step >= spec.conditions.arrival else (Group.ROBOT,)
        static = filming.aim(agentview(spec.size), step)
        for camera, exposure in ((static, filming.exposure(step)), (eye_in_hand(world, spec.size // 2), NEUTRAL)):
            view = View(stage, stage.backdrop(camera), shadows)
            pictures = {RECORDED: filming.record(view.picture(present, present, exposure))}
            if other is not None:
                pictures |= _counterfactuals(view, view.before(other.backdrop(camera)), present, exposure)
            recording.shoot(camera.name, pictures, view.masks(present))
        recording.note(world, action)
        world.step(action)
        recording.reward(world)
    return recording, world.scene.instruction


def _counterfactuals(
    here: View, elsewhere: View, present: Sequence[Group], exposure: np.ndarray
) -> dict[str, np.ndarray]:
    robot = (Group.ROBOT,)
    return {
        "plate": here.picture((), (), exposure),
        "without_object": here.picture(robot, robot, exposure),
        "without_object_shadow": here.picture(present, robot, exposure),
        "new_plate": elsewhere.picture((), (), exposure),
        "restaged": elsewhere.picture(present, present, exposure),
    }
