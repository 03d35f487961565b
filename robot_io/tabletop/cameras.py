"""The two cameras, named as in robosuite."""

import numpy as np
from jaxtyping import Float, Float32

from robot_io.tabletop.raycast import Camera
from robot_io.tabletop.world import World

STATIC, WRIST = "agentview_image", "robot0_eye_in_hand_image"
PALM = np.array([0.0, 0.0, 0.045])
"""From the point between the finger tips to the gripper's middle, metres."""
REACH = 0.085
"""From there to the gripper's ends, metres."""


def agentview(size: int) -> Camera:
    """Static: sees the table, the wall behind it and the arm."""
    position, target = np.array([0.58, -0.36, 0.47]), np.array([-0.055, 0.0, 0.125])
    return _camera(STATIC, size, position, target - position, np.array([0.0, 0.0, 1.0]), 44.0)


def eye_in_hand(world: World, size: int) -> Camera:
    """On the wrist, in front of the hand: sees the fingers and what is below them."""
    hand = world.data.body("hand")
    inward, _, down = hand.xmat.reshape(3, 3).T
    outward = -inward
    return _camera(WRIST, size, hand.xpos + 0.075 * outward, down - 0.42 * outward, outward, 75.0)


def gripper_boxes(camera: Camera, hands: Float[np.ndarray, "t 3"]) -> Float32[np.ndarray, "t 4"]:
    """Boxes around the gripper: left, top, right, bottom, pixels. `hands`: points between the finger tips, metres."""
    middle, scale = camera.project(hands + PALM)
    reach = REACH * scale[:, None]
    return np.concatenate([middle - reach, middle + reach], axis=1).astype(np.float32)


def _camera(name: str, size: int, position: np.ndarray, forward: np.ndarray, up: np.ndarray, degrees: float) -> Camera:
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return Camera(name, size, position, np.stack([right, np.cross(right, forward), forward]), np.deg2rad(degrees))
