"""Does the camera stand still? Registration of every frame, exposure of every frame, and a first clean plate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import displacements, is_blank, warp
from augment.scene.bumps import find_bumps
from augment.scene.exposure import exposure
from augment.scene.grasps import indices_by_phase
from augment.scene.moves import Part, find_stands, moves_between
from augment.scene.plate import clean_plate, median_plate
from augment.scene.register import Registration
from augment.scene.samples import Samples, lay_over, sample_indices, take_samples
from augment.scene.strays import between_others, find_strays
from augment.scene.thumbnails import thumbnail, thumbnails
from augment.scene.track import track_camera
from augment.types import Background, Stability
from robot_io.errors import EpisodeError
from robot_io.types import FrameSource

WINDOW = 32
SAME = 24  # grey levels
FAR = 0.03  # of the height: registration finds what is nearer by itself, and more surely than a track of thumbnails
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

    def __call__(
        self, frames: FrameSource, companions: Sequence[FrameSource] = (), grasps: Sequence[int] = ()
    ) -> tuple[Background, Samples]:
        """Register every frame and classify the camera. Memory does not grow with the length of the episode.

        `companions`: the same camera in other episodes; those filmed from the same pose help to see what an object
        covers for long here. `grasps`: frames at which something is taken or let go; the plate is made of as many
        frames from before as from after them, so that what rests longest in one place does not outvote what it covers.
        Also returns the samples, for a better plate once it is known what hides it.
        """
        small = thumbnails(frames)
        bumps = find_bumps(small)
        places = track_camera(small, bumps) / np.float32(small.shape[1])
        near = _near(places, bumps / np.float32(small.shape[1]))
        background, samples = self._look(frames, near, grasps)
        if background.stability == Stability.MOVING:
            stands = [part for part in find_stands(places) if self._stands(frames, near, part)]
            return replace(background, moves=moves_between(stands, len(frames))), samples
        rough, warps = background.plate, background.warps
        samples = samples.exposed_like(rough)
        for companion in companions:
            try:
                joined = self._from_companion(companion, rough)
            except EpisodeError:  # its own fault, which its own layers will report
                continue
            samples = samples + joined if joined is not None else samples
        plate, _ = clean_plate(samples, shadows_known=False)
        return replace(background, plate=plate, gains=_gains(small, warps, plate)), samples

    def _look(
        self, frames: FrameSource, near: Float32[np.ndarray, "t 2"], grasps: Sequence[int] = ()
    ) -> tuple[Background, Samples]:
        """Registration, stability and a rough plate."""
        warps = _register(frames, near, self.samples)
        strays = find_strays(warps, frames.height, frames.width)
        warps[~strays] = self._settled(warps[~strays])
        warps = between_others(warps, strays)
        indices = indices_by_phase(len(frames), self.samples, grasps)
        samples = take_samples(frames, warps, [index for index in indices if not strays[index]] or indices)
        rough = median_plate(samples)
        unrest = _unrest(samples, rough)
        stability = self._classify(warps, frames, unrest / self.unrest)
        unknown = np.ones((len(frames), 3), dtype=np.float32)
        return Background(stability, warps, unknown, rough, unrest), samples

    def _stands(self, frames: FrameSource, near: Float32[np.ndarray, "t 2"], part: tuple[int, int]) -> bool:
        """Whether a camera does not move in one part of a recording."""
        return self._look(Part(frames, *part), near[slice(*part)])[0].stability != Stability.MOVING

    def _from_companion(self, frames: FrameSource, plate: UInt8[np.ndarray, "h w 3"]) -> Samples | None:
        """Samples of another episode, registered to this one's plate; None if it was filmed from another pose."""
        if (frames.height, frames.width) != plate.shape[:2]:
            return None
        registration = Registration.of(plate)
        indices = sample_indices(len(frames), self.companion_samples)
        pictures = [frames.read(index, index + 1).frames[0] for index in indices]
        pictures = [picture for picture in pictures if not is_blank(picture)] or pictures
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


def _near(places: Float32[np.ndarray, "t 2"], bumps: Float32[np.ndarray, "t 2"]) -> Float32[np.ndarray, "t 2"]:
    """Where to look for each frame: where it has jumped, or where it was tracked to if that is far away."""
    sway = places - bumps
    sway = sway - np.median(sway, axis=0)
    return np.asarray(bumps + np.where(np.abs(sway) > FAR, sway, 0), dtype=np.float32)


def _register(frames: FrameSource, near: Float32[np.ndarray, "t 2"], samples: int) -> Float32[np.ndarray, "t 6"]:
    """How every frame moved: a shift against a plate of raw frames, then a map against one of shifted frames.

    It is looked for `near` where the camera is known to look, roughly, as fractions of the height. The raw frames are
    those of the first third, so that a small bump that goes unnoticed does not give a plate of two pictures.
    """
    warps = np.pad(near * np.float32(frames.height), ((0, 0), (0, 4)))
    for find, share in ((Registration.shift, 3), (Registration.warp, 1)):
        part = sample_indices(-(-len(frames) // share), samples)
        registration = Registration.of(median_plate(take_samples(frames, warps, part)))
        for start in range(0, len(frames), WINDOW):
            clip = frames.read(start, min(start + WINDOW, len(frames)))
            for index, frame in enumerate(clip.frames, clip.start):
                warps[index] = warps[index] if is_blank(frame) else find(registration, frame, warps[index])
        warps -= np.median(warps, axis=0)
        if np.abs(warps[:, :2]).max() < ALREADY_SHARP:
            break
    return warps


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
