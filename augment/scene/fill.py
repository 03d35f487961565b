"""A hole in a plate, closed without any learned model: a guess, marked as such wherever it is stored."""

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage


def fill_smoothly(picture: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """A Filler: the nearest known colour, smoothed inside the hole. Returns mid-grey where nothing is known."""
    if not hole.any():
        return picture
    if hole.all():
        return np.full_like(picture, 128)
    nearest = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    filled = picture[tuple(nearest)].astype(np.float32)
    smooth = ndimage.gaussian_filter(filled, (0.02 * picture.shape[0], 0.02 * picture.shape[0], 0))
    return np.where(hole[..., None], np.rint(smooth), picture).astype(np.uint8)
