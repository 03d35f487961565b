"""Background subtraction as others do it, for `restage evaluate` and `restage bench name=scene` to compare with."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from augment.errors import RequestError

Masks = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Frames `(t, h, w, 3)` -> what moves, bool `(t, h, w)`, and the background, uint8 `(h, w, 3)`."""

THRESHOLD = 25  # grey levels, of the median difference
KERNEL = 3  # pixels, of the opening and closing that everybody appends


def median_difference(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference to the median of all frames, opened and closed."""
    median = np.median(frames, axis=0).astype(np.uint8)
    moving = [np.abs(frame.astype(np.int16) - median).max(axis=-1) > THRESHOLD for frame in frames]
    return _tidied(np.stack(moving)), median


def mog2(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's mixture of Gaussians with shadow detection, which has seen all frames before it is asked."""
    return _subtracted(frames, opencv().createBackgroundSubtractorMOG2(history=len(frames), detectShadows=True))


def knn(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's nearest neighbours with shadow detection, which has seen all frames before it is asked."""
    return _subtracted(frames, opencv().createBackgroundSubtractorKNN(history=len(frames), detectShadows=True))


RIVALS: Mapping[str, Masks] = {"median difference": median_difference, "OpenCV MOG2": mog2, "OpenCV KNN": knn}


def _subtracted(frames: np.ndarray, subtractor: Any) -> tuple[np.ndarray, np.ndarray]:
    for frame in frames:
        subtractor.apply(frame)
    masks = np.stack([subtractor.apply(frame, learningRate=0) == 255 for frame in frames])
    return _tidied(masks), np.asarray(subtractor.getBackgroundImage())


def _tidied(masks: np.ndarray) -> np.ndarray:
    cv2 = opencv()
    kernel = np.ones((KERNEL, KERNEL), np.uint8)
    opened = (cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) for mask in masks)
    return np.stack([cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel) > 0 for mask in opened])


def opencv() -> Any:
    """The module `cv2`. Raises RequestError where it is not installed."""
    try:
        import cv2
    except ImportError as error:
        raise RequestError(f"comparing with OpenCV needs opencv-python-headless (extra `dev`): {error}") from error
    return cv2
