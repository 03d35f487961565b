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


def uncover(
    segment: Segmenter, episode: Episode, camera: str, background: Background, samples: Samples
) -> tuple[Background, Samples]:
    """The clean plate; and the samples, of which all that hides it is marked as covered. Raises EpisodeError.

    Found in turns with the masks: with the samples alone, and small, which is plenty for that.
    """
    samples = samples.without(_movable(segment.painted(episode, camera, background)))
    return _uncovered(background, samples.behind(_in_turns(segment, camera, samples)))


def uncover_behind(tracks: Sequence[MaskTrack], background: Background, samples: Samples) -> tuple[Background, Samples]:
    """The same behind masks that are known already. Raises EpisodeError."""
    return _uncovered(background, samples.without(_movable(tracks)))


def leave_out(
    background: Background, samples: Samples, tracks: Sequence[MaskTrack]
) -> tuple[Background, Bool[np.ndarray, "h w"]]:
    """The same without what more tracks hide, and where the plate is a guess.

    What hides the same place in every sample of the recording is taken to do so in companions, of which no masks are.
    """
    covered, own = samples.without(_movable(tracks)), len(samples.indices)
    added = covered.hidden[:own] & ~samples.hidden[:own]
    hole = np.asarray(covered.covered.all(axis=0) | (covered.covered[:own].all(axis=0) & added.any(axis=0)))
    return replace(background, plate=fill_smoothly(background.plate, hole)), hole


def _uncovered(background: Background, samples: Samples) -> tuple[Background, Samples]:
    plate, _ = _filled(samples)
    return replace(background, plate=plate, shadows_known=True), samples


def _in_turns(segment: Segmenter, camera: str, samples: Samples) -> Bool[np.ndarray, "n h w"]:
    """What hides the plate in every sample."""
    height, width = samples.pictures.shape[1:3]
    factor = max(1, round(height / ROUGH_HEIGHT))
    small = samples.reduced(factor)
    frames = ArrayFrames(camera, small.pictures)
    recording = Episode("", camera, len(frames), {camera: frames}, {})
    seen = Background.still(_filled(small, shadows_known=False)[0], len(frames))
    for turn in range(segment.rounds):
        tracks = segment.guess(recording, camera, seen)
        hidden = np.logical_or.reduce([track.read(0, len(frames)) for track in tracks])
        if turn + 1 < segment.rounds:
            seen = replace(seen, plate=_filled(small.behind(hidden))[0], shadows_known=True)
    return enlarged(hidden, factor, height, width)


def _movable(tracks: Sequence[MaskTrack]) -> list[MaskTrack]:
    return [track for track in tracks if track.role in MOVABLE]


def _filled(samples: Samples, shadows_known: bool = True) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    plate, hole = clean_plate(samples, shadows_known)
    return fill_smoothly(plate, hole), hole
