"""New surroundings around what is kept: foreground-conditioned out-painting."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from augment.errors import RequestError
from augment.generate.painted import Painted, Picture, Shot, softened
from augment.images import grow, pixels
from augment.models.painting.base import Canvas, Sampler, Sampling, Start
from augment.types import SceneView

AROUND = 0.06  # of the height, by which what is cleared away reaches beyond the foreground: what grew out of it
CLEARED = 0.6  # share of the noise levels from which that is painted anew, over a guess without detail


@dataclass(frozen=True)
class Outpaint(Painted):
    """Everything but robot, object and what the recipe preserves, from words.

    A plate is composed around the foreground of one key frame; then the foreground is painted over, as other frames
    uncover what is behind it.
    """

    start: str = Start.PICTURE
    """Where the composition comes from: `picture` (the clean plate without its details), `policy` (an initialization
    policy, which knows the foreground alone), `noise` (nowhere)."""
    level: float | None = None
    """Share of the noise levels at which a composition is taken up: less keeps more of it. None: 0.8 for a picture, for
    a policy the one that it was trained for."""
    blur: float = 0.06
    """Standard deviation by which the clean plate's details are taken away, fraction of the shorter side."""
    blend: bool = True
    """Whether what is kept is put back at every step."""
    candidates: int = 4
    """Plates among which the best is chosen; the others cost as much."""

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            sampler=Sampler(self.sampler),
            steps=self.steps,
            guidance=self.guidance,
            start=Start(self.start),
            level=self.level,
            blur=self.blur,
            blend=self.blend,
            control=self.control,
        )

    def canvas(self, choices: Mapping[str, Any], scene: SceneView, shot: Shot, number: int) -> Canvas:
        return Canvas(np.where(shot.keep[..., None], shot.recorded, shot.behind), shot.keep.astype(np.float32), number)

    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        key, kept = scene.key, scene.kept
        shown = np.where(key.foreground[..., None], key.picture, picture)
        keep = kept | key.foreground
        canvases = [Canvas(shown, keep.astype(np.float32), number) for number in range(self.candidates)]
        chosen = self.best(choices, self.paint(choices, canvases, self.sampling), keep)
        return self._cleared(choices, scene, chosen, picture)

    def _cleared(self, choices: Mapping[str, Any], scene: SceneView, painted: Picture, behind: Picture) -> Picture:
        """The foreground taken away: what is kept shows through, the rest is painted from its surroundings alone."""
        gone = grow(scene.key.foreground, pixels(AROUND, scene.height))
        uncovered, hole = np.where((gone & scene.kept)[..., None], behind, painted), gone & ~scene.kept
        new = ~(gone | scene.kept)
        guess = scene.fill(uncovered, ~new if new.any() else hole)  # by the colours of what is new, not of what is kept
        canvas = Canvas(np.where(hole[..., None], guess, uncovered), 1 - softened(hole, AROUND / 2), self.candidates)
        over = replace(self.sampling, start=Start.PICTURE, level=CLEARED, blur=0.0, blend=True)
        return self.paint(choices, [canvas], over)[0]

    def identity(self) -> dict[str, Any]:
        """A policy's own level is known by its weights."""
        own = self.level is None and self.start == Start.POLICY
        return {**super().identity(), **({} if own else {"level": self.sampling.share})}

    def check(self) -> None:
        if self.start not in set(Start):
            raise RequestError(f"unknown start={self.start}; known: {', '.join(Start)}")
        if self.candidates < 1:
            raise RequestError(f"candidates={self.candidates}; at least 1")
        super().check()
