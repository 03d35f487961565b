"""By which of torch's kernels the networks of a process attend. Imports torch only when it is asked for."""

import warnings
from functools import cache
from typing import Any

from augment.errors import RequestError

AUTO, MATH = "auto", "math"
FUSED = {"flash": "flash_sdp", "efficient": "mem_efficient_sdp", "cudnn": "cudnn_sdp"}
"""Kernels that never hold the whole matrix of weights, and what torch's switches call them."""
ATTENTIONS = (AUTO, MATH, *FUSED)


def attend(attention: str) -> None:
    """From now on by this kernel, and by `math` where it takes no tensors of a shape; `auto`: as torch was set.

    For the whole process rather than around each network, as threads that paint beside each other share the switches.
    """
    from torch.backends import cuda

    for name, before in _before().items():
        getattr(cuda, f"enable_{FUSED[name]}")(before if attention == AUTO else attention == name)


def available(device: Any, precision: Any) -> tuple[str, ...]:
    """Of ATTENTIONS what a torch.device has for a torch.dtype."""
    return tuple(name for name in ATTENTIONS if name in (AUTO, MATH) or _has(name, device, precision))


def check_attention(attention: str, device: Any, precision: Any) -> None:
    """Raises RequestError for a kernel that is unknown, or not there."""
    if attention not in ATTENTIONS:
        raise RequestError(f"unknown models.attention={attention}; known: {', '.join(ATTENTIONS)}")
    there = available(device, precision)
    if attention not in there:
        raise RequestError(
            f"models.attention={attention}: torch has no such kernel here, on {device} in "
            f"{str(precision).removeprefix('torch.')}; there are {', '.join(there)}"
        )


@cache
def _before() -> dict[str, bool]:
    from torch.backends import cuda

    return {name: getattr(cuda, f"{switch}_enabled")() for name, switch in FUSED.items()}


def _has(name: str, device: Any, precision: Any) -> bool:
    """Tries a trifle."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    kernel = getattr(SDPBackend, f"{name.upper()}_ATTENTION")
    trifle = torch.zeros(1, 1, 64, 64, device=device, dtype=precision)
    with warnings.catch_warnings(), sdpa_kernel(kernel):
        warnings.simplefilter("ignore")  # on why a kernel is not there
        try:
            scaled_dot_product_attention(trifle, trifle, trifle)
        except RuntimeError:
            return False
    return True
