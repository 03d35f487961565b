"""How good masks are, against true ones. Pure; bool, True = the thing; 1 is perfect, and what is empty and found empty.

J, F and boundary IoU are means over frames, as they are published; shares of pixels are of all frames together, so that
a frame in which little is seen counts little.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import distance_transform_edt

from augment.boxes import boxes_around, inside
from augment.images import bounds, grow, pixels

TOLERANCE = 0.008  # of the diagonal: how far outlines may lie apart and still agree, in F
BAND = 0.02  # of the diagonal: how wide an outline is, in boundary IoU
RING = 10 / 480  # of the height: the outer ring, 10 pixels in a picture of 640x480


def iou(found: Bool[np.ndarray, "*t h w"], truth: Bool[np.ndarray, "*t h w"]) -> float:
    """Intersection over union of all pixels together, 0..1; 1 where both are empty."""
    return _share(int((found & truth).sum()), int((found | truth).sum()))


def recall(
    found: Bool[np.ndarray, "*t h w"],
    truth: Bool[np.ndarray, "*t h w"],
    within: Bool[np.ndarray, "*t h w"] | None = None,
) -> float:
    """Share of the true pixels (`within` a region) that were found, 0..1; 1 where there is nothing to find."""
    wanted = truth if within is None else truth & within
    return _share(int((found & wanted).sum()), int(wanted.sum()))


def f2(found: Bool[np.ndarray, "*t h w"], truth: Bool[np.ndarray, "*t h w"]) -> float:
    """F-measure that weighs recall twice as much as precision: 5 P R / (4 P + R), 0..1 (van Rijsbergen 1979)."""
    both, missed, wrong = (int(part.sum()) for part in (found & truth, truth & ~found, found & ~truth))
    return _share(5 * both, 5 * both + 4 * missed + wrong)


def ring_precision(found: Bool[np.ndarray, "*t h w"], truth: Bool[np.ndarray, "*t h w"]) -> float:
    """Share of what was found on the thing, or in the ring around it, that is the thing, 0..1: how little halo it has.

    The ring is 10 pixels wide where pictures are 480 high, else in proportion; a square's neighbourhood.
    """
    near = grow(truth, pixels(RING, truth.shape[-2]))
    return _share(int((found & truth).sum()), int((found & near).sum()))


def gripper_recall(
    found: Bool[np.ndarray, "t h w"],
    truth: Bool[np.ndarray, "t h w"],
    gripper: Float32[np.ndarray, "t 4"] | Bool[np.ndarray, "t h w"],
) -> float:
    """Recall within a box in each frame: given (as `boxes.inside` has it), or the one around the gripper's mask."""
    boxes = boxes_around(gripper) if gripper.dtype == np.bool_ else gripper
    return recall(found, truth, inside(boxes, *truth.shape[1:]))


def j_measure(found: Bool[np.ndarray, "t h w"], truth: Bool[np.ndarray, "t h w"]) -> float:
    """Region similarity J of DAVIS (Perazzi et al., CVPR 2016): IoU, mean over frames."""
    return _mean_over_frames(iou, found, truth)


def f_measure(found: Bool[np.ndarray, "t h w"], truth: Bool[np.ndarray, "t h w"]) -> float:
    """Contour accuracy F of DAVIS (Perazzi et al., CVPR 2016), mean over frames.

    Of precision (share of the found outline that is within a tolerance of the true one) and recall (the reverse) the
    harmonic mean. An outline is every pixel that differs from the one to its right, below, or to the lower right; the
    tolerance 0.008 of the diagonal, rounded up, Euclidean.
    """
    return _mean_over_frames(_contour_accuracy, found, truth)


def j_and_f(found: Bool[np.ndarray, "t h w"], truth: Bool[np.ndarray, "t h w"]) -> float:
    """Mean of J and F, by which DAVIS ranks."""
    return (j_measure(found, truth) + f_measure(found, truth)) / 2


def boundary_iou(found: Bool[np.ndarray, "t h w"], truth: Bool[np.ndarray, "t h w"]) -> float:
    """IoU of the inner edges of both masks, mean over frames (Cheng et al., CVPR 2021): sees thin parts.

    An inner edge is what of a mask a square of `2 d + 1` pixels erodes, d = 0.02 of the diagonal, rounded; beyond the
    picture there is nothing.
    """
    return _mean_over_frames(lambda one, other: iou(_inner_edge(one), _inner_edge(other)), found, truth)


def _contour_accuracy(found: Bool[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> float:
    found, truth = _outline(found), _outline(truth)
    if not found.any() or not truth.any():
        return float(found.any() == truth.any())
    tolerance = int(np.ceil(TOLERANCE * np.hypot(*truth.shape)))
    window = bounds(found | truth, 0)  # distances are the same, and quicker found
    found, truth = found[window], truth[window]
    precision = _share(int((found & _near(truth, tolerance)).sum()), int(found.sum()))
    recalled = _share(int((truth & _near(found, tolerance)).sum()), int(truth.sum()))
    return 2 * precision * recalled / (precision + recalled) if precision + recalled else 0.0


def _outline(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    padded = np.pad(mask, (0, 1), mode="edge")
    right, below, across = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return np.asarray((mask != right) | (mask != below) | (mask != across))


def _near(outline: Bool[np.ndarray, "h w"], distance: int) -> Bool[np.ndarray, "h w"]:
    return np.asarray(distance_transform_edt(~outline) <= distance)


def _inner_edge(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    width = max(1, round(BAND * float(np.hypot(*mask.shape))))
    inside_out = grow(np.pad(~mask, width, constant_values=True), width)
    return np.asarray(mask & inside_out[width:-width, width:-width])


def _mean_over_frames(
    figure: Callable[[np.ndarray, np.ndarray], float],
    found: Bool[np.ndarray, "t h w"],
    truth: Bool[np.ndarray, "t h w"],
) -> float:
    return float(np.mean([figure(one, other) for one, other in zip(found, truth, strict=True)]))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
