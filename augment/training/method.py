"""What every method of training has in common: its numbers, and what it hands to the loop."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from jaxtyping import UInt8
from torch import Tensor, nn

from augment.errors import RequestError
from augment.models.hub import quietly
from augment.training.examples import Examples
from augment.training.scenes import Scenes

SCHEDULES = ("cosine", "constant")
PRECISIONS = ("no", "bf16", "fp16")

Loss = Callable[[nn.Module, int], dict[str, Tensor]]
"""Of a network and a batch, by its number: terms by name. Their sum is minimised, without those that have no gradient,
which are only reported."""

Picture = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True)
class Training:
    """How long and how fast; each method adds its own options."""

    steps: int = 10000
    batch: int = 8
    """Pictures at once, on each device."""
    accumulation: int = 1
    """Batches whose gradients make a step."""
    learning_rate: float = 5e-4
    schedule: str = "cosine"
    """Of the learning rate after the warm-up: half a cosine down to 0, or constant."""
    warmup: int = 200
    """Steps."""
    weight_decay: float = 1e-4
    clip: float = 0.5
    """Greatest norm of a step's gradient."""
    average: float = 0.999
    """Share of the averaged weights that a step leaves as they were."""
    precision: str = "no"
    """Mixed precision: no (float32), bf16 or fp16."""
    save_every: int = 500
    review_every: int = 0
    """Steps between reviews of the averaged weights: held-out loss and a sheet of samples; none if 0."""
    seed: int = 0

    def check(self) -> None:
        """Raises RequestError where a value is out of range."""
        for name in ("steps", "batch", "accumulation", "save_every"):
            self._at_least(name, 1)
        for name in ("warmup", "review_every", "seed"):
            self._at_least(name, 0)
        if not self.learning_rate > 0:
            raise RequestError(f"method.learning_rate={self.learning_rate}; it must be above 0")
        self._one_of("schedule", SCHEDULES)
        self._one_of("precision", PRECISIONS)

    def rng(self, number: int) -> np.random.Generator:
        """All that is random in a batch; a run that is interrupted goes on with the same numbers."""
        return np.random.Generator(np.random.Philox(key=[self.seed, number]))

    def _at_least(self, name: str, least: int) -> None:
        if not getattr(self, name) >= least:
            raise RequestError(f"method.{name}={getattr(self, name)}; at least {least}")

    def _one_of(self, name: str, known: tuple[str, ...]) -> None:
        if getattr(self, name) not in known:
            raise RequestError(f"unknown method.{name}={getattr(self, name)}; known: {', '.join(known)}")


@dataclass(frozen=True, eq=False)
class Data:
    """Where pictures come from; what a method does not ask for is not read."""

    examples: Callable[[], Examples]
    """With things and their names."""
    scenes: Callable[[], tuple[Scenes, Scenes]]
    """With captions: to learn from, and held out."""


@dataclass(frozen=True, eq=False)
class Workshop:
    """Where a training takes place."""

    folder: Path
    """Of what comes out, and of all that an interrupted run needs."""
    machine: Accelerator
    say: Callable[[str], None]
    """Told about progress, in lines."""


@dataclass(frozen=True, eq=False)
class Task:
    """A network about to be trained."""

    network: nn.Module
    """With weights that the method's seed decides; only what is to be trained."""
    loss: Loss
    save: Callable[[Any, Path], None]
    """Writes the trained network into a folder."""
    held: Loss | None = None
    """Of held-out pictures."""
    sheet: Callable[[Any], Picture] | None = None
    """What the network makes of a few held-out pictures, for eyes."""
    identity: Mapping[str, str] = field(default_factory=dict)
    """Of data and of networks that it learns from: what a resumed run must have in common, beside the options."""


@dataclass(frozen=True)
class Method(Training, ABC):
    """A network and how it is trained; its fields are its options."""

    @abstractmethod
    def build(self, data: Data, workshop: Workshop) -> Task:
        """What is to be trained, its frozen helpers on the machine's device.

        Writes to the workshop's folder what goes with the weights. Raises RequestError where data or other networks do
        not do.
        """


def save_half(network: Any, folder: Path) -> None:
    """As exact as needed, in half the space, and without where it was read from."""
    if hasattr(network, "register_to_config"):
        network.register_to_config(_name_or_path=None)
    with quietly():
        network.half().save_pretrained(folder)
