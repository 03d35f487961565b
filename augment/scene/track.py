"""Where a camera looks, from frame to frame, roughly: as thumbnails tell."""

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import is_blank
from augment.scene.register import Registration

Places = Float32[np.ndarray, "t 2"]  # (down, right), counted from anywhere

NEAR = 4.0  # pixels of a thumbnail
FIRST, BEFORE = 9, 3  # frames
FAR = 0.03  # of the height: registration finds what is nearer by itself, and more surely than a track of thumbnails


def track_camera(thumbnails: UInt8[np.ndarray, "t h w 3"], bumps: Places) -> Places:
    """How far the picture has moved from frame to frame, (down, right) pixels of a thumbnail, counted from anywhere.

    `bumps`: how far, of this, it has jumped.

    As long as the camera stays near, frames are held against the same picture, so that errors do not add up; at first
    against what the first frames have in common. A single frame that shows something else does not matter.
    """
    places, origin = bumps.copy(), np.zeros(2, dtype=np.float32)
    reference = Registration.of(np.median(thumbnails[:FIRST], axis=0).astype(np.uint8))
    for index, thumbnail in enumerate(thumbnails):
        before = slice(max(0, index - BEFORE), max(1, index))
        expected = bumps[index] + np.median(places[before] - bumps[before], axis=0)
        if np.abs(expected - origin).max() > NEAR:
            closest = before.start + int(np.abs(places[before] - expected).max(axis=1).argmin())
            reference, origin = Registration.of(thumbnails[closest]), places[closest]
        near = np.pad(expected - origin, (0, 6))
        places[index] = expected if is_blank(thumbnail) else origin + reference.shift(thumbnail, near)[:2]
    return places


def far_away(track: Places, bumps: Places) -> Places:
    """Where to look for each frame: where it has jumped, or where it was tracked to if that is far away.

    All as fractions of the height.
    """
    sway = track - bumps
    sway = sway - np.median(sway, axis=0)
    return np.asarray(bumps + np.where(np.abs(sway) > FAR, sway, 0), dtype=np.float32)
