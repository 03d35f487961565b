"""What every method of training has in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from augment.training.examples import Examples
from augment.training.loop import Training

Loss = Callable[[nn.Module, int], dict[str, Tensor]]
"""The terms of a step's loss, by name."""


class Method(Protocol):
    """A network to be trained and its loss."""

    def __call__(self, examples: Examples, training: Training, folder: Path) -> tuple[Any, Loss]:
        """A network with random weights, decided by the seed, and its loss. Writes to `folder` what goes with weights.

        The network has `save_pretrained(folder)`.
        """
        ...
