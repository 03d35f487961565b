"""How a recording departs from a steady, noiseless one: a swaying camera, a drifting exposure, a noisy sensor."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, UInt8

from robot_io.tabletop.raycast import Camera
from robot_io.tabletop.spec import Conditions

STEPS_PER_SWAY = (5.0, 17.0)
"""Range of the periods of the two waves that a sway is made of."""
STEPS_PER_DRIFT = 40.0
FOLLOWS = np.array([1.0, 0.9, 0.75])
"""How far red, green and blue follow the drift of the exposure."""


@dataclass(frozen=True)
class Filming:
    """The conditions of one episode, drawn; its first frame is steady and at exposure 1."""

    conditions: Conditions
    periods: Float[np.ndarray, "2 2"]
    """Steps, of two waves in each of the directions down and right."""
    noise: np.random.Generator

    @classmethod
    def draw(cls, conditions: Conditions, rng: np.random.Generator) -> "Filming":
        return cls(conditions, rng.uniform(*STEPS_PER_SWAY, (2, 2)), rng)

    def sway(self, step: int) -> Float[np.ndarray, " 2"]:
        """Pixels that the picture's middle has moved, (down, right)."""
        sway: np.ndarray = self.conditions.sway * np.sin(2 * np.pi * step / self.periods).mean(axis=1)
        return sway

    def exposure(self, step: int) -> Float32[np.ndarray, " 3"]:
        """Factors of linear light."""
        exposure: np.ndarray = 1 + self.conditions.drift * FOLLOWS * np.sin(2 * np.pi * step / STEPS_PER_DRIFT)
        return exposure.astype(np.float32)

    def aim(self, camera: Camera, step: int) -> Camera:
        """The camera turned so that the middle of its picture moves by `sway`."""
        down, right = self.sway(step)
        if not (down or right):
            return camera
        to_right, up, forward = camera.axes
        focal = camera.size / 2 / np.tan(camera.view / 2)
        forward = forward - right / focal * to_right + down / focal * up
        forward /= np.sqrt((forward * forward).sum())
        to_right = to_right - (to_right * forward).sum() * forward
        to_right /= np.sqrt((to_right * to_right).sum())
        return replace(camera, axes=np.stack([to_right, np.cross(to_right, forward), forward]))

    def record(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """With the sensor's noise."""
        if not self.conditions.noise:
            return picture
        noisy = picture + self.noise.normal(0, self.conditions.noise, picture.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
