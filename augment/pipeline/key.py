"""What networks that paint a plate are shown of an episode: a key frame, and where objects stand before and after."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from augment.images import exposed, grow, unwarp, warp
from augment.layers import Layers, StoredTrack
from augment.types import KeyFrame, Role
from robot_io.types import FrameSource

FOREGROUND = (Role.OBJECT, Role.ROBOT)
LOOKS = 24  # frames among which is chosen
ELSEWHERE = 0.5  # share of a thing, at least, that the key frame shows something else before

Mask = Bool[np.ndarray, "h w"]


def find_key(layers: Layers, frames: FrameSource) -> KeyFrame:
    """Of some frames the one in which robot and object, the smaller of both above all, cover most.

    Beside them, each object also stands where it does at first and in the end, so that what is painted has something
    for it to stand on there. Where that overlaps what the key frame shows, the key frame counts.
    """
    looks = np.unique(np.linspace(0, len(frames) - 1, LOOKS).round().astype(int)).tolist()
    key = max(looks, key=lambda index: _coverage(layers, index))
    kept = layers.keep((*FOREGROUND, Role.OTHER), key, key + 1)[0]
    picture, shown = _laid(layers, frames, key), _behind(layers, key, kept)
    for index, mask in _standing(layers, looks):
        more = mask & ~shown
        if more.sum() > ELSEWHERE * mask.sum():
            picture = np.where(more[..., None], _laid(layers, frames, index), picture)
            shown |= more
    return KeyFrame(picture, shown)


def _coverage(layers: Layers, index: int) -> float:
    masks = layers.masks(index, index + 1)
    areas = [float(masks[role].mean()) for role in FOREGROUND if role in masks]
    return float(np.prod(areas)) if areas else 0.0


def _standing(layers: Layers, looks: Sequence[int]) -> Iterator[tuple[int, Mask]]:
    """Every object when it is first and when it is last seen, on the plate; not what is only an outline."""
    for track in layers.tracks:
        if track.role == Role.OBJECT:
            seen = [index for index in looks if _solid(track, index)]
            for index in dict.fromkeys([*seen[:1], *seen[-1:]]):
                yield index, _behind(layers, index, track.read(index, index + 1)[0])


def _solid(track: StoredTrack, index: int) -> bool:
    """Whether it has an inside."""
    return not bool(grow(~track.read(index, index + 1)[0], 2).all())


def _behind(layers: Layers, index: int, mask: Mask) -> Mask:
    """A frame's mask, laid on the plate."""
    return np.asarray(warp(mask, unwarp(layers.warps[index])))


def _laid(layers: Layers, frames: FrameSource, index: int) -> UInt8[np.ndarray, "h w 3"]:
    """A frame, laid on the plate at its exposure."""
    frame = exposed(frames.read(index, index + 1).frames[0], 1 / np.maximum(layers.gains[index], np.float32(0.1)))
    return np.asarray(warp(frame, unwarp(layers.warps[index])))
