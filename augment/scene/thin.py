"""What hangs from the things that are kept and is too thin for their masks: a cable, a string, the tip of a finger.

It is a ridge (`ridges`) that leads from a mask away, and no shadow.
"""

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from augment.images import bounds, box_sum, grow, pixels, planes
from augment.scene.ridges import Ridges, find_ridges

WORKING_HEIGHT = 240  # pixels: at this height a thin part is up to 4 pixels wide
SURE = 0.25  # share of a thin part that no shadow explains
GAP = 0.006  # of the height: half of the longest gap in a thin part
BAND = 0.012  # of the height: nearer than this to a mask, edges are matted anyway
FAR, LEAST_FAR = 0.06, 8  # of the height, and pixels: so far from that band a thin part leads
FULL = 0.8  # of the greatest difference near by: pixels that show a thin part alone
FAINT = 0.08  # share of the foreground that may as well be noise

Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]
Planes = Float32[np.ndarray, "3 h w"]


def thin_parts(seen: Picture, behind: Picture, unknown: Mask, keep: Mask) -> UInt8[np.ndarray, "h w"]:
    """Share of the foreground, 0..255, of thin parts that are connected to what is kept; 0 elsewhere.

    `behind`: the clean plate as the frame would show it, which is not trusted where `unknown`.
    """
    alpha = np.zeros(keep.shape, dtype=np.uint8)
    scale = max(1, round(len(keep) / WORKING_HEIGHT))
    ridges = find_ridges(seen, behind, unknown, keep, 3 * scale)
    if ridges is None or not (connected := _connected(ridges, keep)).any():
        return alpha
    part = bounds(connected, 8 * scale)
    alpha[part] = _matte(seen[part], behind[part], keep[part] | unknown[part], connected[part], scale)
    return alpha


def _connected(ridges: Ridges, keep: Mask) -> Mask:
    """The ridges that begin at what is kept, lead away from it, and are no shadow."""
    height = len(keep)
    near = grow(keep, pixels(BAND, height))
    far = ~grow(near, max(LEAST_FAR, pixels(FAR, height)))
    pieces, count = ndimage.label(grow(ridges.found, pixels(GAP, height)), np.ones((3, 3)))
    where = np.flatnonzero(pieces)  # few: all that follows is quick
    piece, near, far, found, sure = (mask.take(where) for mask in (pieces, near, far, ridges.found, ridges.sure))
    sizes = [np.bincount(piece[those & ~near], minlength=count + 1) for those in (found, sure)]
    ends = np.stack([np.bincount(piece[those], minlength=count + 1) for those in (near, far)])
    good = (ends > 0).all(axis=0) & (sizes[1] >= SURE * sizes[0])
    connected = np.zeros(ridges.found.shape, dtype=np.bool_)
    connected.put(where, good[piece] & found)
    return connected


def _matte(seen: Picture, behind: Picture, hidden: Mask, ridge: Mask, scale: int) -> UInt8[np.ndarray, "h w"]:
    """Share of the foreground on ridges and beside them; its colour is theirs where they differ most, near by."""
    area = grow(ridge, scale)
    recorded, plate = planes(seen), planes(behind)
    away = recorded - plate * _light(recorded, plate, ~(grow(ridge, 2 * scale) | hidden), 4 * scale)
    strength = np.abs(away).max(axis=0) * area
    full = (strength >= FULL * grow(strength, 4 * scale)) & ridge
    # foreground less background, of the pixels that show it alone
    foreground = _mean(away, full, 4 * scale)
    share = (away * foreground).sum(axis=0) / np.maximum((foreground * foreground).sum(axis=0), 1)
    share = np.where(area & ~hidden & (share > FAINT), np.clip(share, 0, 1), 0)
    return np.asarray(np.rint(255 * share), dtype=np.uint8)


def _light(seen: Planes, plate: Planes, background: Mask, radius: int) -> Planes:
    """Ratio of the frame to the plate around every pixel; 1 where no background is near."""
    ratio = _mean((seen + 2) / (plate + 2), background, radius)
    return np.where(ratio > 0, ratio, np.float32(1))


def _mean(values: Planes, where: Mask, radius: int) -> Planes:
    """Of the pixels of `where`, in a square around each; 0 where there is none."""
    weight = where.astype(np.float32)
    *sums, mass = box_sum(np.stack([*(values * weight), weight]), radius)
    return np.asarray(np.where(mass > 0, np.stack(sums) / np.maximum(mass, 1), 0), dtype=np.float32)
