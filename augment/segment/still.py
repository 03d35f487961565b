"""What never moves by itself: where the scene has it, or where the camera takes it, when the camera sways."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from augment.images import Warp, greatest_displacement, is_blank, warp
from augment.types import Background, Role
from robot_io.types import FrameSource

SAMPLES = 8  # frames that tell what it looks like, and as many that tell where it goes
SHARE = 4  # one frame in so many counts as close to the plate, as many as far from it
FOREIGN = 40.0  # grey levels: differing by more says no more, as where something passes in front


@dataclass(frozen=True, eq=False)
class StillMask:
    """A MaskTrack of what never moves by itself."""

    mask: Bool[np.ndarray, "h w"]
    """On the plate."""
    warps: Float32[Warp, "t"]
    """How it lies in every frame: as the scene does; all 0 where it goes with the camera."""
    role: Role
    label: str
    confidence: float | None = None

    def __len__(self) -> int:
        return len(self.warps)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        masks = [warp(self.mask, by) for by in self.warps[start:stop]]
        return np.stack(masks) if masks else np.zeros((0, *self.mask.shape), np.bool_)


def keep_still(
    mask: Bool[np.ndarray, "h w"], frames: FrameSource, background: Background, role: Role, label: str
) -> StillMask:
    """The track of a thing that was found or painted once; how it goes is decided by the frames, and in the label.

    Raises EpisodeError where frames cannot be read.
    """
    warps = background.warps
    if not warps.any():
        return StillMask(mask, warps, role, label)
    if role not in (Role.GOAL, Role.SUPPORT) and goes_with_camera(mask, frames, background):
        return StillMask(mask, np.zeros_like(warps), role, f"{label}, goes with the camera")
    return StillMask(mask, warps, role, f"{label}, goes with the scene")


def goes_with_camera(mask: Bool[np.ndarray, "h w"], frames: FrameSource, background: Background) -> bool:
    """Whether a thing stays where it is in the picture while the scene sways, as a humanoid's arm at rest does.

    Frames that lie close to the plate tell what it looks like; those that lie far from it differ less from that
    either where it was, or where the scene has moved to. Alike where nothing tells: then it goes with the scene.
    """
    order = np.argsort(greatest_displacement(background.warps, frames.height, frames.width), kind="stable")
    share = max(1, len(order) // SHARE)
    close = [picture for picture, _ in _pictures(frames, background, order[:share])]
    if not close or not mask.any():
        return False
    reference = np.clip(np.median(close, axis=0), 0, 255).astype(np.uint8)
    put = moved = 0.0
    for picture, by in _pictures(frames, background, order[-share:]):
        area = mask | warp(mask, by)
        put += _difference(picture, reference, area)
        moved += _difference(picture, warp(reference, by), area)
    return put < moved


def _pictures(
    frames: FrameSource, background: Background, indices: Int[np.ndarray, " n"]
) -> Iterator[tuple[Float32[np.ndarray, "h w 3"], Warp]]:
    """Some of these frames at the plate's exposure, and how the scene lies in them."""
    places = np.linspace(0, len(indices) - 1, min(SAMPLES, len(indices))).astype(int)
    for index in np.sort(indices)[places].tolist():
        frame = frames.read(index, index + 1).frames[0]
        if not is_blank(frame):
            yield frame / background.gains[index], background.warps[index]


def _difference(
    seen: Float32[np.ndarray, "h w 3"], expected: UInt8[np.ndarray, "h w 3"], area: Bool[np.ndarray, "h w"]
) -> float:
    """Mean over an area, grey levels."""
    return float(np.minimum(np.abs(seen[area] - expected[area]).max(axis=-1), FOREIGN).mean())
