"""The user's own pictures as new surroundings, behind a support."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, UnidentifiedImageError

from augment.errors import RequestError
from augment.generate.base import Generator
from augment.generate.canvas import open_canvas, shown_support
from augment.generate.edge import check_edge
from augment.generate.materials import FAMILIES, check_families, draw_light, draw_material
from augment.types import Deals, SceneView

ZOOM = 2.5
EYE_LEVEL = (0.35, 0.6)  # of a photo's height: between them lies the middle of what is seen of it
MIDDLE = 0.5  # brightness of a photo that the support need not follow
LEVELS = (0.65, 1.1)
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Photo(Generator):
    """Behind the far edge of the support an upright crop, perhaps mirrored, of a picture from a folder; before it a
    procedural support. Where no edge is known the crop fills the plate."""

    path: str
    """Folder of pictures."""
    zoom: float = 1.6
    """Tightest crop, at most 2.5: the largest one that fits has zoom 1."""
    families: tuple[str, ...] = tuple(FAMILIES)
    """Kinds of material to choose from for the support."""
    saturation: float = 0.6
    """Strongest colours of the support, 0 (greys) to 1."""
    edge: tuple[float, ...] = ()
    """Two or three points x, y along the far edge of the support, as fractions of width and height, from left to right;
    used where no support region is known. Empty: detected."""

    def draw(self, rng: np.random.Generator, deal: Deals) -> dict[str, Any]:
        return {
            "photo": deal("photo", sorted(self._digests)),
            "zoom": round(float(rng.uniform(1, self.zoom)), 4),
            "x": round(float(rng.uniform()), 4),
            "y": round(float(rng.uniform()), 4),
            "mirrored": bool(rng.integers(2)),
            "support": draw_material(rng, deal, "support", self.families, self.saturation),
            "light": draw_light(rng),
            "gap": round(float(rng.uniform(0.5, 2.5)), 4),
            "blur": round(float(rng.uniform(0.001, 0.004)), 5),
        }

    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        canvas = open_canvas(scene, self.edge, choices["gap"])
        if not canvas.room.edge.known:
            return self._crop(choices, scene.height, scene.width, scene.height)
        height, width = canvas.x.shape
        rows = int(np.flatnonzero(canvas.backdrop.any(axis=1))[-1]) + 1
        backdrop = np.zeros((height, width, 3), dtype=np.uint8)
        backdrop[:rows] = self._crop(choices, height, width, rows)
        bright = float(np.clip(backdrop[:rows].mean() / 255 / MIDDLE, *LEVELS))
        support = dict(choices["support"])
        support["colours"] = [[channel * bright for channel in colour] for colour in support["colours"]]
        return canvas.finish(canvas.blurred(backdrop, choices["blur"]), support, choices["light"])

    def support(self, scene: SceneView) -> Bool[np.ndarray, "h w"] | None:
        edge, support = shown_support(scene, self.edge)
        return support if edge.known else None

    def _crop(self, choices: Mapping[str, Any], height: int, width: int, rows: int) -> UInt8[np.ndarray, "rows w 3"]:
        """The upper `rows` of a plate that the photo fills, moved so that they show the photo's eye level."""
        with Image.open(Path(self.path) / choices["photo"]) as image:
            photo = image.convert("RGB")
        scale = min(photo.width / width, photo.height / height) / choices["zoom"]
        left = choices["x"] * (photo.width - scale * width)
        first, last = (
            np.clip(at * photo.height - scale * rows / 2, 0, photo.height - scale * rows) for at in EYE_LEVEL
        )
        top = float(first + choices["y"] * (last - first))
        box = (left, top, left + scale * width, min(top + scale * rows, photo.height))
        crop = np.asarray(photo.resize((width, rows), Image.Resampling.LANCZOS, box=box))
        return np.ascontiguousarray(crop[:, ::-1] if choices["mirrored"] else crop)

    def identity(self) -> dict[str, Any]:
        return super().identity() | {"photos": self._digests}

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
        if not 1 <= self.zoom <= ZOOM:
            raise RequestError(
                f"zoom={self.zoom}; from 1, the whole picture, to {ZOOM}, where its perspective looks wrong"
            )
        check_families(self.families)
        check_edge(self.edge)

    @cached_property
    def _digests(self) -> dict[str, str]:
        """File name -> digest of its content."""
        return {
            file.name: blake2b(file.read_bytes(), digest_size=8).hexdigest()
            for file in sorted(Path(self.path).iterdir())
            if file.suffix.lower() in SUFFIXES
        }
