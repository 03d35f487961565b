"""One attempt at a rendered camera, held against what only the renderer knows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from augment.evaluation.masks import iou, recall
from augment.evaluation.pictures import flicker, psnr
from augment.images import grow, luma
from augment.types import Role
from robot_io.types import Truth

RING = 3  # pixels around what stays: where edges are judged
SHADE = 8.0  # grey levels by which a shadow darkens what it falls on
SEEN = 0.1  # of the frames: what was seen less often is not asked of a plate
SAME = 8  # grey levels, noise included, between a frame and the plate that it shows


@dataclass(frozen=True, eq=False)
class Attempt:
    """What a method made of a recorded camera."""

    masks: Bool[np.ndarray, "t h w"]
    """What it found."""
    exact: Bool[np.ndarray, "t h w"]
    """What it kept as recorded."""
    plates: UInt8[np.ndarray, "t h w 3"]
    """Its clean plate as each frame would show it."""
    restaged: UInt8[np.ndarray, "t h w 3"]
    """Robot and object on the other materials."""
    unshaded: UInt8[np.ndarray, "t h w 3"]
    """The same without carrying shadows over."""


def judge(recorded: UInt8[np.ndarray, "t h w 3"], truth: Truth, attempt: Attempt) -> Mapping[str, float]:
    """Figure by name; PSNR in dB.

    `plate`: where a tenth of the frames show it. `core changed`: kept pixels that differ from the recording. `ring`,
    `shadows`, `elsewhere`: the restaged frames, 3 pixels around what must stay, where shadows fall, and all the rest.
    `shadow gain`: over the same frames without the transfer of shadows; `moving gain`: of those alone that leave what
    they fall on in a tenth of the frames. `flicker`: grey levels from frame to frame, away from what must stay.
    """
    robot, thing = truth.masks[Role.ROBOT], truth.masks[Role.OBJECT]
    keep = robot | thing
    near = grow(keep, RING)
    shaded = ~near & (luma(truth.new_plate) - luma(truth.restaged) > SHADE)
    shown = np.abs(recorded.astype(np.int16) - truth.plate).max(axis=-1) <= SAME
    visible = np.broadcast_to((shown & ~keep).mean(axis=0) >= SEEN, keep.shape)
    shadows = psnr(attempt.restaged, truth.restaged, shaded)
    return {
        "mask IoU": iou(attempt.masks, keep),
        "robot recall": recall(attempt.masks, robot),
        "object recall": recall(attempt.masks, thing),
        "plate": psnr(attempt.plates, truth.plate, visible),
        "core changed": float((attempt.restaged[attempt.exact] != recorded[attempt.exact]).any(axis=-1).sum()),
        "ring": psnr(attempt.restaged, truth.restaged, near & ~_shrunk(keep)),
        "shadows": shadows,
        "shadow gain": shadows - psnr(attempt.unshaded, truth.restaged, shaded),
        "moving gain": psnr(attempt.restaged, truth.restaged, shaded & visible)
        - psnr(attempt.unshaded, truth.restaged, shaded & visible),
        "elsewhere": psnr(attempt.restaged, truth.restaged, ~near & ~shaded),
        "flicker": flicker(attempt.restaged, truth.restaged, ~near),
    }


def _shrunk(masks: Bool[np.ndarray, "t h w"]) -> Bool[np.ndarray, "t h w"]:
    return ~grow(~masks, 1)
