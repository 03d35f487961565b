"""From key frames to all frames by a network's memory of a video, forwards and backwards."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from augment.models.base import VideoTracker
from augment.segment.grounded.cutouts import Cutout
from robot_io.types import FrameSource

AGREE = 0.5  # IoU from which two directions show the same thing
DOUBT = 0.5  # score below which a track needs another look
JUMP = 0.3  # share by which an area changes from one frame to the next when a track is lost, or takes in something else

Masks = dict[int, tuple[Cutout, float]]
"""By frame: a mask, and how sure it is, 0..1."""


def remember(frames: FrameSource, keys: Sequence[Mapping[int, Cutout]], tracker: VideoTracker) -> list[Masks]:
    """Masks of every frame for each track, from those of its key frames. Raises EpisodeError as frames do.

    Where both directions agree a pixel counts that either shows, as a missing one costs more than one too many; where
    they do not, the surer one counts. Key frames stay as they are.
    """
    prompts: dict[int, dict[int, np.ndarray]] = {}
    for number, masks in enumerate(keys):
        for frame, cutout in masks.items():
            mask = _whole(cutout, frames)
            if mask.any():
                prompts.setdefault(frame, {})[number] = mask
    if not prompts:
        return [{} for _ in keys]
    forwards, backwards = (_pass(frames, prompts, tracker, reverse) for reverse in (False, True))
    return [_both(forwards.get(number, {}), backwards.get(number, {}), frames) for number in range(len(keys))]


def doubtful(tracks: Sequence[Masks], length: int) -> list[int]:
    """Frames in which some track is unsure, its area jumps, or it is lost or comes back."""
    frames: set[int] = set()
    for masks in tracks:
        areas = np.zeros(length)
        for frame, (cutout, sure) in masks.items():
            areas[frame] = np.unpackbits(cutout.bits).sum()
            if sure < DOUBT:
                frames.add(frame)
        jumps = np.abs(np.diff(areas)) > JUMP * np.maximum(areas[1:], areas[:-1])
        frames |= {int(frame) + 1 for frame in np.flatnonzero(jumps)}
    return sorted(frames)


def _pass(
    frames: FrameSource, prompts: Mapping[int, Mapping[int, np.ndarray]], tracker: VideoTracker, reverse: bool
) -> dict[int, Masks]:
    """By track. What the network believes to be out of sight has no mask."""
    found: dict[int, Masks] = {}

    def read(start: int, stop: int) -> UInt8[np.ndarray, "t h w 3"]:
        return frames.read(start, stop).frames

    for tracked in tracker.propagate(read, len(frames), prompts, reverse):
        for number, mask in tracked.masks.items():
            if mask.any():
                found.setdefault(number, {})[tracked.frame] = Cutout.of(mask), tracked.scores[number]
    return found


def _both(forwards: Masks, backwards: Masks, frames: FrameSource) -> Masks:
    merged = forwards | backwards
    for frame in forwards.keys() & backwards.keys():
        (one, sure), (other, surer) = forwards[frame], backwards[frame]
        first, second = _whole(one, frames), _whole(other, frames)
        if (first & second).sum() >= AGREE * (first | second).sum():
            merged[frame] = Cutout.of(first | second), max(sure, surer)
        else:
            merged[frame] = forwards[frame] if sure >= surer else backwards[frame]
    return dict(sorted(merged.items()))


def _whole(cutout: Cutout, frames: FrameSource) -> Bool[np.ndarray, "h w"]:
    mask: Bool[np.ndarray, "h w"] = np.zeros((frames.height, frames.width), dtype=np.bool_)
    cutout.lay(mask)
    return mask
