"""Pictures and phrases look at each other in the fusion layers: here, each picture of a batch by itself."""

from functools import partial
from typing import Any

import torch


def by_itself(network: torch.nn.Module, attention: type[torch.nn.Module]) -> None:
    """Let all layers of the class `attention` in a network take the pictures of a batch one by one.

    Both implementations subtract the greatest logit of the whole batch before the softmax. That changes nothing but
    the rounding, by which a picture's boxes would depend on its neighbours (3e-5 pixels in float32).
    """
    for layer in network.modules():
        if isinstance(layer, attention):
            layer.forward = partial(_one_by_one, layer.forward)


def _one_by_one(forward: Any, *inputs: torch.Tensor, **masks: torch.Tensor | None) -> Any:
    """Inputs and masks have a row for each picture."""
    return _joined(
        [
            forward(
                *(of[row : row + 1] for of in inputs),
                **{name: None if of is None else of[row : row + 1] for name, of in masks.items()},
            )
            for row in range(len(inputs[0]))
        ]
    )


def _joined(answers: list[Any]) -> Any:
    """Tensors, or tuples of them, one below the other."""
    if isinstance(answers[0], torch.Tensor):
        return torch.cat(answers)
    return tuple(_joined(list(each)) for each in zip(*answers, strict=True))
