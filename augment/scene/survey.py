"""Does the camera stand still? Registration of every frame, and a first clean plate."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from augment.images import luma, resize, translate
from augment.scene.plate import clean_plate, sample_indices
from augment.scene.register import detail, shift_between, spectrum
from augment.types import Background, Stability
from robot_io.types import FrameSource

REGISTRATION_HEIGHT = 240
WINDOW = 32


@dataclass(frozen=True)
class Survey:
    """Tells static from moving cameras."""

    still: float = 0.5
    """Pixels: a camera whose frames shift by less than this (95 of 100 frames) is static and is not warped."""
    sway: float = 0.03
    """Fraction of the picture's height: beyond it, a camera is moving."""
    agreement: float = 0.5
    """Least median correlation (-1..1) of the frames' detail with the plate's for a camera that is not moving."""
    samples: int = 32
    """Frames that make up the plate."""

    def __call__(self, frames: FrameSource) -> Background:
        """Register every frame and classify the camera. Memory does not grow with the length of the episode."""
        still = np.zeros((len(frames), 2), dtype=np.float32)
        shifts = _register(frames, self.samples)
        near = float(np.percentile(np.abs(shifts), 95, method="higher"))
        if near < self.still:
            shifts = still
        plate, _ = clean_plate(frames, shifts, (), self.samples)
        agreement = _agreement(frames, shifts, plate, self.samples)
        if agreement < self.agreement or np.abs(shifts).max() > self.sway * frames.height:
            return Background(Stability.MOVING, still, plate, agreement)
        stability = Stability.STATIC if shifts is still else Stability.NEAR_STATIC
        return Background(stability, shifts, plate, agreement)


def _register(frames: FrameSource, samples: int) -> Float32[np.ndarray, "t 2"]:
    """Shift of every frame, twice: against a plate of the raw frames, then against a plate of the registered ones."""
    shifts = np.zeros((len(frames), 2), dtype=np.float32)
    for _ in range(2):
        plate, _ = clean_plate(frames, shifts, (), samples)
        reference = spectrum(_small_detail(plate))
        factor = frames.height / min(frames.height, REGISTRATION_HEIGHT)
        for start in range(0, len(frames), WINDOW):
            for offset, frame in enumerate(frames.read(start, start + WINDOW).frames):
                small = _small_detail(frame)
                shift = shift_between(reference, spectrum(small), (small.shape[0], small.shape[1]))
                shifts[start + offset] = np.multiply(shift, factor)
        shifts -= np.median(shifts, axis=0)
        if np.abs(shifts).max() < 0.5:  # nothing that a second round could sharpen
            break
    return shifts


def _small_detail(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    if height > REGISTRATION_HEIGHT:
        frame = resize(frame, REGISTRATION_HEIGHT, round(width * REGISTRATION_HEIGHT / height))
    return detail(luma(frame))


def _agreement(frames: FrameSource, shifts: np.ndarray, plate: np.ndarray, samples: int) -> float:
    """Median over sampled frames of the correlation between their detail and the plate's; 1 for flat pictures."""
    scores = []
    for index in sample_indices(len(frames), samples):
        expected = _small_detail(translate(plate, *shifts[index]))
        seen = _small_detail(frames.read(index, index + 1).frames[0])
        energy = float(np.sqrt((expected**2).sum() * (seen**2).sum()))
        flat = energy < 1e-3 * seen.size
        scores.append(1.0 if flat else float((expected * seen).sum()) / energy)
    return float(np.median(scores))
