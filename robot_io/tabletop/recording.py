"""What is collected while the expert works."""

from collections import defaultdict
from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from jaxtyping import Float32

from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.tabletop.world import FPS, World
from robot_io.types import Episode, Role, Truth

RECORDED = "frames"
COUNTERFACTUALS = ("plate", "without_object", "without_object_shadow", "new_plate", "restaged")


class Recording:
    """Pictures and masks by camera, signals by name, one more of each per step."""

    def __init__(self) -> None:
        self._pictures: dict[str, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
        self._masks: dict[str, dict[Role, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
        self._signals: dict[str, list[np.ndarray]] = defaultdict(list)

    def shoot(self, camera: str, pictures: Mapping[str, np.ndarray], masks: Mapping[Role, np.ndarray]) -> None:
        """`pictures`: RECORDED and, where the truth is wanted, COUNTERFACTUALS."""
        for name, picture in pictures.items():
            self._pictures[camera][name].append(picture)
        for role, mask in masks.items():
            self._masks[camera][role].append(mask)

    def note(self, world: World, action: Float32[np.ndarray, " 5"]) -> None:
        """The state before the action."""
        state = world.state
        for name, value in {
            "actions": action,
            "states": world.data.qpos.copy(),
            "obs/robot0_joint_pos": state.joints,
            "obs/robot0_eef_pos": state.hand,
            "obs/robot0_gripper_qpos": np.array([state.opening / 2, -state.opening / 2]),
            "obs/object": np.array([*state.thing, state.thing_yaw]),
        }.items():
            self._signals[name].append(value)

    def reward(self, world: World) -> None:
        """What the action led to."""
        self._signals["rewards"].append(np.array(float(world.placed)))

    def episode(self, name: str, instruction: str) -> Episode:
        signals = {name: np.stack(values) for name, values in self._signals.items()}
        length = len(signals["actions"])
        signals["dones"] = (np.arange(length) == length - 1).astype(np.int64)
        frames = {camera: np.stack(pictures[RECORDED]) for camera, pictures in self._pictures.items()}
        digest = blake2b(digest_size=8)
        for array in (*signals.values(), *frames.values()):
            digest.update(array.tobytes())
        return Episode(
            id=digest.hexdigest(),
            name=name,
            length=length,
            cameras={camera: ArrayFrames(camera, array, FPS) for camera, array in frames.items()},
            signals=signals,
            language=(instruction,),
            fps=FPS,
            masks={
                camera: tuple(ArrayMask(role, role.value, np.stack(masks)) for role, masks in tracks.items())
                for camera, tracks in self._masks.items()
            },
        )

    def truth(self) -> dict[str, Truth]:
        return {
            camera: Truth(
                camera,
                {role: np.stack(masks) for role, masks in self._masks[camera].items()},
                **{name: np.stack(pictures[name]) for name in COUNTERFACTUALS},
            )
            for camera, pictures in self._pictures.items()
        }
