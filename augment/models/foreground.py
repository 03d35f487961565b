"""What networks that paint surroundings are shown of the foreground."""

import torch
from jaxtyping import Float
from torch import Tensor


def on_grey(pictures: Float[Tensor, "n 3 h w"], keep: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 3 h w"]:
    """The foreground alone, -1..1, on a middle grey, which is 0. `keep`: 1 = foreground."""
    return pictures * keep


def conditioning(pictures: Float[Tensor, "n 3 h w"], keep: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 4 h w"]:
    """What a ControlNet is shown: foreground on grey, as ControlNets have pictures, 0..1, and the mask of it."""
    return torch.cat([(on_grey(pictures, keep) + 1) / 2, keep], dim=1)
