"""Noise levels and predictions, as schedulers of diffusers are configured."""

from collections.abc import Mapping
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


def levels_of(config: Mapping[str, Any], where: str) -> Levels:
    """The noise levels of a scheduler's configuration. Raises RequestError for one that is not known."""
    count = int(config.get("num_train_timesteps", 1000))
    if _is_flow(config):
        return rectified_flow(count, float(config.get("shift", 1.0)))
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
    said = str(config.get("prediction_type", Prediction.FLOW if _is_flow(config) else Prediction.NOISE))
    if said not in set(Prediction):
        raise RequestError(f"{where}: unknown prediction_type={said}; known: {', '.join(Prediction)}")
    return Prediction(said)


def _is_flow(config: Mapping[str, Any]) -> bool:
    return "shift" in config or "FlowMatch" in str(config.get("_class_name"))
