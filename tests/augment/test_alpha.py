"""Soft alpha on rendered clips whose truth is known: a cable, a glass, and what must not light up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from augment.compose import Composite
from augment.layers import Layers, open_layers, write_layers
from augment.scene import find_alpha
from augment.types import AlphaTrack, Background, Role, Stability
from robot_io.memory import ArrayFrames, ArrayMask
from tests.scenes import wall

HEIGHT, WIDTH, LENGTH = 120, 160, 6
DARK, LIGHT = (25, 22, 30), (236, 232, 225)
ROLES = (Role.ROBOT, Role.OBJECT)


@dataclass(frozen=True)
class World:
    """A clip, what is known of it, and the true share of what is thin or transparent."""

    frames: np.ndarray
    masks: np.ndarray
    background: Background
    alpha: np.ndarray
    """0..1, where no mask is."""

    def tracks(self, label: str = "arm", role: Role = Role.ROBOT) -> list[ArrayMask]:
        return [ArrayMask(role, label, self.masks)]

    def found(self, hole: np.ndarray | None = None) -> np.ndarray:
        """Alpha of all tracks, 0..1."""
        hole = np.zeros((HEIGHT, WIDTH), bool) if hole is None else hole
        return read(find_alpha(ArrayFrames("front", self.frames), self.background, hole, self.tracks()))


def read(alphas: Sequence[AlphaTrack]) -> np.ndarray:
    return np.maximum.reduce([alpha.read(0, LENGTH) for alpha in alphas]) / 255


def plate(seed: int = 0) -> np.ndarray:
    """Coarse and fine texture, as wood or cloth has."""
    return ndimage.gaussian_filter(wall(seed, HEIGHT, WIDTH).astype(np.float32), (1, 1, 0)).astype(np.uint8)


def line(start: tuple[float, float], stop: tuple[float, float], width: float) -> np.ndarray:
    """Coverage, 0..1, of a line between two points (y, x) as antialiasing has it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    (down, right), (from_y, from_x) = np.subtract(stop, start), start
    along = np.clip(((y - from_y) * down + (x - from_x) * right) / (down**2 + right**2), 0, 1)
    away = np.hypot(y - from_y - along * down, x - from_x - along * right)
    return np.clip(width / 2 + 0.5 - away, 0, 1)


def world(
    colour: tuple[int, int, int] = DARK,
    width: float = 1.6,
    cable: bool = True,
    shadow: float = 0.4,
    noise: float = 1.5,
    colour_of_shadow: tuple[float, float, float] = (1, 1, 1),
) -> World:
    """An arm comes from above and sways; a cable hangs from it to the lower border; its soft shadow lies beside it."""
    rng, behind = np.random.default_rng(0), plate().astype(np.float32)
    frames, masks, alphas, gains = [], [], [], []
    for index in range(LENGTH):
        right = 60 + 4 * index
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[:50, right : right + 24] = True
        shade = shadow * ndimage.gaussian_filter(np.roll(mask, (26, 22), (0, 1)).astype(np.float32), 5)
        alpha = line((49, right + 12), (HEIGHT + 3, right - 30 + index), width) if cable else np.zeros(mask.shape)
        gain = 1 + 0.03 * np.sin(index + np.arange(3))
        seen = behind * (1 - shade[..., None] * colour_of_shadow)
        seen = np.where(mask[..., None], (205, 205, 210), seen + alpha[..., None] * (np.array(colour) - seen)) * gain
        frames.append(np.clip(np.rint(seen + rng.normal(0, noise, seen.shape)), 0, 255).astype(np.uint8))
        masks.append(mask)
        alphas.append(np.where(mask, 0, alpha))
        gains.append(gain)
    still = np.zeros((LENGTH, 8), np.float32)
    background = Background(Stability.STATIC, still, np.array(gains, np.float32), plate(), 0.0)
    return World(np.stack(frames), np.stack(masks), background, np.stack(alphas))


@pytest.mark.parametrize("width", [1.0, 1.6, 2.2])
@pytest.mark.parametrize("colour", [DARK, LIGHT])
def test_a_cable_is_found(colour: tuple[int, int, int], width: float) -> None:
    made = world(colour, width)
    found = made.found()
    on = made.alpha > 0
    print(width, colour, np.abs(found - made.alpha)[on].mean(), (found-made.alpha)[on].mean(), (found[~on]>0).sum(), found[made.alpha>.6].mean())
