"""Training an autoencoder of pictures (Rombach et al. 2022), without the critic: scenes of a small world need none."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

EDGES, COLOURS, PRIOR = 1.0, 4.0, 1e-5  # weights of the terms
PATCH = 4  # pixels of the side of the squares whose mean colours count


def autoencoder_loss(pictures: Callable[[int], Tensor]) -> Callable[[nn.Module, int], dict[str, Tensor]]:
    """The loss of a step: differences of pixels, of neighbours and of mean colours, and latents far from a normal law.

    `pictures(step)`: float32 `(n, 3, h, w)`, -1..1.
    """

    def loss(network: nn.Module, step: int) -> dict[str, Tensor]:
        wanted = pictures(step)
        law = network.encode(wanted).latent_dist
        noise = torch.randn(law.mean.shape, generator=torch.Generator().manual_seed(step)).to(wanted.device)
        made = network.decode(law.mean + law.std * noise).sample
        off = made - wanted
        return {
            "pixels": off.abs().mean() + off.square().mean(),
            "edges": EDGES * sum(_differences(made, wanted, axis) for axis in (2, 3)),
            "colours": COLOURS * functional.avg_pool2d(off, PATCH).abs().mean(),
            "prior": PRIOR * law.kl().mean(),
        }

    return loss


def _differences(made: Tensor, wanted: Tensor, axis: int) -> Tensor:
    """Of the steps between neighbours, which blur would take away."""
    return functional.l1_loss(torch.diff(made, dim=axis), torch.diff(wanted, dim=axis))
