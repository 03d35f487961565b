"""The masks of one camera, held against true ones, or against reference masks that another tool made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.evaluation.masks import (
    boundary_iou,
    f2,
    f_measure,
    gripper_recall,
    j_measure,
    recall,
    ring_precision,
)
from augment.evaluation.misses import Misses, categories, misses
from augment.evaluation.steadiness import area_jump_rate, flicker_rate, id_switches, moving, temporal_iou
from augment.types import MaskTrack, Role

KEEP = (Role.ROBOT, Role.OBJECT, Role.OTHER)  # what of the tracks is kept; the other roles belong to the scene
UNKNOWN = float("nan")


@dataclass(frozen=True, eq=False)
class Reference:
    """What there is to find in a camera, and what helps to tell how hard it is."""

    frames: UInt8[np.ndarray, "t h w 3"]
    robot: Bool[np.ndarray, "t h w"]
    thing: Bool[np.ndarray, "t h w"]
    """The object that is manipulated; all False if there is none."""
    plates: UInt8[np.ndarray, "t h w 3"] | None = None
    """What lies behind, as each frame would show it; None if nobody knows."""
    gripper: Float32[np.ndarray, "t 4"] | Bool[np.ndarray, "t h w"] | None = None
    """Boxes around it, or its mask; None if nobody knows."""

    @property
    def keep(self) -> Bool[np.ndarray, "t h w"]:
        return np.asarray(self.robot | self.thing)


def judge_masks(tracks: Sequence[MaskTrack], reference: Reference) -> Mapping[str, float]:
    """Figure by name, NaN where it is not known; of robot and object together unless its name says otherwise.

    `J`, `F`, `J&F`, `boundary IoU`, `recall`, `F2`, `gripper recall`, `ring precision`: see `masks`. `robot J` and
    `object J`: NaN if the tracks do not tell the two apart. `temporal IoU`, and what it is `of truth`; `flicker` and
    `jumps`: rates, see `steadiness`. `residual motion`: recall of the pixels that move by their looks, shadows among
    them, and what it is `by truth`. `id switches`: a count.
    """
    found, truth, length = _union(tracks, KEEP, reference), reference.keep, len(reference.frames)
    told_apart = {Role.ROBOT, Role.OBJECT} <= {track.role for track in tracks}
    moves = None if reference.plates is None else moving(reference.frames, reference.plates)
    j, f = j_measure(found, truth), f_measure(found, truth)
    kept = [track.read(0, length) for track in tracks if track.role in KEEP]
    return {
        "J": j,
        "F": f,
        "J&F": (j + f) / 2,
        "boundary IoU": boundary_iou(found, truth),
        "recall": recall(found, truth),
        "F2": f2(found, truth),
        "robot recall": recall(found, reference.robot),
        "object recall": recall(found, reference.thing),
        "robot J": j_measure(_union(tracks, (Role.ROBOT,), reference), reference.robot) if told_apart else UNKNOWN,
        "object J": j_measure(_union(tracks, (Role.OBJECT,), reference), reference.thing) if told_apart else UNKNOWN,
        "gripper recall": UNKNOWN if reference.gripper is None else gripper_recall(found, truth, reference.gripper),
        "ring precision": ring_precision(found, truth),
        "temporal IoU": temporal_iou(found),
        "of truth": temporal_iou(truth),
        "flicker": flicker_rate(found),
        "jumps": area_jump_rate(found),
        "residual motion": UNKNOWN if moves is None else recall(found, moves),
        "by truth": UNKNOWN if moves is None else recall(truth, moves),
        "id switches": id_switches(kept, [masks for masks in (reference.robot, reference.thing) if masks.any()]),
    }


def judge_misses(tracks: Sequence[MaskTrack], reference: Reference) -> dict[str, Misses]:
    """Category -> how many pixels of robot and object the tracks miss there (`misses.categories`)."""
    regions = categories(reference.robot, reference.thing, reference.frames, reference.plates)
    return misses(_union(tracks, KEEP, reference), reference.keep, regions)


def _union(tracks: Sequence[MaskTrack], roles: Sequence[Role], reference: Reference) -> Bool[np.ndarray, "t h w"]:
    union = np.zeros(reference.frames.shape[:3], dtype=np.bool_)
    for track in tracks:
        if track.role in roles:
            union |= track.read(0, len(union))
    return union
