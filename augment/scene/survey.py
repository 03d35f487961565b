"""Does the camera stand still? Registration of every frame, exposure of every frame, and a first plate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import Warp, rescaled, warp
from augment.scene.bumps import find_bumps
from augment.scene.exposure import exposure
from augment.scene.follow import Pictures, follow, greatest_shift, rests
from augment.scene.moves import Part, find_stands, moves_between
from augment.scene.phases import indices_by_phase
from augment.scene.plate import median_plate
from augment.scene.register import Registration
from augment.scene.samples import Samples, lay_over, pictures_at, sample_indices, take_samples
from augment.scene.strays import between_others, find_strays
from augment.scene.thumbnails import glance, thumbnail
from augment.scene.track import Places, far_away, track_camera
from augment.types import Background, Stability
from robot_io.errors import EpisodeError
from robot_io.types import FrameSource

SAME = 24  # grey levels


@dataclass(frozen=True)
class Survey:
    """Tells static, near-static and moving cameras apart."""

    still: float = 0.3
    """Pixels: a camera whose background shifts by less (in 95 of 100 frames) is static and is not warped."""
    sway: float = 0.05
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
        small, pictures = glance(frames, indices_by_phase(len(frames), self.samples, grasps))
        bumps = find_bumps(small)
        track = track_camera(small, bumps) / np.float32(small.shape[1])
        near = far_away(track, bumps / np.float32(small.shape[1]))
        background, samples = self._look(frames, pictures, track, near)
        if background.stability == Stability.MOVING:
            stands = [part for part in find_stands(track) if self._stands(Part(frames, *part), track, near)]
            return replace(background, moves=moves_between(stands, len(frames))), samples
        samples = samples.exposed_like(background.plate)
        for companion in companions:
            try:
                joined = self._from_companion(companion, background.plate)
            except EpisodeError:  # its own fault, which its own layers will report
                continue
            samples = samples + joined if joined is not None else samples
        return replace(background, gains=_gains(small, background)), samples

    def _look(
        self,
        frames: FrameSource,
        pictures: Pictures,
        track: Places,
        near: Places,
    ) -> tuple[Background, Samples]:
        """Registration, stability and a rough plate."""
        warps = np.zeros((len(frames), 8), dtype=np.float32)
        if not rests(pictures, track):
            warps = follow(frames, pictures, near, self.sway)
        strays = find_strays(warps, frames.height, frames.width)
        warps[~strays] = self._settled(warps[~strays])
        warps = between_others(warps, strays)
        fitting = {index: picture for index, picture in pictures.items() if not strays[index]}
        samples = take_samples(fitting or pictures, warps)
        plate = median_plate(samples.pictures)
        unrest = _unrest(samples, plate)
        stability = self._classify(warps, frames, unrest / self.unrest)
        gains = np.ones((len(frames), 3), dtype=np.float32)
        return Background(stability, warps, gains, plate, unrest), samples

    def _stands(self, part: Part, track: Places, near: Places) -> bool:
        """Whether a camera does not move in one part of a recording."""
        pictures, some = pictures_at(part, sample_indices(len(part), self.samples)), slice(part.start, part.stop)
        return self._look(part, pictures, track[some], near[some])[0].stability != Stability.MOVING

    def _from_companion(self, frames: FrameSource, plate: UInt8[np.ndarray, "h w 3"]) -> Samples | None:
        """Samples of another episode, registered to this one's plate; None if it was filmed from another pose."""
        if (frames.height, frames.width) != plate.shape[:2]:
            return None
        registration = Registration.of(plate)
        pictures = list(pictures_at(frames, sample_indices(len(frames), self.companion_samples)).values())
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
        if unrest > 1 or greatest_shift(frames, warps) > self.sway:
            return Stability.MOVING
        return Stability.NEAR_STATIC if warps.any() else Stability.STATIC


def _gains(small: UInt8[np.ndarray, "t H W 3"], background: Background) -> Float32[np.ndarray, "t 3"]:
    """Exposure of every frame, as its thumbnail tells it."""
    expected = thumbnail(background.plate)
    warps = [rescaled(by, len(expected) / len(background.plate)) for by in background.warps]
    return np.stack([exposure(seen, warp(expected, by)) for seen, by in zip(small, warps, strict=True)])


def _likeness(samples: Samples, plate: UInt8[np.ndarray, "h w 3"]) -> float:
    """Share of the picture that usually looks like the plate."""
    difference = np.abs(median_plate(samples.pictures).astype(np.int16) - plate).max(axis=-1)
    return float((difference < SAME).mean())


def _unrest(samples: Samples, plate: UInt8[np.ndarray, "h w 3"]) -> float:
    """Median distance of the parts of all registered frames from where the plate has them, as a fraction of the height.

    A robot, which hides some parts at some times, does not change it; before a moving camera, no shift fits most parts.
    """
    registration = Registration.of(plate)
    offsets = [offset for picture in samples.pictures[::4] for offset in registration.offsets(picture)]
    return float(np.median(offsets)) if offsets else 0.0
