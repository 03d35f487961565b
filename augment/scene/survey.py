"""Does the camera stand still? Registration of every frame, exposure of every frame, and a first clean plate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import displacements, is_blank, warp
from augment.scene.bumps import find_bumps
from augment.scene.exposure import exposure
from augment.scene.plate import median_plate
from augment.scene.register import Registration
from augment.scene.samples import Samples, lay_over, pictures_at, sample_indices, take_samples
from augment.scene.thumbnails import thumbnail
from augment.types import Background, Stability
from robot_io.errors import EpisodeError
from robot_io.types import FrameSource

WINDOW = 32
SAME = 24  # grey levels
ALREADY_SHARP = 0.2  # pixels: a plate of frames that shift less gains nothing from a second round


@dataclass(frozen=True)
class Survey:
    """Tells static, near-static and moving cameras apart."""

    still: float = 0.3
    """Pixels: a camera whose background shifts by less (in 95 of 100 frames) is static and is not warped."""
    sway: float = 0.04
    """Fraction of the picture's height: beyond it, a camera is moving."""
    unrest: float = 0.005
    """Fraction of the height: a camera is moving if the parts of its frames, registered as well as it goes, typically
    (in the median) lie further from where the plate has them."""
    samples: int = 32
    """Frames that make up the plate."""
    companion_unrest: float = 0.007
    """The same, for another episode to count as filmed from the same pose, where other things lie about."""
    companion_likeness: float = 0.6
    """Least share of the picture that must look the same."""
    companion_samples: int = 12
    """Frames that each companion adds to the plate."""

    def __call__(self, frames: FrameSource, companions: Sequence[FrameSource] = ()) -> tuple[Background, Samples]:
        """Register every frame and classify the camera. Memory does not grow with the length of the episode.

        `companions`: the same camera in other episodes; those filmed from the same pose help to see what an object
        covers for long here. Also returns the samples, for a better plate once it is known what hides it.
        """
        pictures = pictures_at(frames, sample_indices(len(frames), self.samples))
        small, warps = _register(frames, pictures)
        warps = self._settled(warps)
        samples = take_samples(pictures, warps)
        plate = median_plate(samples)
        unrest = _unrest(samples, plate)
        stability = self._classify(warps, frames, unrest / self.unrest)
        gains = np.ones((len(frames), 3), dtype=np.float32)
        if stability == Stability.MOVING:
            return Background(stability, warps, gains, plate, unrest), samples
        samples = samples.exposed_like(plate)
        for companion in companions:
            try:
                joined = self._from_companion(companion, plate)
            except EpisodeError:  # its own fault, which its own layers will report
                continue
            samples = samples + joined if joined is not None else samples
        return Background(stability, warps, _gains(small, warps, plate), plate, unrest), samples

    def _from_companion(self, frames: FrameSource, plate: UInt8[np.ndarray, "h w 3"]) -> Samples | None:
        """Samples of another episode, registered to this one's plate; None if it was filmed from another pose."""
        if (frames.height, frames.width) != plate.shape[:2]:
            return None
        registration = Registration.of(plate)
        indices = sample_indices(len(frames), self.companion_samples)
        pictures = list(pictures_at(frames, indices).values())
        warps = self._settled(np.stack([registration.warp(picture, np.zeros(6, np.float32)) for picture in pictures]))
        samples = lay_over(pictures, warps)
        if self._classify(warps, frames, _unrest(samples, plate) / self.companion_unrest) == Stability.MOVING:
            return None
        samples = samples.exposed_like(plate)
        return samples if _likeness(samples, plate) >= self.companion_likeness else None

    def _settled(self, warps: Float32[np.ndarray, "n 6"]) -> Float32[np.ndarray, "n 6"]:
        """Without what is only noise, if the camera stands still."""
        shift = float(np.percentile(np.abs(warps[:, :2]), 95, method="higher"))
        return warps if shift >= self.still else np.zeros_like(warps)

    def _classify(self, warps: Float32[np.ndarray, "n 6"], frames: FrameSource, unrest: float) -> Stability:
        """`unrest`: relative to what is allowed."""
        if unrest > 1 or _greatest_shift(frames, warps) > self.sway:
            return Stability.MOVING
        return Stability.NEAR_STATIC if warps.any() else Stability.STATIC


def _register(
    frames: FrameSource, pictures: Mapping[int, UInt8[np.ndarray, "h w 3"]]
) -> tuple[UInt8[np.ndarray, "t H W 3"], Float32[np.ndarray, "t 6"]]:
    """A thumbnail of every frame, and how it moved: a shift against a plate of raw pictures, then a map against one of
    shifted pictures.

    The raw pictures are those of the first third, so that a small bump that goes unnoticed does not give a plate of
    two. Larger bumps are known from the thumbnails; then shifts are looked for again around them.
    """
    warps = np.zeros((len(frames), 6), dtype=np.float32)
    first = {index: picture for index, picture in pictures.items() if 3 * index <= len(frames)} or pictures
    small = _follow(frames, first, warps, Registration.shift)
    bumps = find_bumps(small)
    if bumps.any():
        warps[:, :2], warps[:, 2:] = bumps * np.float32(frames.height / small.shape[1]), 0
        _follow(frames, first, warps, Registration.shift)
    warps -= np.median(warps, axis=0)
    if np.abs(warps[:, :2]).max() >= ALREADY_SHARP:
        _follow(frames, pictures, warps, Registration.warp)
        warps -= np.median(warps, axis=0)
    return small, warps


def _follow(
    frames: FrameSource,
    pictures: Mapping[int, UInt8[np.ndarray, "h w 3"]],
    warps: Float32[np.ndarray, "t 6"],
    find: Callable[[Registration, UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "6"]], Float32[np.ndarray, "6"]],
) -> UInt8[np.ndarray, "t H W 3"]:
    """Find every frame's place against the plate that some pictures make, from `warps` on, in place; its thumbnails."""
    registration, small = Registration.of(median_plate(take_samples(pictures, warps))), []
    for start in range(0, len(frames), WINDOW):
        for index, frame in enumerate(frames.read(start, min(start + WINDOW, len(frames))).frames, start):
            small.append(thumbnail(frame))
            warps[index] = warps[index] if is_blank(frame) else find(registration, frame, warps[index])
    return np.stack(small)


def _greatest_shift(frames: FrameSource, warps: Float32[np.ndarray, "t 6"]) -> float:
    """Of any frame's middle or corner, as a fraction of the height."""
    corners = displacements(warps, frames.height, frames.width)
    return float(max(np.abs(corners).max(), np.abs(warps[:, :2]).max())) / frames.height


def _gains(
    small: UInt8[np.ndarray, "t H W 3"], warps: Float32[np.ndarray, "t 6"], plate: UInt8[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "t 3"]:
    """Exposure of every frame, as its thumbnail tells it."""
    expected = thumbnail(plate)
    scale = np.array([expected.shape[0] / plate.shape[0]] * 2 + [1] * 4, dtype=np.float32)
    return np.stack([exposure(seen, warp(expected, by)) for seen, by in zip(small, scale * warps, strict=True)])


def _likeness(samples: Samples, plate: UInt8[np.ndarray, "h w 3"]) -> float:
    """Share of the picture that usually looks like the plate."""
    difference = np.abs(median_plate(samples).astype(np.int16) - plate).max(axis=-1)
    return float((difference < SAME).mean())


def _unrest(samples: Samples, plate: UInt8[np.ndarray, "h w 3"]) -> float:
    """Median distance of the parts of all registered frames from where the plate has them, as a fraction of the height.

    A robot, which hides some parts at some times, does not change it; before a moving camera, no shift fits most parts.
    """
    registration = Registration.of(plate)
    offsets = [offset for picture in samples.pictures[::2] for offset in registration.offsets(picture)]
    return float(np.median(offsets)) if offsets else 0.0
