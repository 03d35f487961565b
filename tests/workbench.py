"""A tiny recording that looks like one: an arm before a wall with pictures pushes a block across a table."""

import numpy as np
from scipy import ndimage

LENGTH, HEIGHT, WIDTH = 20, 96, 128
TABLE = 0.55  # of the height: where the table begins
BLOCK = 10  # pixels

Drawing = tuple[np.ndarray, np.ndarray]


def room(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Smooth plaster, framed pictures, grained wood; uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[:height, :width]
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = np.stack([150 + 0.2 * right, 160 - 0.2 * down, 165 + 0 * down], axis=-1)
    for number in range(max(2, width // 32)):
        top, left = rng.integers(2, height // 5), 4 + 32 * number
        poster = rng.integers(40, 220, (4, 4, 3)).repeat(4, 0).repeat(4, 1)
        size = picture[top : top + 16, left : left + 16].shape
        picture[top : top + 16, left : left + 16] = poster[: size[0], : size[1]]
    horizon = round(TABLE * height)
    grain = ndimage.gaussian_filter(rng.normal(0, 60, (height - horizon, width)), (0.8, 4.0))
    picture[horizon:] = np.array([140, 100, 62]) + grain[..., None]
    return picture.clip(0, 255).astype(np.uint8)


def stamp(frame: np.ndarray, colour: tuple[int, int, int], top: int, left: int, height: int, width: int) -> np.ndarray:
    """Draw a striped thing, cut off by the picture's border, and return where it is."""
    mask = np.zeros(frame.shape[:2], bool)
    mask[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = True
    down, right = np.nonzero(mask)
    stripes = 18 * np.sin((down - top) * 0.9) + 8 * np.sin((right - left) * 0.7)
    frame[mask] = np.clip(np.array(colour) + stripes[:, None], 0, 255)
    return mask


def demonstration(length: int = LENGTH, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Drawing:
    """Frames (t, h, w, 3), and where arm and block are (t, h, w): the arm comes from above and pushes the block."""
    frames = np.repeat(room(height, width, seed)[None], length, axis=0)
    masks = np.zeros(frames.shape[:3], bool)
    for index, left in enumerate(np.linspace(0.1 * width, 0.7 * width, length).astype(int)):
        masks[index] = arm_and_block(frames[index], left)
    return frames, masks


def arm_and_block(frame: np.ndarray, left: int) -> np.ndarray:
    """Draw both, the arm's left edge at `left`; returns where they are."""
    height, width = frame.shape[:2]
    floor = round(0.8 * height)
    arm = stamp(frame, (205, 70, 40), 0, left, floor, width // 12)
    return arm | stamp(frame, (40, 60, 190), floor - BLOCK, left + width // 12, BLOCK, BLOCK)


def noisy(frames: np.ndarray, sigma: float = 1.5, seed: int = 0) -> np.ndarray:
    """As a sensor would see it."""
    noise = np.random.default_rng(seed).normal(0, sigma, frames.shape)
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)
