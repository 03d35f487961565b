"""Pictures of whole scenes in words, for training generators: what stays, and what the rest is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from augment.errors import RequestError
from augment.training.examples import cropped
from robot_io.types import Episode, Role

FOREGROUND = (Role.ROBOT, Role.OBJECT)
HELD = 20000  # pictures in memory
NEAREST = 0.62  # share of the picture's side that a crop has at least


@dataclass(frozen=True, eq=False)
class CaptionedScene:
    """One picture, what of it is foreground, and what it shows in words."""

    picture: UInt8[np.ndarray, "h w 3"]
    keep: Bool[np.ndarray, "h w"]
    """Robot and manipulated object."""
    caption: str


class Scenes:
    """Pictures with captions, in random batches that a number decides."""

    def __init__(self, count: int, read: Callable[[int], CaptionedScene], captions: Sequence[str]) -> None:
        """`read` gives one of `count` pictures by number; `captions`: all that there are."""
        self.captions = sorted(set(captions))
        self._count = count
        self._read = lru_cache(HELD)(read)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> CaptionedScene:
        return self._read(number)

    @classmethod
    def of_episodes(
        cls, open_episode: Callable[[str], Episode], captions: Mapping[str, str], cameras: Sequence[str]
    ) -> "Scenes":
        """All frames of some episodes. `captions`: by episode id; `cameras`: those of them that have masks are used.

        Raises EpisodeError where an episode cannot be opened, RequestError where none has masks.
        """
        opened = lru_cache(1)(open_episode)
        shots = [
            (name, camera, frame)
            for name in captions
            for camera in sorted(set(cameras) & set(opened(name).masks))
            for frame in range(opened(name).length)
        ]
        if not shots:
            raise RequestError(f"no episode has masks of the cameras {', '.join(cameras)}; set cameras=[...]")

        def read(number: int) -> CaptionedScene:
            name, camera, frame = shots[number]
            episode = opened(name)
            masks = [track.read(frame, frame + 1)[0] for track in episode.masks[camera] if track.role in FOREGROUND]
            picture = episode.cameras[camera].read(frame, frame + 1).frames[0]
            nothing = np.zeros(picture.shape[:2], dtype=np.bool_)
            return CaptionedScene(picture, np.logical_or.reduce([nothing, *masks]), captions[name])

        return cls(len(shots), read, list(captions.values()))

    def batch(self, count: int, size: int, rng: np.random.Generator) -> list[CaptionedScene]:
        """`count` crops of `size` x `size` pixels."""
        return [crop(self[int(rng.integers(len(self)))], size, rng) for _ in range(count)]


def crop(scene: CaptionedScene, size: int, rng: np.random.Generator) -> CaptionedScene:
    """A square part, perhaps mirrored, so that no place in the picture means anything by itself."""
    height, width = scene.picture.shape[:2]
    side = min(height, width) * rng.uniform(NEAREST, 1)
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    box, mirrored = (left, top, left + side, top + side), bool(rng.random() < 0.5)
    picture = cropped(scene.picture, box, size, mirrored)
    keep = cropped(scene.keep.astype(np.uint8) * 255, box, size, mirrored) > 127
    return CaptionedScene(picture, keep, scene.caption)


def as_tensor(pictures: Sequence[UInt8[np.ndarray, "h w 3"]], device: torch.device) -> Tensor:
    """Pictures of one size as generators take them: float32 `(n, 3, h, w)`, -1..1."""
    return torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def as_masks(keep: Sequence[Bool[np.ndarray, "h w"]], device: torch.device) -> Float32[Tensor, "n 1 h w"]:
    """Masks as generators take them: 1 = keep."""
    return torch.from_numpy(np.stack(keep)).to(device)[:, None].float()
