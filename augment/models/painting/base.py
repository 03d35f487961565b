"""What painting networks are asked, and how; imports no torch. Pictures and masks come and go as numpy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from augment.errors import RequestError


class Start(StrEnum):
    """Where the composition comes from, before the first step."""

    NOISE = "noise"
    """Nowhere: noise alone, from the last level."""
    PICTURE = "picture"
    """The picture that is painted over, without its details (methods.md 9.2)."""
    POLICY = "policy"
    """An initialization policy, from what is kept and the words."""


class Sampler(StrEnum):
    """How noise turns into a picture, step by step."""

    MULTISTEP = "multistep"
    """DPM-Solver++ 2M: 15 to 30 steps."""
    DDIM = "ddim"
    ANCESTRAL = "ancestral"
    FEW_STEP = "few_step"
    """For networks that were distilled for it: 1 to 8 steps, mostly without guidance."""


LEVEL = 0.8  # of a picture's composition, where nothing else is said
NO_FEW_STEPS = (
    "sampler=few_step is for networks that were distilled at levels of diffusion, and this base is a flow; those that "
    "were distilled take sampler=ddim (which is Euler for flows) with few steps"
)


@dataclass(frozen=True, eq=False)
class Canvas:
    """A picture of which a part is to be painted."""

    picture: UInt8[np.ndarray, "h w 3"]
    keep: Float32[np.ndarray, "h w"]
    """1 = stays as it is, exactly; 0 = is painted; 0.3 = in the last 0.7 of the steps only, and mixed in the end."""
    number: int = 0
    """Of its noise: canvases of one number are painted with the same."""
    lead: "Canvas | None" = None
    """Whose composition it takes over, where a policy makes it; of the same size. None for its own."""


@dataclass(frozen=True)
class Wording:
    """What is to be seen, and what is not."""

    prompt: str
    negative: str = ""


@dataclass(frozen=True)
class Steering:
    """How CLIP steers networks that know no words: the pixel form of Blended Diffusion."""

    views: int = 16
    """Views of what is painted over which its distance to the words is averaged, the plain one among them (extending
    augmentations)."""
    through: bool = True
    """Whether gradients go through the network, as in the authors' code, or stop there, which is cheaper."""
    range: float = 50.0
    """Weight of colours out of range."""
    background: float = 10000.0
    """Weight of what differs outside of the region, where nothing is blended: the baseline."""

    def check(self) -> None:
        """Raises RequestError where a value is out of range."""
        if self.views < 1 or self.range < 0 or self.background < 0:
            raise RequestError(
                f"views={self.views}, range={self.range}, background={self.background}: at least 1 view, the others at "
                "least 0"
            )


@dataclass(frozen=True)
class Sampling:
    """How to sample."""

    sampler: Sampler = Sampler.MULTISTEP
    steps: int = 25
    guidance: float = 5.0
    """Strength of the words: of classifier-free guidance, where 1 is none; FLUX is told it, which was trained with 30;
    in the pixel form the weight of CLIP's distance, where 0 is none."""
    start: Start = Start.PICTURE
    level: float | None = None
    """Share of all noise levels at which a composition is taken up, above 0 to 1; of no meaning for `start=noise`.
    None for that which a policy was trained for, and for LEVEL where there is none."""
    blur: float = 0.06
    """Of a picture that is started from: standard deviation as a fraction of its shorter side; 0 leaves it sharp."""
    blend: bool = True
    """Whether what is kept is put back at every noise level (Blended Diffusion), or only in the end."""
    thin: bool = False
    """Whether the painted region starts out larger and shrinks to its own shape, where masks are thin for latents."""
    control: float = 1.0
    """Strength of the ControlNet, where there is one."""
    steering: Steering = Steering()
    """Of the pixel form alone."""

    def check(self) -> None:
        """Raises RequestError where a value is out of range."""
        in_range = self.level is None or 0 < self.level <= 1
        if self.steps < 1 or not in_range or self.blur < 0 or self.guidance < 0 or self.control < 0:
            raise RequestError(
                f"steps={self.steps}, level={self.level}, blur={self.blur}, guidance={self.guidance}, "
                f"control={self.control}: at least 1 step, level above 0 to 1, the others at least 0"
            )
        self.steering.check()

    @property
    def share(self) -> float:
        """`level`, where no policy has its own."""
        return LEVEL if self.level is None else self.level

    def first(self, count: int, trained: int | None = None) -> int:
        """The level, of so many, at which sampling begins. `trained`: that which the policy was made for."""
        if self.start is Start.NOISE:
            return count - 1
        if self.start is Start.POLICY and self.level is None and trained is not None:
            return trained
        return min(count - 1, round(self.share * count))


@runtime_checkable
class Painter(Protocol):
    """Paints what is not kept."""

    def cut(self, prompt: str) -> str:
        """What of a prompt is not read, as it is too long; empty where all is."""
        ...

    def remarks(self, sampling: Sampling) -> list[str]:
        """What does not look right, in words, to be said before a run: configurations that are not those of the
        weights, and sampling that the networks were not trained for. Empty where all does."""
        ...

    def __call__(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """Each canvas, painted; where `keep` is 1 its pixels are exactly those of the picture.

        `key`: of the noise, 0 to 2^128 - 1; the same key, number, words and sampling paint the same, but for rounding
        where other canvases are asked for beside it. Raises RequestError for what the networks cannot do, PaintError
        where they fail.
        """
        ...
