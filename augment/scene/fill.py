"""A hole in a plate, closed without any learned model: a guess, marked as such wherever it is stored."""

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from augment.images import bounds

SMOOTHNESS = 0.02  # of the height: standard deviation


def fill_smoothly(picture: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """A Filler: the nearest known colour, smoothed inside the hole. Returns mid-grey where nothing is known."""
    if not hole.any():
        return picture
    if hole.all():
        return np.full_like(picture, 128)
    sigma = SMOOTHNESS * picture.shape[0]
    near = bounds(hole, 1 + int(np.ceil(4 * sigma)))  # what is farther away does not matter
    picture, part = picture.copy(), hole[near]
    nearest = ndimage.distance_transform_edt(part, return_distances=False, return_indices=True)
    smooth = ndimage.gaussian_filter(picture[near][tuple(nearest)].astype(np.float32), (sigma, sigma, 0), truncate=4)
    picture[near][part] = np.rint(smooth[part])
    return picture
