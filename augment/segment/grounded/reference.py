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
    """A Detector that knows some phrases by a picture, and asks another one for the others, by their words."""

    words: Detector
    matcher: Matcher
    references: Mapping[str, Float32[np.ndarray, " c"]]
    """By phrase, what its thing looks like; unit vectors."""
    likeness: float
    """Least cosine that counts."""

    @classmethod
    def of(cls, words: Detector, matcher: Matcher, files: Mapping[Prompt, Path], likeness: float) -> "Shown":
        """Raises RequestError where a file cannot be read as a picture."""
        crops = [_read(path) for path in files.values()]
        features = matcher.describe(crops)
        references = {prompt.phrase: feature for prompt, feature in zip(files, features, strict=True)}
        return cls(words, matcher, references, likeness)

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], phrases: Sequence[str]) -> list[Detections]:
        asked = [column for column, phrase in enumerate(phrases) if phrase not in self.references]
        nothing = Detections(np.zeros((0, 4), np.float32), np.zeros((0, 0), np.float32))
        named = self.words(pictures, [phrases[column] for column in asked]) if asked else [nothing] * len(pictures)
        return [
            self._with_shown(picture, found, asked, phrases) for picture, found in zip(pictures, named, strict=True)
        ]

    def _with_shown(
        self, picture: UInt8[np.ndarray, "h w 3"], named: Detections, asked: Sequence[int], phrases: Sequence[str]
    ) -> Detections:
        """Boxes of both kinds; those of a picture are scored by their likeness, for the one phrase that it shows."""
        scores = np.zeros((len(named.boxes), len(phrases)), np.float32)
        scores[:, asked] = named.scores
        boxes, all_scores = [named.boxes], [scores]
        features = self.matcher.dense(picture)
        for column, phrase in enumerate(phrases):
            if phrase in self.references:
                seen = best_boxes(features, self.references[phrase], *picture.shape[:2])
                alike = seen.scores[:, 0] >= self.likeness
                boxes.append(seen.boxes[alike])
                all_scores.append(np.zeros((int(alike.sum()), len(phrases)), np.float32))
                all_scores[-1][:, column] = seen.scores[alike, 0]
        return Detections(np.concatenate(boxes), np.concatenate(all_scores))


def _read(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise RequestError(f"{path} cannot be read as a picture: {error}") from error
