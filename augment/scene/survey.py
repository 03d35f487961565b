"""Does the camera stand still? Registration of every frame, and a first clean plate."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from augment.scene.plate import clean_plate, sample_indices
from augment.scene.register import Registration
from augment.types import Background, Stability
from robot_io.types import FrameSource

WINDOW = 32
ALREADY_SHARP = 0.2  # pixels: a plate of frames that shift less gains nothing from a second round


@dataclass(frozen=True)
class Survey:
    """Tells static, near-static and moving cameras apart."""

    still: float = 0.3
    """Pixels: a camera whose background shifts by less (in 95 of 100 frames) is static and is not warped."""
    sway: float = 0.02
    """Fraction of the picture's height: beyond it, a camera is moving."""
    static_agreement: float = 0.3
    """Least share (0..1) of a frame's edges that the plate explains, in all but the worst tenth of the frames."""
    sway_agreement: float = 0.45
    """The same for a camera that sways: what shifts must be explained better to be believed."""
    samples: int = 32
    """Frames that make up the plate."""

    def __call__(self, frames: FrameSource) -> Background:
        """Register every frame and classify the camera. Memory does not grow with the length of the episode."""
        shifts = _register(frames, self.samples)
        sways = float(np.percentile(np.abs(shifts), 95, method="higher")) >= self.still
        if not sways:
            shifts = np.zeros_like(shifts)
        plate, _ = clean_plate(frames, shifts, (), self.samples)
        agreement = _agreement(frames, shifts, plate, self.samples)
        stability = self._classify(sways, float(np.abs(shifts).max()) / frames.height, agreement)
        return Background(stability, shifts, plate, agreement)

    def _classify(self, sways: bool, greatest_shift: float, agreement: float) -> Stability:
        required = self.sway_agreement if sways else self.static_agreement
        if agreement < required or greatest_shift > self.sway:
            return Stability.MOVING
        return Stability.NEAR_STATIC if sways else Stability.STATIC


def _register(frames: FrameSource, samples: int) -> Float32[np.ndarray, "t 2"]:
    """Shift of every frame, twice: against a plate of the raw frames, then against a plate of the registered ones."""
    shifts = np.zeros((len(frames), 2), dtype=np.float32)
    for _ in range(2):
        plate, _ = clean_plate(frames, shifts, (), samples)
        registration = Registration.of(plate)
        for start in range(0, len(frames), WINDOW):
            clip = frames.read(start, min(start + WINDOW, len(frames)))
            shifts[clip.start : clip.stop] = [registration.shift(frame) for frame in clip.frames]
        shifts -= np.median(shifts, axis=0)
        if np.abs(shifts).max() < ALREADY_SHARP:
            break
    return shifts


def _agreement(frames: FrameSource, shifts: np.ndarray, plate: np.ndarray, samples: int) -> float:
    registration = Registration.of(plate)
    indices = sample_indices(len(frames), samples)
    shares = [registration.agreement(frames.read(index, index + 1).frames[0], shifts[index]) for index in indices]
    return float(np.percentile(shares, 10))
