"""How masks behave in time. Pure; masks are bool `(t, h, w)`, True = the thing.

Nothing is warped: of a camera that moves, temporal IoU and moving pixels tell of the camera too.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy.optimize import linear_sum_assignment

from augment.evaluation.masks import iou

JUMP = 0.3  # of the larger of two areas: a jump
MATCH = 0.5  # IoU from which on a track follows a thing
MOVES = 20  # grey levels in the most different channel: beyond noise and compression


def temporal_iou(masks: Bool[np.ndarray, "t h w"]) -> float:
    """Mean IoU of neighbouring frames, 0..1; 1 for a single frame. What moves lowers it: compare with the truth's."""
    return float(np.mean([iou(one, other) for one, other in pairwise(masks)])) if len(masks) > 1 else 1.0


def area_jump_rate(masks: Bool[np.ndarray, "t h w"]) -> float:
    """Share of the neighbouring frames of which one has less than 0.7 of the other's area, 0..1; 0 for one frame."""
    jumps = _jumps(masks)
    return float(np.mean(jumps != 0)) if len(jumps) else 0.0


def flicker_rate(masks: Bool[np.ndarray, "t h w"]) -> float:
    """Share of the frames between others whose area jumps there and back, 0..1: one damaged in k > 2 gives 1 / k."""
    jumps = _jumps(masks)
    return float(np.mean(jumps[:-1] * jumps[1:] < 0)) if len(jumps) > 1 else 0.0


def moving(frames: UInt8[np.ndarray, "t h w 3"], plates: UInt8[np.ndarray, "t h w 3"]) -> Bool[np.ndarray, "t h w"]:
    """Pixels that neither neighbour shows alike (three-frame difference: Collins et al., CMU-RI-TR-00-12).

    By 20 grey levels, counted from the plate as each frame would show it, so that sway and exposure do not count; none
    in the first and the last frame. Shadows move too. Residual motion is `recall` of these pixels.
    """
    moves = np.zeros(frames.shape[:3], dtype=np.bool_)
    away = frames.astype(np.int16) - plates
    changed = np.abs(away[1:] - away[:-1]).max(axis=-1) > MOVES
    moves[1:-1] = changed[:-1] & changed[1:]
    return moves


def id_switches(found: Sequence[Bool[np.ndarray, "t h w"]], truth: Sequence[Bool[np.ndarray, "t h w"]]) -> int:
    """How often a true thing is followed by another track than the one that followed it last.

    The mismatches of CLEAR MOT (Bernardin and Stiefelhagen, 2008): a track keeps its thing while their IoU is 0.5 or
    more; all others are assigned anew, for the greatest sum of IoU.
    """
    switches, kept, last = 0, dict[int, int](), dict[int, int]()
    for frame in range(len(truth[0]) if truth else 0):
        overlap = _overlap([masks[frame] for masks in found], [masks[frame] for masks in truth])
        kept = {thing: track for thing, track in kept.items() if overlap[thing, track] >= MATCH}
        for thing, track in kept.items():
            overlap[thing, :] = overlap[:, track] = 0
        assigned = zip(*linear_sum_assignment(overlap, maximize=True), strict=True)
        kept |= {int(thing): int(track) for thing, track in assigned if overlap[thing, track] >= MATCH}
        switches += sum(last.get(thing, track) != track for thing, track in kept.items())
        last |= kept
    return switches


def _jumps(masks: Bool[np.ndarray, "t h w"]) -> np.ndarray:
    """Between neighbouring frames: 1 where the area jumps up, -1 where down, else 0."""
    areas = np.array([np.count_nonzero(mask) for mask in masks])
    before, after = areas[:-1], areas[1:]
    jumps = np.abs(after - before) > JUMP * np.maximum(before, after)
    return np.asarray(jumps * np.sign(after - before))


def _overlap(
    found: Sequence[Bool[np.ndarray, "h w"]], truth: Sequence[Bool[np.ndarray, "h w"]]
) -> Float64[np.ndarray, "things tracks"]:
    """IoU of every pair; 0 where either is empty."""
    overlap = np.zeros((len(truth), len(found)))
    for thing, true in enumerate(truth):
        for track, mask in enumerate(found):
            overlap[thing, track] = iou(mask, true) if true.any() and mask.any() else 0.0
    return overlap
