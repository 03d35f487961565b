"""How the background of every frame of a recording lies against the others', to a fraction of a pixel."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import Warp, greatest_displacement, is_blank
from augment.scene.lens import USUAL
from augment.scene.plate import median_plate
from augment.scene.register import Registration
from augment.scene.samples import take_samples
from augment.scene.track import Places
from robot_io.types import FrameSource

Pictures = Mapping[int, UInt8[np.ndarray, "h w 3"]]

WINDOW = 32
QUIET = 0.005  # of the height: smaller moves of a track may be none
ALREADY_SHARP = 0.2  # pixels: a plate of frames that shift less gains nothing from a second round
BLURRED = 0.005  # of the height: if a frame of a plate was off by more, a better plate is worth another round
MOST_PLATES = 2  # of moved frames


def rests(pictures: Pictures, track: Places) -> bool:
    """Whether nothing says that the camera ever moved: neither some of the frames, nor a rough track of them all.

    `track`: where the camera looks, as fractions of the height.
    """
    if np.abs(track - np.median(track, axis=0)).max() > QUIET:
        return False
    some, still = list(pictures.values())[::2], np.zeros(8, dtype=np.float32)
    registration = Registration.of(median_plate(some))
    shifts = np.stack([registration.shift(picture, still) for picture in some])
    return bool(np.abs(shifts - np.median(shifts, axis=0)).max() < ALREADY_SHARP)


def follow(frames: FrameSource, pictures: Pictures, near: Places, sway: float) -> Float32[Warp, "t"]:
    """How every frame moved: a shift against a plate of raw frames, then a homography against one of shifted frames.

    And once more where that plate was blurred, unless the camera moves by more than `sway` anyway.

    `pictures`: some of the frames, of which plates are made. It is looked for `near` where the camera is known to look,
    roughly, as fractions of the height. The raw frames are those of the first third, so that a small bump that goes
    unnoticed does not give a plate of two pictures.
    """
    warps = np.pad(near * np.float32(frames.height), ((0, 0), (0, 6)))
    first = {index: picture for index, picture in pictures.items() if 3 * index <= len(frames)} or pictures
    registration = Registration.of(median_plate(take_samples(first, warps).pictures))
    for index, frame in _shown(frames):
        warps[index] = registration.shift(frame, warps[index])
    warps -= np.median(warps, axis=0)
    if np.abs(warps[:, :2]).max() < ALREADY_SHARP:
        return warps
    bend = USUAL
    for _ in range(MOST_PLATES):
        before = warps
        warps, bend = _refined(frames, pictures, before, bend)
        worst = np.abs(warps - before)[:, :2].max() / frames.height
        if worst < BLURRED or greatest_shift(frames, warps) > sway:
            break
    return warps


def greatest_shift(frames: FrameSource, warps: Float32[Warp, "t"]) -> float:
    """Of any frame's middle or corner, as a fraction of the height."""
    return float(greatest_displacement(warps, frames.height, frames.width).max()) / frames.height


def _refined(
    frames: FrameSource, pictures: Pictures, warps: Float32[Warp, "t"], bend: float
) -> tuple[Float32[Warp, "t"], float]:
    """Homographies near `warps`, against a plate of pictures moved back by those; and how much the picture bends."""
    registration = Registration.of(median_plate(take_samples(pictures, warps).pictures), bend)
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
