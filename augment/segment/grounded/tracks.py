"""Ways from the frames that were looked at to all frames."""

from collections.abc import Callable, Sequence

import numpy as np

from augment.segment.grounded.cutouts import CutoutTrack, hold
from augment.segment.grounded.difference import Difference, DifferenceTrack
from augment.segment.grounded.finding import Finding
from augment.segment.grounded.memory import Masks, doubtful, remember
from augment.segment.grounded.trails import Trail
from augment.types import MaskTrack


def _every_frame(finding: Finding, motion: MaskTrack) -> Sequence[MaskTrack]:
    return _cutout_tracks(finding, finding.cut_out(only_seen=False))


def _memory(finding: Finding, motion: MaskTrack) -> Sequence[MaskTrack]:
    """Frames in which memory is in doubt are looked at, once."""
    masks = _remembered(finding)
    if finding.look_again(doubtful(masks, len(finding.frames)), every=1):
        masks = _remembered(finding)
    return _cutout_tracks(finding, masks)


def _remembered(finding: Finding) -> list[Masks]:
    keys = [{frame: cutout for frame, (cutout, _) in masks.items()} for masks in finding.cut_out(only_seen=True)]
    return remember(finding.frames, keys, finding.networks.tracker)


def _difference(finding: Finding, motion: MaskTrack) -> Sequence[MaskTrack]:
    frames, masks = finding.frames, finding.cut_out(only_seen=True)
    keys = [{frame: cutout for frame, (cutout, _) in each.items()} for each in masks]
    difference = Difference(hold(motion, frames), keys, frames.height, frames.width)
    return [
        DifferenceTrack(difference, number, prompt.role, prompt.phrase, len(frames), _confidence(trail, masks[number]))
        for number, (prompt, trail) in enumerate(finding.named)
    ]


FOLLOW: dict[str, Callable[[Finding, MaskTrack], Sequence[MaskTrack]]] = {
    "every frame": _every_frame,
    "memory": _memory,
    "difference": _difference,
}
"""By name: a track for each trail of what was found, given all that differs from the plate."""


def _cutout_tracks(finding: Finding, masks: Sequence[Masks]) -> list[MaskTrack]:
    shape = (len(finding.frames), finding.frames.height, finding.frames.width)
    return [
        CutoutTrack(
            prompt.role,
            prompt.phrase,
            shape,
            {frame: cutout for frame, (cutout, _) in each.items()},
            _confidence(trail, each),
        )
        for (prompt, trail), each in zip(finding.named, masks, strict=True)
    ]


def _confidence(trail: Trail, masks: Masks) -> float:
    """Mean score of the boxes, times the median of how sure the masks are."""
    sure = float(np.median([sure for _, sure in masks.values()])) if masks else 0.0
    return round(min(1.0, float(np.mean(list(trail.scores.values())))) * sure, 3)
