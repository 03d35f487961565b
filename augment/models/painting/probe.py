"""Whether a base's configuration is that of its weights: what no file can say, and one answer of each network can."""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from augment.diffusion.noise import Noise
from augment.diffusion.predictions import Prediction
from augment.models.painting.latent_model import LatentModel

NOISE = Noise(0, (0,))
STREAM = "probe"
IS_NOISE = 0.5
"""Share of noise alone in the answer from which the answer is noise. With signal a and noise 1 at the last level, and
pictures of spread s, the best answer holds 1 / (1 + (a s)^2) of it where noise is said; where pictures are a s^2 times
that, and where velocities are a (1 - s^2) times that: for Stable Diffusion, of a = 0.07 and s = 1, 0.995 against 0.07
at most. Trained networks said 1.02 to 1.04, and 0.06. The threshold lies in the middle."""
WITHIN = 3.0
"""By which factor the spread of latents may differ from 1. Of single pictures it was measured as 0.9 to 1.2, of plain
ones less; a factor of 1 where 0.18 is meant is off by 5.5, that of Stable Diffusion 3 by 8. Those of Stable Diffusion
and XL, mistaken for each other, differ by 1.4 and are not told apart."""
COLOURS = 0.5  # spread of a photo's colours, of -1 to 1


def remarks(base: LatentModel) -> list[str]:
    """What does not look right, in words; empty where all does, and where memory or numbers run out, as painting says
    that. Costs one step and one picture encoded, at the size of training."""
    try:
        with torch.inference_mode(), torch.compiler.set_stance("force_eager"):  # compiling takes longer than asking
            said = [_of_latents(base), _of_noise(base)]
    except torch.cuda.OutOfMemoryError:
        return []
    return [remark for remark in said if remark]


def share_of_noise(base: LatentModel) -> float:
    """How much of noise alone, at the last level, is in what the network says of it, without words: its projection."""
    keep = torch.zeros(1, 1, base.native, base.native, device=base.device)
    cells = base.native // base.stride
    noise = NOISE(STREAM, 0, torch.zeros(1, base.vae.config.latent_channels, cells, cells, device=base.device))
    beside = base.beside(keep.expand(-1, 3, -1, -1), keep)
    shown = noise if beside is None else torch.cat([noise, beside], dim=1)
    answer = base.run(shown, len(base.levels) - 1, base.words([""]))
    return float((noise * answer).sum() / noise.square().sum())


def spread(base: LatentModel) -> float:
    """Standard deviation of a picture's latents, scaled."""
    return float(base.encode(_picture(base.native)).std())


def _of_noise(base: LatentModel) -> str:
    """Flows say noise and picture at once, and have but one prediction."""
    if base.prediction is Prediction.FLOW:
        return ""
    measured, noise = share_of_noise(base), base.prediction is Prediction.NOISE
    if not (measured < IS_NOISE if noise else measured >= IS_NOISE):
        return ""
    others = f"{Prediction.VELOCITY} or {Prediction.PICTURE}" if noise else Prediction.NOISE
    return (
        f"scheduler_config.json says prediction_type={base.prediction}, but shown noise alone the network says "
        f"{measured:.2f} of it (near 1 is {Prediction.NOISE}, near 0 another), as those of {others} do. If it is "
        f"wrong, pictures will be noise: say prediction_type={others} in the base's scheduler/scheduler_config.json"
    )


def _of_latents(base: LatentModel) -> str:
    measured, scale = spread(base), float(base.vae.config.scaling_factor)
    if not (measured > WITHIN or measured < 1 / WITHIN):
        return ""
    return (
        f"vae/config.json says scaling_factor={scale:g}, by which a picture's latents spread by {measured:.2g}, where "
        "networks are trained with about 1. If it is wrong, pictures will be noise or flat: copy it from the model's "
        f"page into the base's vae/config.json (about {scale / measured:.2g} would make it 1)"
    )


def _picture(side: int) -> Float32[Tensor, "1 3 side side"]:
    """Shapes of all sizes alike, as photos have them; -1..1."""
    sizes = [2**number for number in range(1, side.bit_length())]
    drawn = (NOISE(STREAM, size, torch.zeros(1, 3, size, size)) for size in sizes)
    whole = sum(functional.interpolate(coarse, size=(side, side), mode="bilinear") for coarse in drawn)
    return (COLOURS * whole / whole.std()).clamp(-1, 1)
