"""Edits of a region by words, the rest untouched: Blended Diffusion (Avrahami et al. 2022), of pixels or latents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from augment.errors import RequestError
from augment.generate.painted import RANKING, Mask, Painted, Picture, Shot, softened
from augment.images import grow, pixels
from augment.models.doors import open_pixel_painter
from augment.models.finding import Sought
from augment.models.painting.base import Canvas, Painter, Sampler, Sampling, Start, Steering
from augment.models.places import content_of
from augment.types import Role, SceneView, Seeks

LATENT, PIXEL = "latent", "pixel"
SURROUNDINGS = "surroundings"
STANDING = (Role.SUPPORT, Role.GOAL, Role.OTHER)
"""Roles that do not move, and can be edited."""
KNOWN = (SURROUNDINGS, *STANDING)
"""Regions that are not looked for by their words."""
NEAR = 0.8  # likeness, 0..1, from which a word is taken for a known one, misspelt
HALF = 127  # of 255: what is drawn more opaquely counts
THIN = 0.04  # of the height: a region that is nowhere wider is thin


@dataclass(frozen=True)
class Blended(Painted):
    """A region painted anew by words, blended with the rest at every noise level."""

    region: str = Role.SUPPORT
    """What is edited: a role such as `support`, `surroundings` (all that no role holds), or words for what the pack's
    detector and segmenter find."""
    level: float = 0.75
    """Share of the noise levels from which it is painted: less stays closer to what was there."""
    soft: float = 0.0
    """Width of the transition at the region's border, inside of it; fraction of the height."""
    candidates: int = 4
    """Pictures among which the best is chosen."""
    scribbles: str | None = None
    """Folder of `<camera>.png`, transparent where nothing is drawn: colours that the painted region follows."""
    form: str = LATENT
    """`latent` (by the pack's base), `pixel` (by its pixel diffusion, which CLIP steers)."""
    blend: bool = True
    """Whether the rest is put back at every noise level, or only in the end."""
    views: int = 16
    """Of the pixel form: over how many views the distance from the words is averaged."""
    through: bool = True
    """Of the pixel form: whether gradients go through the network, or stop there, which is cheaper."""

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            sampler=Sampler(self.sampler),
            steps=self.steps,
            guidance=self.guidance,
            start=Start.PICTURE,
            level=self.level,
            blur=0.0,
            blend=self.blend,
            control=self.control,
            steering=Steering(views=self.views, through=self.through),
        )

    @property
    def roles(self) -> tuple[str, ...]:
        return ("pixels", *RANKING) if self.form == PIXEL else super().roles

    @property
    def painter(self) -> Painter:
        return open_pixel_painter(self.pack, self.runtime) if self.form == PIXEL else super().painter

    @property
    def edits(self) -> Role | None:
        return Role(self.region) if self.region in STANDING else None

    def untouched(self, scene: SceneView, index: int) -> Mask:
        return ~self._region(partial(scene.region_in, index))

    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        region = self._region(scene.region)
        canvas = self._canvas(scene, picture, region, 0)
        canvases = [replace(canvas, number=number) for number in range(self.candidates)]
        return self.best(choices, self.paint(choices, canvases, self._sampling(region)), ~region)

    def canvas(self, choices: Mapping[str, Any], scene: SceneView, shot: Shot, number: int) -> Canvas:
        region = self._region(partial(scene.region_in, shot.index)) & ~shot.keep
        return self._canvas(scene, np.where(shot.keep[..., None], shot.recorded, shot.behind), region, number)

    def _canvas(self, scene: SceneView, picture: Picture, region: Mask, number: int) -> Canvas:
        return Canvas(self._scribbled(scene, picture, region), 1 - softened(region, self.soft), number)

    def _sampling(self, region: Mask) -> Sampling:
        """Thin regions are painted larger at first, as what is narrower than a latent cell would be lost."""
        return replace(self.sampling, thin=bool(grow(~region, pixels(THIN / 2, len(region))).all()))

    def _region(self, where: Callable[[Role | Seeks], Mask]) -> Mask:
        """What robot and objects hide of it in some frame is part of it, but before a camera that moves."""
        if self.region not in KNOWN:
            return where(self._sought)
        if self.edits:
            return where(self.edits)
        return np.asarray(~np.logical_or.reduce([where(role) for role in STANDING]))

    @property
    def _sought(self) -> Sought:
        """The region as words. Raises RequestError where it cannot be looked for."""
        near = get_close_matches(self.region.lower(), (SURROUNDINGS, *Role), 1, NEAR)
        if near:
            hint = f". Did you mean {near[0]}?" if near[0] in KNOWN else ""
            raise RequestError(
                f"unknown region={self.region}; known: {', '.join(KNOWN)}, or words that name a thing, such as "
                f"'blue box'{hint}"
            )
        detector, segmenter = self.pack.detector, self.pack.segmenter
        if detector is None or segmenter is None:
            raise RequestError(
                f"region={self.region} is looked for by its words, which takes a detector and a segmenter, and "
                f"models={self.pack.name} has not both; put packs together, such as models=[grounded_tiny,sd15], or "
                f"choose a known region: {', '.join(KNOWN)}"
            )
        return Sought(self.region, detector, segmenter, self.runtime)

    def _scribbled(self, scene: SceneView, picture: Picture, region: Mask) -> Picture:
        drawn = self._drawing(scene)
        if drawn is None:
            return picture
        return np.where(((drawn[..., 3] > HALF) & region)[..., None], drawn[..., :3], picture)

    def _drawing(self, scene: SceneView) -> UInt8[np.ndarray, "h w 4"] | None:
        """Raises RequestError where it is of another size."""
        path = self._drawings.get(scene.camera)
        if path is None:
            return None
        with Image.open(path) as image:
            drawn = np.asarray(image.convert("RGBA"))
        if drawn.shape[:2] != (scene.height, scene.width):
            raise RequestError(
                f"{path} is {drawn.shape[0]}x{drawn.shape[1]} pixels; its camera is {scene.height}x{scene.width}: draw "
                "it at that size"
            )
        return drawn

    @cached_property
    def _drawings(self) -> dict[str, Path]:
        return (
            {unquote(path.stem): path for path in sorted(Path(self.scribbles).glob("*.png"))} if self.scribbles else {}
        )

    def identity(self) -> dict[str, Any]:
        options = super().identity()
        options["scribbles"] = {camera: content_of(path) for camera, path in self._drawings.items()}
        return options

    def remarks(self) -> list[str]:
        """As Painted says. Raises RequestError as well for words that the detector cannot be asked."""
        if self.region not in KNOWN:
            self._sought([])
        return super().remarks()

    def check(self) -> None:
        if self.form not in (LATENT, PIXEL):
            raise RequestError(f"unknown form={self.form}; known: {LATENT}, {PIXEL}")
        if self.form == PIXEL and not (self.pack.pixels and self.pack.clip):
            raise RequestError(
                f"form=pixel needs pixels and clip, and models={self.pack.name} lacks one; choose a pack with both, "
                "such as models=blended_pixel_256, or form=latent"
            )
        if self.region not in KNOWN:
            _ = self._sought
        if self.candidates < 1 or not 0 <= self.soft < 1:
            raise RequestError(f"candidates={self.candidates}, soft={self.soft}; at least 1, and 0 to below 1")
        if self.scribbles is not None and not self._drawings:
            raise RequestError(f"scribbles={self.scribbles} has no <camera>.png; draw one, transparent elsewhere")
        super().check()
