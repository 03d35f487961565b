"""How much of what is behind a transparent thing is seen through it."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import bounds, box_sum, pixels, planes

WINDOW = 0.02  # of the height: radius of the neighbourhood in which details are compared
DETAIL = 3.0  # grey levels: standard deviation of a plate that tells anything
FEW = 25 * 3 * DETAIL**2  # of 25 such pixels: less detail tells little
OPAQUE = 0.1  # share of the background that may as well be chance

Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]
Planes = Float32[np.ndarray, "3 h w"]


def passed(seen: Picture, behind: Picture, mask: Mask) -> tuple[float, float]:
    """How much of the plate's detail a frame shows within a mask, as numerator and denominator."""
    if not mask.any():
        return 0.0, 0.0
    part = bounds(mask, 0)
    shown, power = _details(planes(seen[part]), planes(behind[part]), mask[part], pixels(WINDOW, len(mask)))
    return float(shown.sum(dtype=np.float64)), float(power.sum(dtype=np.float64))


def transparency(seen: Picture, behind: Picture, mask: Mask, usual: float) -> UInt8[np.ndarray, "h w"]:
    """Share of the foreground, 1..255, in a mask of a transparent thing; 0 outside, and where it is opaque.

    Seen is share * foreground + (1 - share) * plate, so that the plate's details are seen 1 - share times as strong.
    Where it has few, `usual` tells, which is 1 - share of the thing as a whole.
    """
    alpha = np.zeros(mask.shape, dtype=np.uint8)
    if not mask.any():
        return alpha
    part, radius = bounds(mask, 0), pixels(WINDOW, len(mask))
    recorded, plate = planes(seen[part]), planes(behind[part])
    details = np.stack(_details(recorded, plate, mask[part], radius))
    shown, power = box_sum(details, radius) + np.array([FEW * usual, FEW], dtype=np.float32)[:, None, None]
    share = np.maximum(1 - np.clip(shown / power, 0, 1), _least(recorded, plate))
    alpha[part] = np.where(mask[part] & (share < 1 - OPAQUE), np.maximum(np.rint(255 * share), 1), 0)
    return alpha


def _details(
    seen: Planes, plate: Planes, mask: Mask, radius: int
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Product of both pictures' differences to their means around, and the plate's square; 0 outside of the mask."""
    weight = mask.astype(np.float32)
    mass = np.maximum(box_sum(weight, radius), 1)
    fine, coarse = ((picture - box_sum(picture * weight, radius) / mass) * weight for picture in (seen, plate))
    return np.asarray((fine * coarse).sum(axis=0)), np.asarray((coarse * coarse).sum(axis=0))


def _least(seen: Planes, plate: Planes) -> Float32[np.ndarray, "h w"]:
    """The share that the foreground must have, if it can be neither darker than black nor lighter than white."""
    lighter, darker = (seen - plate) / np.maximum(255 - plate, 1), (plate - seen) / np.maximum(plate, 1)
    return np.asarray(np.clip(np.maximum(lighter, darker).max(axis=0), 0, 1))
