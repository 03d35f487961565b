"""Networks that paint, where and how a runtime wants them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from diffusers.utils import logging

from augment.models.painting.control import Control
from augment.models.painting.painter import LatentPainter
from augment.models.painting.policy import Composer
from augment.models.painting.text_to_image import TextToImage
from augment.models.painting.turns import Turns
from augment.models.runtime import Runtime


def settled(base: TextToImage, runtime: Runtime) -> TextToImage:
    """The same model in the runtime's precision and layout; on its device, or ready to take turns there."""
    for network in (base.unet, base.vae, *(reader.encoder for reader in base.readers)):
        _settle(network, runtime)
    if runtime.tiles:
        base.vae.enable_tiling()
    return replace(base, turns=Turns(runtime.place()[0]) if runtime.offload else None)


def painter_of(base: TextToImage, control: Control | None, policy: Composer | None, runtime: Runtime) -> LatentPainter:
    """A painter of a settled base; what takes part in every step is compiled where the runtime says so."""
    steps = [base.unet, control.network] if control else [base.unet]
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
