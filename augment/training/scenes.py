"""Pictures of whole scenes in words, for training generators: what stays, and what the rest is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor
from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from augment.errors import RequestError
from augment.training.examples import cropped
from robot_io.types import Episode, Role

FOREGROUND = (Role.ROBOT, Role.OBJECT)
MEMORY = 2 << 30  # bytes of pictures that are kept
NEAREST = 0.62  # share of the picture's side that a crop has at least
STANDING = 0.4  # share of crops in which the support stays as well, where it is known
HOLE = (0.2, 0.7)  # of the sides of a crop without foreground: what of it is to be painted, all but that stays
FEW = 3  # names in a message


@dataclass(frozen=True, eq=False)
class CaptionedScene:
    """One picture, what of it is foreground, and what it shows in words. Raises RequestError if sizes differ."""

    picture: UInt8[np.ndarray, "_ _ 3"]
    keep: Bool[np.ndarray, "_ _"]
    """Robot and manipulated object; nothing, of an empty scene."""
    caption: str
    support: Bool[np.ndarray, "_ _"] | None = None
    """Where the support is seen, if that is known."""

    def __post_init__(self) -> None:
        if self.picture.shape[:2] != self.keep.shape:
            (height, width), (rows, columns) = self.picture.shape[:2], self.keep.shape
            raise RequestError(
                f"a picture of {height}x{width} pixels with a mask of {rows}x{columns} ({self.caption!r}); a mask has "
                "its picture's size"
            )


class Scenes:
    """Pictures with captions, in random batches that a number decides."""

    def __init__(
        self, count: int, read: Callable[[int], CaptionedScene], captions: Sequence[str], identity: str = ""
    ) -> None:
        """`read` gives one of `count` pictures, at least 1, by number; `captions`: all that there are; `identity`: of
        all this. The first is read at once."""
        self.captions = sorted(set(captions))
        self.identity = identity
        """Tells one set of pictures from another."""
        self._count = count
        self._read = lru_cache(max(1, MEMORY // read(0).picture.nbytes))(read)

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
            picture = episode.cameras[camera].read(frame, frame + 1).frames[0]
            keep, support = np.zeros((2, *picture.shape[:2]), dtype=np.bool_)
            for track in episode.masks[camera]:
                if track.role in FOREGROUND:
                    keep |= track.read(frame, frame + 1)[0]
                elif track.role == Role.SUPPORT:
                    support |= track.read(frame, frame + 1)[0]
            return CaptionedScene(picture, keep, captions[name], support)

        identity = xxh3_128_hexdigest(repr([shots, dict(captions)]).encode())
        return cls(len(shots), read, list(captions.values()), identity)

    def and_also(self, others: "Scenes") -> "Scenes":
        """These, then the others."""

        def read(number: int) -> CaptionedScene:
            return self[number] if number < len(self) else others[number - len(self)]

        captions = [*self.captions, *others.captions]
        return Scenes(len(self) + len(others), read, captions, f"{self.identity} {others.identity}")

    def batch(self, count: int, size: int, rng: np.random.Generator) -> list[CaptionedScene]:
        """`count` crops of `size` x `size` pixels."""
        return [crop(self[int(rng.integers(len(self)))], size, rng) for _ in range(count)]


def hold_out(names: Sequence[str], share: float) -> tuple[list[str], list[str]]:
    """Names to learn from, and those held out: at least one each, the same whatever else there is.

    Raises RequestError where that cannot be.
    """
    count = max(1, round(share * len(names)))
    if not 0 < share < 1 or count >= len(names):
        raise RequestError(
            f"held_out={share} of {len(names)} episodes or pictures; it must be above 0 and below 1, and leave at "
            "least one to learn from and one to hold out"
        )
    held = set(sorted(names, key=lambda name: xxh3_64_intdigest(name.encode()))[:count])
    return [name for name in names if name not in held], [name for name in names if name in held]


def caption_episodes(names: Mapping[str, str], captions: Mapping[str, str]) -> dict[str, str]:
    """Caption by episode id. `names`: of the episodes, by id; `captions`: by id or by name.

    Raises RequestError where an episode has none.
    """
    found = {id: captions.get(id, captions.get(name, "")) for id, name in names.items()}
    without = [names[id] for id, caption in found.items() if not caption.strip()]
    if without:
        raise RequestError(
            f"{len(without)} of {len(names)} episodes have no caption ({', '.join(without[:FEW])}); captions.path is a "
            'JSON file {"episode": "what its scene shows"}, with an entry for each'
        )
    return found


def crop(scene: CaptionedScene, size: int, rng: np.random.Generator) -> CaptionedScene:
    """A square part, perhaps mirrored, so that no place in the picture means anything by itself.

    Of some, the support is kept besides the foreground; of an empty scene all but a hole, or nothing.
    """
    height, width = scene.picture.shape[:2]
    side = min(height, width) * rng.uniform(NEAREST, 1)
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    box, mirrored = (left, top, left + side, top + side), bool(rng.random() < 0.5)
    picture = cropped(scene.picture, box, size, mirrored)
    if not scene.keep.any():
        return CaptionedScene(picture, ~_hole(size, rng), scene.caption)
    standing = scene.support is not None and rng.random() < STANDING
    keep = scene.keep | scene.support if standing else scene.keep
    return CaptionedScene(picture, cropped(keep.astype(np.uint8) * 255, box, size, mirrored) > 127, scene.caption)


def _hole(size: int, rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """An ellipse somewhere; all, of one in three."""
    if rng.random() < 1 / 3:
        return np.ones((size, size), dtype=np.bool_)
    height, width = size * rng.uniform(*HOLE, 2) / 2
    row, column = rng.uniform(0, size, 2)
    rows, columns = np.mgrid[:size, :size]
    return np.asarray(((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1)


def as_tensor(pictures: Sequence[UInt8[np.ndarray, "h w 3"]], device: torch.device) -> Tensor:
    """Pictures of one size as generators take them: float32 `(n, 3, h, w)`, -1..1."""
    return torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def as_masks(keep: Sequence[Bool[np.ndarray, "h w"]], device: torch.device) -> Float32[Tensor, "n 1 h w"]:
    """Masks as generators take them: 1 = keep."""
    return torch.from_numpy(np.stack(keep)).to(device)[:, None].float()
