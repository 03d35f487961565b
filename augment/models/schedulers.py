"""What diffusers' scheduler configurations say of a model: its noise levels, and what it predicts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64

from augment.diffusion.levels import Levels, from_betas, linear, scaled_linear, squared_cosine, zero_terminal
from augment.diffusion.predictions import Prediction
from augment.errors import RequestError

SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
ZERO_TERMINAL: Mapping[str, Any] = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "prediction_type": str(Prediction.VELOCITY),
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "clip_sample": False,
    "set_alpha_to_one": True,
    "steps_offset": 1,
}
"""Of models trained from scratch: their last level, where sampling starts, is noise alone (Lin et al. 2024)."""


def levels_of(config: Mapping[str, Any]) -> Levels:
    """Noise levels. Raises RequestError for a schedule that is not known."""
    levels = from_betas(_betas(config))
    return zero_terminal(levels) if config.get("rescale_betas_zero_snr") else levels


def prediction_of(config: Mapping[str, Any]) -> Prediction:
    """What the network predicts. Raises RequestError where that is not known."""
    name = config.get("prediction_type", str(Prediction.NOISE))
    if name not in set(Prediction):
        raise RequestError(f"prediction_type={name} of the scheduler; known: {', '.join(Prediction)}")
    return Prediction(name)


def _betas(config: Mapping[str, Any]) -> Float64[np.ndarray, " T"]:
    """With the defaults of diffusers."""
    if config.get("trained_betas") is not None:
        return np.asarray(config["trained_betas"], dtype=np.float64)
    name, count = config.get("beta_schedule", "linear"), int(config.get("num_train_timesteps", 1000))
    if name not in SCHEDULES:
        raise RequestError(f"beta_schedule={name} of the scheduler; known: {', '.join(SCHEDULES)}")
    if name == "squaredcos_cap_v2":
        return squared_cosine(count)
    even = linear if name == "linear" else scaled_linear
    return even(config.get("beta_start", 1e-4), config.get("beta_end", 0.02), count)
