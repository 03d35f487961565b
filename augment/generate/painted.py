"""What ways to generate by diffusion have in common: words, networks, and how they are asked."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.errors import RequestError
from augment.generate.base import Generator
from augment.generate.ranking import Opinions, best_of, growth
from augment.images import box_blur, grow, pixels
from augment.instructions import named_things
from augment.models.doors import open_judge, open_painter
from augment.models.finding import open_finder
from augment.models.kinds import KINDS
from augment.models.packs import Pack
from augment.models.painting.base import NO_FEW_STEPS, Canvas, Painter, Sampler, Sampling, Start, Wording
from augment.models.runtime import Runtime
from augment.prompts import PromptBank, draw_prompt
from augment.types import Deals, Footage, Granularity, Role, SceneView

KEY_BITS = 128
RANKING = ("clip", "detector", "segmenter")
"""Roles of a pack's networks that say which candidate is best."""
ROBOT = "robot arm"
Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture that is partly painted over."""

    recorded: Picture
    keep: Mask
    """What of it stays."""
    behind: Picture
    """What lies behind that, and where nothing does."""
    index: int
    """In the recording."""


@dataclass(frozen=True)
class Painted(Generator):
    """New surroundings from words, by the networks of a pack."""

    prompt: str | None = None
    """The same for all variants; by default each gets its own from the prompt bank."""
    negative: str | None = None
    """What is not to be seen; by default what the bank says."""
    granularity: str = Granularity.PLATE
    """`plate` (one for all frames of a camera), `clip` (each frame by itself, with the noise and composition of its
    neighbours), `frame` (each by itself)."""
    frames: int = 16
    """Of a clip."""
    sampler: str = Sampler.MULTISTEP
    """`multistep`, `ddim`, `ancestral`, `few_step` (for networks that were distilled for it)."""
    steps: int = 25
    guidance: float = 5.0
    """Strength of the words; 1 is none."""
    control: float = 1.0
    """Strength of the pack's ControlNet, if it has one."""
    prompts: PromptBank = field(default_factory=PromptBank)
    """The section `prompts`."""
    pack: Pack = field(default_factory=lambda: Pack("none"))
    """The section `models`."""
    runtime: Runtime = field(default_factory=Runtime)

    @property
    @abstractmethod
    def sampling(self) -> Sampling:
        """How the networks are asked."""

    @abstractmethod
    def canvas(self, choices: Mapping[str, Any], scene: SceneView, shot: Shot, number: int) -> Canvas:
        """What of one frame is to be painted, and what over. `number`: of its noise."""

    @property
    def clip(self) -> int:
        return {Granularity.PLATE: 0, Granularity.CLIP: self.frames, Granularity.FRAME: 1}[
            Granularity(self.granularity)
        ]

    def frame_by_frame(self, granularity: Granularity) -> "Painted":
        return replace(self, granularity=granularity)

    def draw(self, rng: np.random.Generator, deal: Deals) -> dict[str, Any]:
        words = draw_prompt(self.prompts, deal) if self.prompt is None else {"prompt": self.prompt, "negative": ""}
        negative = words["negative"] if self.negative is None else self.negative
        things = {thing.phrase for text in deal.language for thing in named_things(text) if thing.role == Role.OBJECT}
        return {
            **words,
            "negative": negative,
            "things": sorted(things),
            "key": f"{int.from_bytes(rng.bytes(KEY_BITS // 8), 'little'):032x}",
        }

    def film(self, choices: Mapping[str, Any], scene: SceneView, footage: Footage) -> UInt8[np.ndarray, "t h w 3"]:
        indices = range(footage.start, footage.start + len(footage.recorded))
        shots = map(Shot, footage.recorded, footage.keep, footage.behind, indices)
        canvases = [self.canvas(choices, scene, shot, shot.index // self.clip) for shot in shots]
        alike = [canvases[0], *(replace(canvas, lead=canvases[0]) for canvas in canvases[1:])]
        return np.stack(self.paint(choices, alike, self.sampling))

    def paint(self, choices: Mapping[str, Any], canvases: Sequence[Canvas], sampling: Sampling) -> list[Picture]:
        """Ask the networks. Canvases on which nothing is to be painted come back as they are."""
        asked = [number for number, canvas in enumerate(canvases) if (canvas.keep < 1).any()]
        made = [canvas.picture for canvas in canvases]
        if asked:
            wording = Wording(choices["prompt"], choices["negative"])
            painted = self.painter([canvases[number] for number in asked], wording, sampling, int(choices["key"], 16))
            for number, picture in zip(asked, painted, strict=True):
                made[number] = picture
        return made

    def best(self, choices: Mapping[str, Any], pictures: Sequence[Picture], keep: Mask) -> Picture:
        """Of candidates that were painted where nothing is kept: none with another robot, where the pack finds robots,
        and that which shows the words, where it has CLIP."""
        if len(pictures) == 1:
            return pictures[0]
        distances, grown = np.zeros(len(pictures)), np.zeros(len(pictures))
        if self.pack.clip:
            judge = open_judge(self.pack.clip, self.runtime)
            distances = judge.distances(pictures, choices["prompt"], [~keep] * len(pictures))
        if self.pack.detector and self.pack.segmenter:
            find = open_finder(self.pack.detector, self.pack.segmenter, self.runtime)
            grown = np.array([growth(found, keep) for found in find(pictures, [ROBOT, *choices["things"]])])
        return best_of(pictures, keep, Opinions(distances.tolist(), grown.tolist()))

    @property
    def roles(self) -> tuple[str, ...]:
        """Of the pack's networks, those that decide what is painted; the first has to be there."""
        return ("base", "controlnet", "policy", *RANKING)

    @property
    def painter(self) -> Painter:
        """Opened when it is first needed, once a process."""
        return open_painter(self.pack, self.runtime)

    def identity(self) -> dict[str, Any]:
        """With the weights themselves instead of where they lie."""
        options = super().identity()
        del options["runtime"]
        options |= self.runtime.rounding
        components = self.pack.components
        options["pack"] = {role: components[role].digest for role in self.roles if role in components}
        return options

    def remarks(self) -> list[str]:
        """What of the networks does not look right; prompts that are longer than the text encoder reads, of a bank the
        longest. Opens the networks.

        Raises RequestError where they do not fit each other.
        """
        prompt = ("prompt", self.prompt) if self.prompt else ("the longest prompt of the bank", self.prompts.longest)
        negative = ", ".join(self.prompts.negative) if self.negative is None else self.negative
        said = dict([prompt, ("negative", negative)])
        cut = {name: self.painter.cut(text) for name, text in said.items()}
        too_long = [f"{name} is too long, and is read without: {rest}" for name, rest in cut.items() if rest]
        return [*self.painter.remarks(self.sampling), *too_long]

    def check(self) -> None:
        """Raises RequestError where a value is out of range, or weights are not there."""
        if self.granularity not in set(Granularity):
            raise RequestError(f"unknown granularity={self.granularity}; known: {', '.join(Granularity)}")
        if self.sampler not in set(Sampler):
            raise RequestError(f"unknown sampler={self.sampler}; known: {', '.join(Sampler)}")
        if self.frames < 1:
            raise RequestError(f"frames={self.frames}; a clip has at least 1")
        if self.prompt is not None and not self.prompt.strip():
            raise RequestError("prompt is empty; say what is to be seen, or leave it out to draw from the prompt bank")
        self.prompts.check()
        self.sampling.check()
        if self.roles[0] not in self.pack.components:
            raise RequestError(f"diffusion needs a {self.roles[0]}; choose a pack that has one: models=NAME")
        if self.sampling.start is Start.POLICY and self.pack.policy is None:
            raise RequestError(
                f"start=policy needs an initialization policy, and models={self.pack.name} has none; choose a pack "
                "with one, or start=picture"
            )
        self.pack.check()
        if self.sampler == Sampler.FEW_STEP and KINDS[self.pack.components[self.roles[0]].kind].flow:
            raise RequestError(NO_FEW_STEPS)


def softened(region: Mask, width: float) -> Float32[np.ndarray, "h w"]:
    """1 inside a region, 0 outside of it, and a slope of this width (fraction of the height) on its inner side."""
    reach = pixels(width, len(region))
    if not reach:
        return region.astype(np.float32)
    inner = ~grow(~region, reach)
    return np.where(region, box_blur(inner.astype(np.float32), reach), np.float32(0))
