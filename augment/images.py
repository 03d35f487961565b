"""Array operations on pictures and masks that more than one step needs."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Shaped, UInt8
from PIL import Image

Warp = Float32[np.ndarray, "8"]
"""A homography, as of a camera that turns: dy, dx, yy, yx, xy, xx, zy, zx.

What lies (y, x) pixels from the middle of the picture goes to (y + dy + yy*y + yx*x, x + dx + xy*y + xx*x) pixels from
it, both divided by 1 + zy*y + zx*x.
"""

BLACK, WHITE = 12, 243  # grey levels: beyond them noise or saturation rules
ALL = 0.99  # share of a frame beyond them that leaves nothing to see


def pixels(fraction: float, height: int) -> int:
    """A length given as a fraction of the picture's height, in whole pixels, at least 1 unless `fraction` is 0."""
    return max(1, round(fraction * height)) if fraction > 0 else 0


def planar(picture: Shaped[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """As float32, in memory one channel after the other: arithmetic on it, and what comes of it, is much faster."""
    return np.moveaxis(np.moveaxis(picture, -1, 0).astype(np.float32, order="C"), 0, -1)


def interleaved(picture: Float32[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Rounded to 0..255, in memory one pixel after the other, as pictures come and go."""
    rounded = np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.stack(list(np.moveaxis(rounded, -1, 0)), axis=-1)


def grow(masks: Bool[np.ndarray, "*t h w"], radius: int) -> Bool[np.ndarray, "*t h w"]:
    """Dilate by a square of side `2 radius + 1` pixels."""
    for axis in (-1, -2) if radius else ():
        masks = _over_windows(np.bitwise_or, masks, radius, axis, repeated=False)
    return masks


def box_blur(values: Float32[np.ndarray, "*t h w"], radius: int) -> Float32[np.ndarray, "*t h w"]:
    """Mean over a square of side `2 radius + 1` pixels, edges repeated."""
    for axis in (-1, -2) if radius else ():
        values = _over_windows(np.add, values, radius, axis, repeated=True)
        values *= np.float32(1 / (2 * radius + 1))
    return values


def _over_windows(
    operation: np.ufunc,
    values: Shaped[np.ndarray, "*t h w"],
    radius: int,
    axis: int,
    repeated: bool,
) -> Shaped[np.ndarray, "*t h w"]:
    """An operation over the `2 radius + 1` entries around each, in windows of 1, 2, 4, 8 ... entries.

    Beyond the edge they are repeated, or there is nothing.
    """
    padding = [(radius, radius) if number == axis % values.ndim else (0, 0) for number in range(values.ndim)]
    windows = np.pad(values, padding, mode="edge" if repeated else "constant").swapaxes(axis, 0)
    count, done, width = values.shape[axis], 1, 2
    result = windows[:count]
    while width <= 2 * radius + 1:
        windows = operation(windows[: -width // 2], windows[width // 2 :])
        if (2 * radius + 1) & width:
            result = operation(result, windows[done : done + count])
            done += width
        width *= 2
    return result.swapaxes(0, axis)


def translate(picture: Shaped[np.ndarray, "h w *c"], shift: Float32[np.ndarray, "2"]) -> Shaped[np.ndarray, "h w *c"]:
    """Move by `shift`, (dy, dx) pixels, bilinear, edges repeated; keeps the dtype and, for whole shifts, the values."""
    for axis, distance in enumerate(shift):
        if distance == 0:
            continue
        whole = int(np.floor(distance))
        part = distance - whole
        size = picture.shape[axis]
        near = np.take(picture, np.clip(np.arange(size) - whole, 0, size - 1), axis=axis)
        if part == 0:
            picture = near
            continue
        far = np.take(picture, np.clip(np.arange(size) - whole - 1, 0, size - 1), axis=axis)
        mixed = (1 - part) * near.astype(np.float32) + part * far.astype(np.float32)
        picture = np.rint(mixed).astype(picture.dtype) if picture.dtype == np.uint8 else mixed.astype(picture.dtype)
    return picture


def warp(picture: Shaped[np.ndarray, "h w *c"], by: Warp) -> Shaped[np.ndarray, "h w *c"]:
    """Move by a homography, edges repeated; keeps the dtype: uint8 or float32, bilinear, or bool, nearest."""
    if not by[2:].any():
        return translate(picture, np.round(by[:2]) if picture.dtype == np.bool_ else by[:2])
    height, width = picture.shape[:2]
    back = unwarp(by)
    # perspective bends what lies between corners and middle, by at most half as much as it displaces them
    margin = 2 + int(1.5 * np.abs(displacements(back, height, width)).max())
    padded = np.pad(picture, [(margin, margin)] * 2 + [(0, 0)] * (picture.ndim - 2), mode="edge")
    # Pillow counts from the corner of a pixel, not from its middle, and right before down
    from_middle = np.array([[0, 1, -height / 2], [1, 0, -width / 2], [0, 0, 1]])
    to_corner = np.array([[0, 1, width / 2 + margin], [1, 0, height / 2 + margin], [0, 0, 1]])
    found = np.einsum("ij,jk,kl->il", to_corner, _matrix(back), from_middle)
    coefficients = (found / found[2, 2]).ravel()[:8].tolist()
    method = Image.Resampling.NEAREST if picture.dtype == np.bool_ else Image.Resampling.BILINEAR
    source = Image.fromarray(padded.view(np.uint8) if picture.dtype == np.bool_ else padded)
    moved = source.transform((width, height), Image.Transform.PERSPECTIVE, coefficients, method)
    return np.asarray(moved).view(picture.dtype)


def unwarp(by: Float32[Warp, "*t"]) -> Float32[Warp, "*t"]:
    """The homography that takes back another."""
    return _numbers(np.linalg.inv(_matrix(by)))


def rescaled(by: Warp, scale: float) -> Warp:
    """The same homography for a picture `scale` times as large."""
    return by * np.array([scale, scale, 1, 1, 1, 1, 1 / scale, 1 / scale], dtype=np.float32)


def destinations(
    by: Float32[Warp, "*t"], y: Float32[np.ndarray, "..."], x: Float32[np.ndarray, "..."]
) -> tuple[Float32[np.ndarray, "..."], Float32[np.ndarray, "..."]]:
    """Where what lies (y, x) pixels from the middle of the picture goes to, (down, right) pixels from it."""
    dy, dx, yy, yx, xy, xx, zy, zx = np.moveaxis(by, -1, 0)
    depth = 1 + zy * y + zx * x
    return (y + dy + yy * y + yx * x) / depth, (x + dx + xy * y + xx * x) / depth


def displacements(by: Float32[Warp, "*t"], height: int, width: int) -> Float32[np.ndarray, "*t 5 2"]:
    """How far a homography moves the corners and the middle of a picture, (down, right) pixels."""
    y = np.array([-1, -1, 1, 1, 0], dtype=np.float32) * np.float32(height / 2)
    x = np.array([-1, 1, -1, 1, 0], dtype=np.float32) * np.float32(width / 2)
    down, right = destinations(by[..., None, :], y, x)
    return np.stack([down - y, right - x], axis=-1)


def _matrix(by: Float32[Warp, "*t"]) -> Float64[np.ndarray, "*t 3 3"]:
    """Of (y, x, 1)."""
    dy, dx, yy, yx, xy, xx, zy, zx = np.moveaxis(by.astype(np.float64), -1, 0)
    one = np.ones_like(dy)
    return np.stack([one + yy, yx, dy, xy, one + xx, dx, zy, zx, one], axis=-1).reshape(*by.shape[:-1], 3, 3)


def _numbers(matrix: Float64[np.ndarray, "*t 3 3"]) -> Float32[Warp, "*t"]:
    rows = (matrix / matrix[..., 2:, 2:]).reshape(*matrix.shape[:-2], 9)
    a, b, dy, c, d, dx, zy, zx, _ = np.moveaxis(rows, -1, 0)
    return np.stack([dy, dx, a - 1, b, c, d - 1, zy, zx], axis=-1).astype(np.float32)


def is_blank(frame: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether a frame shows nothing: black, as of a camera that drops out, or white, as in a flash."""
    stride = max(1, frame.shape[0] // 60)
    seen = frame[::stride, ::stride]
    return bool(max((seen < BLACK).mean(), (seen > WHITE).mean()) > ALL)


def luma(frames: UInt8[np.ndarray, "*t h w 3"]) -> Float32[np.ndarray, "*t h w"]:
    """Rec. 601 luma, 0..255."""
    # no matrix product: its rounding depends on the number of threads
    red, green, blue = (frames[..., channel].astype(np.float32) for channel in range(3))
    return np.asarray(np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue)


def resize(
    picture: UInt8[np.ndarray, "h w 3"], height: int, width: int, quick: bool = False
) -> UInt8[np.ndarray, "H W 3"]:
    """Resample with antialiasing. `quick`: to a fraction of the size, by plain means as far as that goes."""
    if picture.shape[:2] == (height, width):
        return picture
    gap = 1.0 if quick else None
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS, reducing_gap=gap))


def reduced(picture: UInt8[np.ndarray, "H W *c"], factor: int) -> UInt8[np.ndarray, "h w *c"]:
    """Every pixel the rounded mean of `factor` x `factor`."""
    return np.asarray(Image.fromarray(picture).reduce(factor)) if factor > 1 else picture


def planes(picture: UInt8[np.ndarray, "H W 3"], reduction: int) -> Float32[np.ndarray, "3 h w"]:
    """The same, channels first."""
    return np.ascontiguousarray(np.moveaxis(reduced(picture, reduction), -1, 0), dtype=np.float32)
