"""Where a camera shows what is sought: looked for once a process, however many variants are made."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from augment.errors import UnseenError
from augment.layers import Layers
from augment.pngs import encode
from augment.types import Seeks, Stability
from robot_io.types import FrameSource

AT_ONCE = 8  # frames
REMEMBERED = 256  # cameras of episodes

Picture = UInt8[np.ndarray, "h w 3"]
_known: dict[tuple[Seeks, str], tuple[bytes, ...]] = {}


def find(seek: Seeks, layers: Layers, frames: FrameSource) -> tuple[bytes, ...]:
    """Masks as PNGs, which are small: of the clean plate, or of every frame of a camera that moves.

    Raises UnseenError where nothing is found in any.
    """
    key = (seek, layers.digest)
    masks = _known.get(key)
    if masks is None:
        masks = _look(seek, layers, frames)
        if len(_known) >= REMEMBERED:
            _known.clear()
        _known[key] = masks
    if not masks:
        raise UnseenError(_absence(seek.phrase, layers))
    return masks


def _look(seek: Seeks, layers: Layers, frames: FrameSource) -> tuple[bytes, ...]:
    """None at all where all would be empty."""
    masks, seen = [], False
    for pictures in _pictures(layers, frames):
        for mask in seek(pictures):
            masks.append(encode(mask))
            seen |= bool(mask.any())
    return tuple(masks) if seen else ()


def _pictures(layers: Layers, frames: FrameSource) -> Iterator[list[Picture]]:
    if layers.stability != Stability.MOVING:
        yield [layers.plate]
        return
    for start in range(0, len(frames), AT_ONCE):
        yield list(frames.read(start, start + AT_ONCE).frames)


def _absence(phrase: str, layers: Layers) -> str:
    if layers.stability == Stability.MOVING:
        return f"region {phrase!r} is found in no frame; say it otherwise, as one would name a thing"
    return (
        f"region {phrase!r} is found nowhere on the clean plate; say it otherwise, as one would name a thing, or paint "
        f"it as {layers.camera}.other.png (segment.keep_always) and choose region=other"
    )
