"""Array operations on pictures and masks that more than one step needs."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped, UInt8, UInt16
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


def exposed(picture: UInt8[np.ndarray, "h w 3"], gain: Float32[np.ndarray, "3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Every channel times its gain, rounded, at most 255."""
    if (gain == 1).all():
        return picture
    levels = np.minimum(np.arange(256) * gain[:, None] + np.float32(0.5), 255).astype(np.uint8)
    return np.asarray(Image.fromarray(picture).point(levels.ravel().tolist()))


def grow(values: Shaped[np.ndarray, "*t h w"], radius: int) -> Shaped[np.ndarray, "*t h w"]:
    """Dilate masks, or values of at least 0, by a square of side `2 radius + 1` pixels."""
    greatest = np.bitwise_or if values.dtype == np.bool_ else np.maximum
    return _over_squares(greatest, values, radius, repeated=False) if radius else values


def box_blur(values: Float32[np.ndarray, "*t h w"], radius: int) -> Float32[np.ndarray, "*t h w"]:
    """Mean over a square of side `2 radius + 1` pixels, edges repeated."""
    return box_sum(values, radius) * np.float32((2 * radius + 1) ** -2)


def box_sum(values: Shaped[np.ndarray, "*t h w"], radius: int) -> Shaped[np.ndarray, "*t h w"]:
    """Likewise the sum; keeps the dtype, which has to hold it."""
    return _over_squares(np.add, values, radius, repeated=True) if radius else values


def _over_squares(
    operation: np.ufunc, values: Shaped[np.ndarray, "*t h w"], radius: int, repeated: bool
) -> Shaped[np.ndarray, "*t h w"]:
    """An operation over the square of side `2 radius + 1` around each entry; beyond the edge it is repeated, or 0.

    With its margin, a stack of pictures is one long row, in which what lies below is a picture's width further on.
    """
    height, width = values.shape[-2:]
    padded = np.zeros((*values.shape[:-2], height + 2 * radius, width + 2 * radius), values.dtype)
    rows, columns = slice(radius, radius + height), slice(radius, radius + width)
    padded[..., rows, columns] = values
    if repeated:
        padded[..., rows, :radius], padded[..., rows, columns.stop :] = values[..., :1], values[..., -1:]
        padded[..., :radius, :] = padded[..., radius : radius + 1, :]
        padded[..., rows.stop :, :] = padded[..., rows.stop - 1 : rows.stop, :]
    found = _over_windows(operation, padded.ravel(), 2 * radius + 1, 1)
    found = _over_windows(operation, found, 2 * radius + 1, padded.shape[-1])
    return found.reshape(padded.shape)[..., :height, :width]


def _over_windows(
    operation: np.ufunc, values: Shaped[np.ndarray, " n"], count: int, apart: int
) -> Shaped[np.ndarray, " n"]:
    """An operation over `count` entries, so far apart, from each on; in windows of 1, 2, 4, 8 ... of them.

    The last entries, with fewer than that behind them, mean nothing.
    """
    windows, found, done, width = values, values.copy(), 1, 2
    whole = found[: len(values) - (count - 1) * apart]
    while width <= count:
        windows = operation(windows[: -width // 2 * apart], windows[width // 2 * apart :])
        if count & width:
            operation(whole, windows[done * apart :][: len(whole)], out=whole)
            done += width
        width *= 2
    return found


def translate(picture: Shaped[np.ndarray, "h w *c"], shift: Float32[np.ndarray, "2"]) -> Shaped[np.ndarray, "h w *c"]:
    """Move by `shift`, (dy, dx) pixels, bilinear, edges repeated; keeps the dtype and, for whole shifts, the values."""
    for axis, distance in enumerate(shift):
        if distance == 0:
            continue
        whole = int(np.floor(distance))
        part = distance - whole
        size = picture.shape[axis]
        near = np.take(picture, np.clip(np.arange(size) - whole, 0, size - 1), axis=axis) if whole else picture
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


def colours(
    picture: UInt8[np.ndarray, "h w 3"], where: Int64[np.ndarray, " n"], by: Warp | None = None
) -> Float32[np.ndarray, "3 n"]:
    """Of some pixels, given by their flat indices; of the picture that `warp` has moved, but not rounded."""
    if by is None or not by.any():
        return np.asarray(picture.reshape(-1, 3).take(where, axis=0).T, dtype=np.float32, order="C")
    height, width = picture.shape[:2]
    points = carried(np.stack(np.divmod(where, width)).astype(np.float32), unwarp(by), height, width)
    points = np.clip(points, 0, np.array([[height - 1], [width - 1]], dtype=np.float32))
    corners = np.minimum(points.astype(np.int64), np.array([[height - 2], [width - 2]]))
    down, across = (points - corners).astype(np.float32)
    first = corners[0] * width + corners[1]
    upper, lower = (
        (1 - across) * colours(picture, row) + across * colours(picture, row + 1) for row in (first, first + width)
    )
    return np.asarray((1 - down) * upper + down * lower)


def carried(points: Float32[np.ndarray, "2 n"], by: Warp, height: int, width: int) -> Float32[np.ndarray, "2 n"]:
    """Where a homography moves points of a picture, rows and columns."""
    middle = np.array([[(height - 1) / 2], [(width - 1) / 2]], dtype=np.float32)
    return np.stack(destinations(by, *(points - middle))) + middle


def unwarp(by: Float32[Warp, "*t"]) -> Float32[Warp, "*t"]:
    """The homography that takes back another."""
    if not by[..., 2:].any():  # a shift
        return -by
    return _numbers(np.linalg.inv(_matrix(by)))


def rescaled(by: Float32[Warp, "*t"], scale: float) -> Float32[Warp, "*t"]:
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


def greatest_displacement(by: Float32[Warp, "*t"], height: int, width: int) -> Float32[np.ndarray, "*t"]:
    """How far a homography moves the corner or middle of a picture that it moves most, pixels along an axis."""
    return np.asarray(np.abs(displacements(by, height, width)).max(axis=(-2, -1)))


def bounds(mask: Bool[np.ndarray, "h w"], margin: int) -> tuple[slice, slice]:
    """The rectangle around a mask that is not empty, with a margin."""
    return around(np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0)), margin)


def around(rows: Int64[np.ndarray, " n"], columns: Int64[np.ndarray, " m"], margin: int) -> tuple[slice, slice]:
    """The rectangle around some rows and columns, at least one of each, with a margin."""
    first, last = (slice(max(0, int(at.min()) - margin), int(at.max()) + margin + 1) for at in (rows, columns))
    return first, last


def is_blank(frame: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether a frame shows nothing: black, as of a camera that drops out, or white, as in a flash."""
    stride = max(1, frame.shape[0] // 60)
    seen = frame[::stride, ::stride].ravel()
    return bool(max(np.count_nonzero(seen < BLACK), np.count_nonzero(seen > WHITE)) > ALL * seen.size)


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
    """Every pixel the rounded mean of `factor` x `factor`, edges repeated."""
    if factor == 1:
        return picture
    height, width = (-(-size // factor) for size in picture.shape[:2])
    small = np.empty((height, width, *picture.shape[2:]), dtype=np.uint8)
    _reduce(picture, factor, np.moveaxis(small.reshape(height, width, -1), -1, 0))
    return small


def halved(values: Float32[np.ndarray, "*t H W"]) -> Float32[np.ndarray, "*t h w"]:
    """Means of 2 x 2 pixels, edges repeated."""
    odd = [(0, 0)] * (values.ndim - 2) + [(0, size % 2) for size in values.shape[-2:]]
    values = np.pad(values, odd, mode="edge") if values.shape[-2] % 2 or values.shape[-1] % 2 else values
    rows = values[..., ::2, :] + values[..., 1::2, :]
    return np.asarray((rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25))


def interpolated(picture: UInt8[np.ndarray, "h w"], factor: int) -> UInt8[np.ndarray, "H W"]:
    """Every pixel as `factor` x `factor`, bilinear, edges repeated."""
    height, width = picture.shape
    values = np.pad(picture, 1, mode="edge").astype(np.uint16)
    wide = np.empty((height + 2, factor * width), dtype=np.uint16)
    large = np.empty((factor * height, factor * width), dtype=np.uint8)
    for part in range(factor):
        wide[:, part::factor] = _part(part, factor, values[:, :-2], values[:, 1:-1], values[:, 2:])
    for part in range(factor):
        large[part::factor] = _part(part, factor, wide[:-2], wide[1:-1], wide[2:])
    return large


def _part(
    part: int,
    parts: int,
    before: UInt16[np.ndarray, "h w"],
    here: UInt16[np.ndarray, "h w"],
    after: UInt16[np.ndarray, "h w"],
) -> UInt16[np.ndarray, "h w"]:
    """One of the parts into which pixels are divided along an axis: a mean with the neighbour to which it is closer."""
    aside = 2 * part + 1 - parts  # of the pixel's middle, in halves of a part
    beside = before if aside < 0 else after
    mixed = here * np.uint16(2 * parts - abs(aside)) + beside * np.uint16(abs(aside))
    return np.asarray((mixed + np.uint16(parts)) // np.uint16(2 * parts))


def enlarged(masks: Bool[np.ndarray, "t h w"], factor: int, height: int, width: int) -> Bool[np.ndarray, "t H W"]:
    """Every pixel as `factor` x `factor`, cut to a size."""
    count, rows, columns = masks.shape
    blocks = np.broadcast_to(masks[:, :, None, :, None], (count, rows, factor, columns, factor))
    return blocks.reshape(count, factor * rows, factor * columns)[:, :height, :width]


def planes(picture: UInt8[np.ndarray, "H W 3"], reduction: int = 1) -> Float32[np.ndarray, "3 h w"]:
    """`reduced` as float32, in memory one channel after the other: arithmetic on it is much faster."""
    floats = np.empty((3, *(-(-size // reduction) for size in picture.shape[:2])), dtype=np.float32)
    _reduce(picture, reduction, floats)
    return floats


def _reduce(picture: UInt8[np.ndarray, "H W *c"], factor: int, into: Shaped[np.ndarray, "channels h w"]) -> None:
    """Every pixel of every channel the rounded mean of `factor` x `factor`, edges repeated."""
    picture = picture.reshape(*picture.shape[:2], -1)
    if factor == 1:
        into[:] = np.moveaxis(picture, -1, 0)
        return
    beyond = (0, -picture.shape[0] % factor), (0, -picture.shape[1] % factor), (0, 0)
    picture = np.pad(picture, beyond, mode="edge") if np.any(beyond) else picture
    number = np.min_scalar_type(256 * factor**2).type  # the smallest that holds every sum
    rows = np.add(picture[::factor], picture[1::factor], dtype=number)
    for down in range(2, factor):
        rows += picture[down::factor]
    for channel, values in zip(into, np.moveaxis(rows, -1, 0), strict=True):
        total = values[:, ::factor] + values[:, 1::factor]
        for right in range(2, factor):
            total += values[:, right::factor]
        channel[:] = (total + number(factor**2 // 2)) // number(factor**2)


def shares(mask: Bool[np.ndarray, "H W"], reduction: int) -> UInt8[np.ndarray, "h w"]:
    """How much of every reduced pixel is set, 0..255; not 0 where any of it is."""
    return reduced(mask.view(np.uint8) * np.uint8(255), reduction)
