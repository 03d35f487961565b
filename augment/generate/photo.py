"""The user's own pictures as new surroundings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from augment.errors import RequestError
from augment.generate.base import Generator
from augment.types import SceneView

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Photo(Generator):
    """A random crop, perhaps mirrored, of a random picture from a folder."""

    path: str
    """Folder of pictures."""
    zoom: float = 1.6
    """Tightest crop: the largest one that fits has zoom 1."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        names = sorted(self._digests)
        return {
            "photo": names[int(rng.integers(len(names)))],
            "zoom": round(float(rng.uniform(1, self.zoom)), 4),
            "x": round(float(rng.uniform()), 4),
            "y": round(float(rng.uniform()), 4),
            "mirrored": bool(rng.integers(2)),
        }

    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        with Image.open(Path(self.path) / choices["photo"]) as image:
            photo = image.convert("RGB")
        scale = min(photo.width / scene.width, photo.height / scene.height) / choices["zoom"]
        width, height = scale * scene.width, scale * scene.height
        left, top = choices["x"] * (photo.width - width), choices["y"] * (photo.height - height)
        crop = photo.resize(
            (scene.width, scene.height), Image.Resampling.LANCZOS, box=(left, top, left + width, top + height)
        )
        pixels = np.asarray(crop)
        return np.ascontiguousarray(pixels[:, ::-1] if choices["mirrored"] else pixels)

    def identity(self) -> dict[str, Any]:
        return {"photos": self._digests}

    def check(self) -> None:
        folder = Path(self.path)
        if not folder.is_dir():
            raise RequestError(
                f"photo path={self.path} is not a folder; name one with pictures ({', '.join(SUFFIXES)})"
            )
        if not self._digests:
            raise RequestError(f"photo path={self.path} holds no picture ({', '.join(SUFFIXES)})")
        for name in self._digests:
            try:
                with Image.open(folder / name) as image:
                    image.verify()
            except (UnidentifiedImageError, OSError, SyntaxError) as error:
                raise RequestError(f"{folder / name} cannot be read as a picture: {error}; remove it") from error
        if self.zoom < 1:
            raise RequestError(f"zoom={self.zoom}; at least 1, the whole picture")

    @cached_property
    def _digests(self) -> dict[str, str]:
        """File name -> digest of its content."""
        return {
            file.name: blake2b(file.read_bytes(), digest_size=8).hexdigest()
            for file in sorted(Path(self.path).iterdir())
            if file.suffix.lower() in SUFFIXES
        }
