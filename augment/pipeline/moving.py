"""Cameras that move: masks that need no plate, and what each frame shows by itself of its surroundings."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from augment.errors import UnseenError
from augment.images import grow, pixels
from augment.layers import Layers, LayersWriter
from augment.scene import fill_smoothly
from augment.segment import Segmenter
from augment.types import Backdrop, Background, Stability
from robot_io.types import Episode

BESIDE = 0.03  # of the height: what is closer to what is kept may hold some of it
UNMASKED = (
    "masks by motion need a camera that stands still, and this one moves; paint what stays (segment.keep_always), or "
    "choose segment=grounded or recorded"
)


def mask_moving(
    segment: Segmenter, episode: Episode, survey: Layers, folder: Path, made_from: Mapping[str, Any]
) -> None:
    """Layers of a camera that `survey` found to move: masks, and a plate that is nowhere known. Raises EpisodeError."""
    still = Background.still(survey.plate, survey.length)
    background = replace(still, stability=Stability.MOVING, unrest=survey.unrest, moves=survey.moves)
    with LayersWriter(folder, survey.camera, (survey.length, survey.height, survey.width)) as writer:
        problem = None
        try:
            find = segment.painted if segment.rounds else segment
            tracks = find(episode, survey.camera, background)
            problem = None if tracks or not segment.rounds else UNMASKED
        except UnseenError as error:
            tracks, problem = (), str(error)
        writer.store(tracks)
        writer.finish(made_from, background, still.plate, np.ones_like(survey.hole), problem)


def own_backdrop(
    frame: UInt8[np.ndarray, "h w 3"], keep: Bool[np.ndarray, "h w"], new: UInt8[np.ndarray, "h w 3"]
) -> Backdrop:
    """What lies behind one frame of a camera that moves: what it shows beside what is kept, and a guess there."""
    clean = np.where(keep[..., None], uncovered(frame, keep), frame)
    hole = grow(keep, pixels(BESIDE, len(keep)))
    warps, gains = np.zeros((1, 8), dtype=np.float32), np.ones((1, 3), dtype=np.float32)
    return Backdrop(clean, hole, new[None], warps, gains)


def uncovered(frame: UInt8[np.ndarray, "h w 3"], keep: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """A frame whose kept pixels, and those beside them, are a guess from their surroundings."""
    return fill_smoothly(frame, grow(keep, pixels(BESIDE, len(keep))))
