"""Things that a person shows once, where words fail: their features are looked for in every frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, UnidentifiedImageError

from augment.errors import RequestError
from augment.models.base import Detections, Detector, Matcher
from augment.models.matching import best_boxes
from augment.segment.grounded.prompts import Prompt
from augment.types import Role


def reference_files(folder: str | None) -> dict[Prompt, Path]:
    """Crops of things in a folder, `<role>.png` or `<role>.<phrase>.png`, by what they show.

    Raises RequestError for a picture whose name begins with no role.
    """
    if folder is None:
        return {}
    found = {}
    for path in sorted(Path(folder).glob("*.png")):
        role, _, phrase = path.stem.partition(".")
        if role not in set(Role):
            raise RequestError(f"{path} is of no role; name it <role>.<phrase>.png, roles: {', '.join(Role)}")
        found[Prompt(Role(role), phrase or role)] = path
    return found


@dataclass(frozen=True, eq=False)
class Shown:
    """A Detector that knows some phrases by a picture, besides what another one finds by their words."""

    words: Detector
    matcher: Matcher
    references: Mapping[str, Float32[np.ndarray, " c"]]
    """By phrase, what its thing looks like; unit vectors."""

    @classmethod
    def of(cls, words: Detector, matcher: Matcher, files: Mapping[Prompt, Path]) -> "Shown":
        """Raises RequestError where a file cannot be read as a picture."""
        crops = [_read(path) for path in files.values()]
        features = matcher.describe(crops)
        return cls(words, matcher, {prompt.phrase: feature for prompt, feature in zip(files, features, strict=True)})

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], phrases: Sequence[str]) -> list[Detections]:
        found = self.words(pictures, phrases)
        return [self._with_shown(picture, named, phrases) for picture, named in zip(pictures, found, strict=True)]

    def _with_shown(self, picture: UInt8[np.ndarray, "h w 3"], named: Detections, phrases: Sequence[str]) -> Detections:
        """More boxes, scored by their likeness for the one phrase that they were looked for."""
        features = self.matcher.dense(picture)
        boxes, scores = [named.boxes], [named.scores]
        for column, phrase in enumerate(phrases):
            if phrase in self.references:
                seen = best_boxes(features, self.references[phrase], *picture.shape[:2])
                boxes.append(seen.boxes)
                scores.append(np.zeros((len(seen.boxes), len(phrases)), np.float32))
                scores[-1][:, column] = seen.scores[:, 0]
        return Detections(np.concatenate(boxes), np.concatenate(scores))


def _read(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise RequestError(f"{path} cannot be read as a picture: {error}") from error
