"""Looking at frames with a detector: which, and what is found in them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from augment.images import is_blank
from augment.models.base import Detector
from augment.segment.grounded.candidates import Candidate, choose_candidates
from augment.segment.grounded.prompts import Prompt
from augment.types import Role
from robot_io.types import FrameSource

Seen = dict[Prompt, dict[int, list[Candidate]]]
"""By phrase and frame, what was found; frames that were looked at in vain are there too, blank ones are not."""


def key_frames(length: int, every: int, grasps: Sequence[int]) -> list[int]:
    """Frames to look at: the first and the last, one in `every`, and those at which a gripper closes or opens."""
    return sorted({*range(0, length, every), length - 1, *grasps}) if length else []


def look(
    frames: FrameSource,
    indices: Sequence[int],
    detector: Detector,
    prompts: Sequence[Prompt],
    thresholds: Mapping[Role, float],
    batch: int,
) -> Seen:
    """What a detector finds in some frames. Raises EpisodeError where they cannot be decoded."""
    seen: Seen = {prompt: {} for prompt in prompts}
    phrases = [prompt.phrase for prompt in prompts]
    for window, pictures in in_batches(frames, indices, batch):
        shown = [(index, picture) for index, picture in zip(window, pictures, strict=True) if not is_blank(picture)]
        found = detector([picture for _, picture in shown], phrases) if shown else []
        for (index, _), detections in zip(shown, found, strict=True):
            chosen = choose_candidates(detections, prompts, thresholds, (frames.height, frames.width))
            for prompt, candidates in zip(prompts, chosen, strict=True):
                seen[prompt][index] = candidates
    return seen


def look_until_found(
    frames: FrameSource,
    every: int,
    grasps: Sequence[int],
    detector: Detector,
    prompts: Sequence[Prompt],
    thresholds: Mapping[Role, float],
    batch: int,
) -> Seen:
    """The same at key frames; for phrases that none of them shows, at twice as many, and so on, until all were seen."""
    seen = look(frames, key_frames(len(frames), every, grasps), detector, prompts, thresholds, batch)
    while every > 1:
        every //= 2
        lacking = [prompt for prompt in prompts if not any(seen[prompt].values())]
        if not lacking:
            break
        known = seen[lacking[0]]
        more = [index for index in key_frames(len(frames), every, ()) if index not in known]
        for prompt, found in look(frames, more, detector, lacking, thresholds, batch).items():
            seen[prompt] = dict(sorted((seen[prompt] | found).items()))
    return seen


def in_batches(
    frames: FrameSource, indices: Sequence[int], batch: int
) -> Iterator[tuple[Sequence[int], list[UInt8[np.ndarray, "h w 3"]]]]:
    """Frames of some indices, `batch` at a time. Neighbours are decoded together."""
    for start in range(0, len(indices), batch):
        window = indices[start : start + batch]
        if window[-1] - window[0] < 2 * batch:
            clip = frames.read(window[0], window[-1] + 1)
            yield window, [clip.frames[index - window[0]] for index in window]
        else:
            yield window, [frames.read(index, index + 1).frames[0] for index in window]
