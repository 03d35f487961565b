"""Does the camera stand still? Registration of every frame, exposure of every frame, and a first clean plate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import Warp, displacements, is_blank, rescaled, warp
from augment.scene.bumps import find_bumps
from augment.scene.exposure import exposure
from augment.scene.lens import USUAL
from augment.scene.plate import clean_plate, median_plate
from augment.scene.register import Registration
from augment.scene.samples import Samples, lay_over, sample_indices, take_samples
from augment.scene.thumbnails import thumbnail, thumbnails
from augment.types import Background, Stability
from robot_io.errors import EpisodeError
from robot_io.types import FrameSource

WINDOW = 32
SAME = 24  # grey levels
ALREADY_SHARP = 0.2  # pixels: a plate of frames that shift less gains nothing from a second round
BLURRED = 0.005  # of the height: if a frame of a plate was off by more, a better plate is worth another round
MOST_PLATES = 2  # of moved frames


@dataclass(frozen=True)
class Survey:
    """Tells static, near-static and moving cameras apart."""

    still: float = 0.3
    """Pixels: a camera whose background shifts by less (in 95 of 100 frames) is static and is not warped."""
    sway: float = 0.05
    """Fraction of the picture's height: a camera is moving if its middle or a corner shifts by more in any frame."""
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
        small = thumbnails(frames)
        warps = self._settled(_register(frames, small, self.samples, self.sway))
        samples = take_samples(frames, warps, sample_indices(len(frames), self.samples))
        rough = median_plate(samples)
        unrest = _unrest(samples, rough)
        stability = self._classify(warps, frames, unrest / self.unrest)
        unknown = np.ones((len(frames), 3), dtype=np.float32)
        background = Background(stability, warps, unknown, rough, unrest)
        if stability == Stability.MOVING:
            return background, samples
        samples = samples.exposed_like(rough)
        for companion in companions:
            try:
                joined = self._from_companion(companion, rough)
            except EpisodeError:  # its own fault, which its own layers will report
                continue
            samples = samples + joined if joined is not None else samples
        plate, _ = clean_plate(samples, shadows_known=False)
        return replace(background, plate=plate, gains=_gains(small, warps, plate)), samples

    def _from_companion(self, frames: FrameSource, plate: UInt8[np.ndarray, "h w 3"]) -> Samples | None:
        """Samples of another episode, registered to this one's plate; None if it was filmed from another pose."""
        if (frames.height, frames.width) != plate.shape[:2]:
            return None
        registration = Registration.of(plate)
        indices = sample_indices(len(frames), self.companion_samples)
        pictures = [frames.read(index, index + 1).frames[0] for index in indices]
        pictures = [picture for picture in pictures if not is_blank(picture)] or pictures
        warps = self._settled(np.stack([registration.warp(picture, np.zeros(8, np.float32)) for picture in pictures]))
        samples = lay_over(pictures, warps)
        if self._classify(warps, frames, _unrest(samples, plate) / self.companion_unrest) == Stability.MOVING:
            return None
        samples = samples.exposed_like(plate)
        return samples if _likeness(samples, plate) >= self.companion_likeness else None

    def _settled(self, warps: Float32[Warp, "n"]) -> Float32[Warp, "n"]:
        """Without what is only noise, if the camera stands still."""
        shift = float(np.percentile(np.abs(warps[:, :2]), 95, method="higher"))
        return warps if shift >= self.still else np.zeros_like(warps)

    def _classify(self, warps: Float32[Warp, "n"], frames: FrameSource, unrest: float) -> Stability:
        """`unrest`: relative to what is allowed."""
        if unrest > 1 or _greatest_shift(frames, warps) > self.sway:
            return Stability.MOVING
        return Stability.NEAR_STATIC if warps.any() else Stability.STATIC


def _register(
    frames: FrameSource, small: UInt8[np.ndarray, "t H W 3"], samples: int, sway: float
) -> Float32[Warp, "t"]:
    """How every frame moved: a shift against a plate of raw frames, then a homography against one of shifted frames.

    And once more where that plate was blurred, unless the camera moves by more than `sway` anyway.

    Bumps are known roughly beforehand. The raw frames are those of the first third, so that a small bump that goes
    unnoticed does not give a plate of two pictures.
    """
    bumps = find_bumps(small) * np.float32(frames.height / small.shape[1])
    warps = np.pad(bumps, ((0, 0), (0, 6)))
    first = sample_indices(-(-len(frames) // 3), samples)
    registration = Registration.of(median_plate(take_samples(frames, warps, first)))
    for index, frame in _shown(frames):
        warps[index] = registration.shift(frame, warps[index])
    warps -= np.median(warps, axis=0)
    if np.abs(warps[:, :2]).max() < ALREADY_SHARP:
        return warps
    bend = USUAL
    for _ in range(MOST_PLATES):
        before = warps
        warps, bend = _refined(frames, before, bend, samples)
        worst = np.abs(warps - before)[:, :2].max() / frames.height
        if worst < BLURRED or _greatest_shift(frames, warps) > sway:
            break
    return warps


def _refined(
    frames: FrameSource, warps: Float32[Warp, "t"], bend: float, samples: int
) -> tuple[Float32[Warp, "t"], float]:
    """Homographies near `warps`, against a plate of frames moved back by those; and how much the picture bends."""
    evenly = sample_indices(len(frames), samples)
    registration = Registration.of(median_plate(take_samples(frames, warps, evenly)), bend)
    warps, curvatures, shown = warps.copy(), np.zeros((len(warps), 8, 8), dtype=np.float32), []
    for index, frame in _shown(frames):
        warps[index], curvatures[index] = registration.fit(frame, warps[index])
        shown.append(index)
    warps[shown], bend = registration.agreed(warps[shown], curvatures[shown])
    return warps - np.median(warps, axis=0), bend


def _shown(frames: FrameSource) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
    """Every frame that shows something, and its index."""
    for start in range(0, len(frames), WINDOW):
        clip = frames.read(start, min(start + WINDOW, len(frames)))
        for index, frame in enumerate(clip.frames, clip.start):
            if not is_blank(frame):
                yield index, frame


def _greatest_shift(frames: FrameSource, warps: Float32[Warp, "t"]) -> float:
    """Of any frame's middle or corner, as a fraction of the height."""
    return float(np.abs(displacements(warps, frames.height, frames.width)).max()) / frames.height


def _gains(
    small: UInt8[np.ndarray, "t H W 3"], warps: Float32[Warp, "t"], plate: UInt8[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "t 3"]:
    """Exposure of every frame, as its thumbnail tells it."""
    expected = thumbnail(plate)
    scale = expected.shape[0] / plate.shape[0]
    return np.stack(
        [exposure(seen, warp(expected, rescaled(by, scale))) for seen, by in zip(small, warps, strict=True)]
    )


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
