"""Noise levels and predictions, as schedulers of diffusers are configured."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import exp
from typing import Any

import numpy as np

from augment.diffusion.levels import (
    Levels,
    from_betas,
    linear,
    rectified_flow,
    scaled_linear,
    squared_cosine,
    zero_terminal,
)
from augment.diffusion.predictions import Prediction
from augment.errors import RequestError

BETAS = {"linear": linear, "scaled_linear": scaled_linear}
COUNT = 1000
SHIFTS = ("exponential", "linear")
NOT_KNOWN = ("shift_terminal", "invert_sigmas", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
"""Options of schedulers of flows, of other models, that bend their levels further."""


def levels_of(config: Mapping[str, Any], where: str) -> Levels:
    """The noise levels of a scheduler's configuration. Raises RequestError for one that is not known, and of a flow."""
    if _is_flow(config):
        raise RequestError(
            f"{where}: a scheduler of flows ({config.get('_class_name')}), which transformers take; a U-Net needs one "
            "of diffusion, such as DDIMScheduler"
        )
    count = int(config.get("num_train_timesteps", COUNT))
    schedule = str(config.get("beta_schedule", "linear"))
    if config.get("trained_betas") is not None:
        betas = np.array(config["trained_betas"], dtype=np.float64)
    elif schedule == "squaredcos_cap_v2":
        betas = squared_cosine(count)
    elif schedule in BETAS:
        betas = BETAS[schedule](float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02)), count)
    else:
        known = ", ".join((*BETAS, "squaredcos_cap_v2"))
        raise RequestError(f"{where}: unknown beta_schedule={schedule}; known: {known}")
    levels = from_betas(betas)
    return zero_terminal(levels) if config.get("rescale_betas_zero_snr") else levels


def prediction_of(config: Mapping[str, Any], where: str) -> Prediction:
    """What the network says. Raises RequestError for a prediction that is not known."""
    said = str(config.get("prediction_type", Prediction.NOISE))
    if said not in set(Prediction):
        raise RequestError(f"{where}: unknown prediction_type={said}; known: {', '.join(Prediction)}")
    return Prediction(said)


@dataclass(frozen=True)
class FlowLevels:
    """The noise levels of a flow, which for some are shifted towards noise by how large a picture is.

    The names are those of diffusers' FlowMatchEulerDiscreteScheduler.
    """

    num_train_timesteps: int = COUNT
    shift: float = 1.0
    use_dynamic_shifting: bool = False
    time_shift_type: str = "exponential"
    base_image_seq_len: int = 256
    max_image_seq_len: int = 4096
    base_shift: float = 0.5
    max_shift: float = 1.15

    def __call__(self, tokens: int) -> Levels:
        """Of pictures of so many tokens."""
        shift = self._dynamic(tokens) if self.use_dynamic_shifting else self.shift
        return rectified_flow(self.num_train_timesteps, shift)

    def _dynamic(self, tokens: int) -> float:
        """On a line through two points."""
        slope = (self.max_shift - self.base_shift) / (self.max_image_seq_len - self.base_image_seq_len)
        shift = self.base_shift + slope * (tokens - self.base_image_seq_len)
        return exp(shift) if self.time_shift_type == "exponential" else shift


def flow_levels_of(config: Mapping[str, Any], where: str) -> FlowLevels:
    """The noise levels of a flow's scheduler. Raises RequestError for one that is not known, and of diffusion."""
    if not _is_flow(config):
        raise RequestError(
            f"{where}: a scheduler of diffusion ({config.get('_class_name')}); the transformers of Stable Diffusion 3 "
            "and FLUX are flows, and need FlowMatchEulerDiscreteScheduler"
        )
    for name in NOT_KNOWN:
        if config.get(name):
            raise RequestError(f"{where}: {name}={config[name]} is not known here; known: levels with a shift alone")
    if config.get("time_shift_type", "exponential") not in SHIFTS:
        raise RequestError(f"{where}: unknown time_shift_type={config['time_shift_type']}; known: {', '.join(SHIFTS)}")
    known = {field.name for field in fields(FlowLevels)}
    return FlowLevels(**{name: value for name, value in config.items() if name in known and value is not None})


def _is_flow(config: Mapping[str, Any]) -> bool:
    return "FlowMatch" in str(config.get("_class_name"))
