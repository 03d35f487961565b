"""Training an autoencoder of pictures (Rombach et al. 2022), without the critic: scenes of a small world need none."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from augment.models.small_diffusion import small_autoencoder
from augment.training.base_model import suited
from augment.training.crops import HELD_OUT, Crops, check_size, pictures_of
from augment.training.method import Data, Loss, Method, Picture, Task, Workshop, save_half
from augment.training.sheets import shown, tiled

EDGES, COLOURS, PRIOR = 1.0, 4.0, 1e-5  # weights of the terms
PATCH = 4  # pixels of the side of the squares whose mean colours count
MEASURED = 256  # pictures whose latents say how to scale all


@dataclass(frozen=True)
class Autoencoder(Method):
    """A small autoencoder of a world's pictures, from scratch."""

    size: int = 64
    """Pixels of a picture's side."""

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes `vae`, as the folder of a text-to-image model has it, with the factor that brings latents to 1."""
        learnt, held = data.scenes()
        device = workshop.machine.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = suited(small_autoencoder(), device)
        check_size(self.size, 2 ** (len(network.config.block_out_channels) - 1))
        measured = Crops(learnt, self.size, 1, self.seed)

        def pictures(scenes: Any) -> Callable[[int], Tensor]:
            return lambda number: pictures_of(scenes.batch(self.batch, self.size, self.rng(number)), device)[0]

        def save(network: Any, folder: Path) -> None:
            scale(network, measured, device)
            save_half(network, folder / "vae")

        truth, _ = pictures_of(shown(Crops(held, self.size, 1, self.seed)), device)

        def sheet(network: Any) -> Picture:
            return tiled([truth, network.decode(network.encode(truth).latent_dist.mean).sample])

        held_pictures = pictures(held)
        return Task(
            network,
            autoencoder_loss(pictures(learnt)),
            save,
            autoencoder_loss(lambda number: held_pictures(number + HELD_OUT)),
            sheet,
            {"data": learnt.identity},
        )


def autoencoder_loss(pictures: Callable[[int], Tensor]) -> Loss:
    """The loss of a batch: differences of pixels, of neighbours and of mean colours, and latents far from a normal law.

    `pictures(number)`: float32 `(n, 3, h, w)`, -1..1.
    """

    def loss(network: nn.Module, number: int) -> dict[str, Tensor]:
        wanted = pictures(number)
        law = network.encode(wanted).latent_dist
        noise = torch.randn(law.mean.shape, generator=torch.Generator().manual_seed(number)).to(wanted.device)
        made = network.decode(law.mean + law.std * noise).sample.float()
        off = made - wanted
        return {
            "pixels": off.abs().mean() + off.square().mean(),
            "edges": EDGES * sum(_differences(made, wanted, axis) for axis in (2, 3)),
            "colours": COLOURS * functional.avg_pool2d(off, PATCH).abs().mean(),
            "prior": PRIOR * law.kl().mean(),
        }

    return loss


def scale(network: Any, crops: Crops, device: torch.device) -> None:
    """Write into an autoencoder's configuration what brings its latents to a deviation of 1."""
    numbers = np.linspace(0, len(crops) - 1, min(MEASURED, len(crops))).round().astype(int).tolist()
    with torch.no_grad():
        pictures = [pictures_of([crops[number]], device)[0] for number in numbers]
        deviation = torch.cat([network.encode(picture).latent_dist.mean for picture in pictures]).std()
    network.register_to_config(scaling_factor=float(1 / deviation))


def _differences(made: Tensor, wanted: Tensor, axis: int) -> Tensor:
    """Of the steps between neighbours, which blur would take away."""
    return functional.l1_loss(torch.diff(made, dim=axis), torch.diff(wanted, dim=axis))
