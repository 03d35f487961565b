"""Training text-to-image diffusion in latents (Rombach et al. 2022): one network from captions to pictures."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from augment.diffusion.levels import Levels
from augment.diffusion.maps import renoise
from augment.diffusion.predictions import Prediction, target

SNR_LIMIT = 5.0  # min-SNR (Hang et al. 2023): levels with less noise than this say little about scenes


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a step is about."""

    latents: Tensor
    """Float32 `(n, c, h, w)`, scaled."""
    tokens: Tensor
    """Int64 `(n, length)`."""
    times: Tensor
    """Int64 `(n,)`."""
    noise: Tensor
    """As `latents`."""


def base_loss(levels: Levels, lessons: Callable[[int], Lesson]) -> Callable[[nn.Module, int], dict[str, Tensor]]:
    """The loss of a step: the error of v (Salimans and Ho 2022), weighted by min-SNR.

    The network has `unet` and `text_encoder`.
    """

    def loss(network: nn.Module, step: int) -> dict[str, Tensor]:
        lesson = lessons(step)
        seen = renoise(levels, lesson.latents, lesson.times, lesson.noise)
        wanted = target(levels, Prediction.VELOCITY, lesson.latents, lesson.times, lesson.noise)
        words = network.text_encoder(lesson.tokens).last_hidden_state
        made = network.unet(seen, lesson.times, words).sample.float()
        signal, noise = levels.of(lesson.times, seen)
        ratio = (signal / noise).square()
        weight = ratio.clamp(max=SNR_LIMIT) / (ratio + 1)
        return {"v": (weight * (made - wanted).square()).mean()}

    return loss
