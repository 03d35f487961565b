"""Networks that paint, where and how a runtime wants them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import torch
from diffusers.utils import logging

from augment.models.painting.control import Control
from augment.models.painting.latent_model import LatentModel
from augment.models.painting.painter import LatentPainter
from augment.models.painting.policy import Composer
from augment.models.painting.turns import Turns
from augment.models.runtime import Runtime

Base = TypeVar("Base", bound=LatentModel)


def settled(base: Base, runtime: Runtime) -> Base:
    """The same model in the runtime's precision and layout; on its device, or ready to take turns there."""
    for network in base.networks:
        _settle(network, runtime)
    if runtime.tiles:
        base.tile()
    return replace(base, turns=Turns(runtime.place()[0]) if runtime.offload else None)


def painter_of(base: LatentModel, control: Control | None, policy: Composer | None, runtime: Runtime) -> LatentPainter:
    """A painter of a settled base; what takes part in every step is compiled where the runtime says so."""
    steps = [base.network, control.network] if control else [base.network]
    for network in (*steps[1:], *([policy.network.unet] if policy else [])):
        _settle(network, runtime)
    if runtime.compile:
        for network in steps:
            network.compile()
    return LatentPainter(base, control, policy, runtime.batch_size)


def _settle(network: Any, runtime: Runtime) -> None:
    device, dtype = runtime.place()
    layout = torch.channels_last if runtime.channels_last else torch.contiguous_format
    with silently():
        network.to(torch.device("cpu") if runtime.offload else device, dtype, memory_format=layout)


@contextmanager
def silently() -> Iterator[None]:
    """Without the remarks of diffusers, that say nothing here."""
    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)
