"""The clean plate and what hides it, in turns: masks uncover a better plate, which gives better masks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, UInt8

from augment.images import enlarged
from augment.scene import Samples, clean_plate, fill_smoothly
from augment.segment import Segmenter
from augment.types import Background, MaskTrack, Role
from robot_io.memory import ArrayFrames
from robot_io.types import Episode

ROUGH_HEIGHT = 120  # pixels: the first turns are taken at about this size
MOVABLE = {Role.ROBOT, Role.OBJECT}  # the other roles are part of the scene


def in_turns(
    segment: Segmenter, episode: Episode, camera: str, background: Background, samples: Samples
) -> tuple[Background, Samples]:
    """A plate good enough to find the masks of every frame with, from the samples alone, small.

    Also returns the samples with what hides those of companions, of which no masks will be found, marked as covered.
    """
    if not segment.rounds:
        return background, samples
    unpainted = samples.without(_movable(segment.painted(episode, camera, background)))
    height, width = background.plate.shape[:2]
    factor = max(1, round(height / ROUGH_HEIGHT))
    small = unpainted.reduced(factor)
    frames = ArrayFrames(camera, small.pictures)
    recording = Episode("", camera, len(frames), {camera: frames}, {})
    seen = Background.still(_filled(small, shadows_known=False)[0], len(frames))
    for _ in range(segment.rounds):
        tracks = segment.find(recording, camera, seen)
        hidden = np.logical_or.reduce([track.read(0, len(frames)) for track in tracks])
        seen = replace(seen, plate=_filled(small.hidden(hidden))[0], shadows_known=True)
    hidden = enlarged(hidden, factor, height, width)
    plate, _ = _filled(unpainted.hidden(hidden))
    theirs = np.arange(len(hidden))[:, None, None] >= len(samples.indices)
    return replace(background, plate=plate, shadows_known=True), samples.hidden(hidden & theirs)


def uncovered(
    background: Background, samples: Samples, tracks: Sequence[MaskTrack]
) -> tuple[Background, Bool[np.ndarray, "h w"]]:
    """With the plate that is seen once the tracks of the recording are known, and its hole."""
    plate, hole = _filled(samples.without(_movable(tracks)))
    return replace(background, plate=plate, shadows_known=True), hole


def _movable(tracks: Sequence[MaskTrack]) -> list[MaskTrack]:
    return [track for track in tracks if track.role in MOVABLE]


def _filled(samples: Samples, shadows_known: bool = True) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    plate, hole = clean_plate(samples, shadows_known)
    return fill_smoothly(plate, hole), hole
