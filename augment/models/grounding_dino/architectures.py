"""The architectures in which Grounding DINO is published, as its authors' package configures them."""

import importlib
from collections.abc import Mapping
from typing import Any

from augment.errors import RequestError

ARCHITECTURES = {"swint_ogc": "GroundingDINO_SwinT_OGC", "swinb_cogcoor": "GroundingDINO_SwinB_cfg"}
"""As the authors' checkpoints are called (groundingdino_swint_ogc.pth), and the package's configurations of them."""

SWIN = {
    "swin_T_224_1k": {"embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24], "window_size": 7},
    "swin_B_384_22k": {"embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32], "window_size": 12},
}
"""The backbones' sizes, by the names that configurations have for them."""

UNUSED = ("label_enc.weight", "bert.embeddings.position_ids", "bert.pooler.*", "*.relative_position_index")
"""What checkpoints may hold, or lack: labels for denoising in training, BERT's pooler, whose output nobody reads, and
tables that follow from the configuration."""


def configuration_of(architecture: str | Mapping[str, Any]) -> dict[str, Any]:
    """The package's configuration of a published architecture, or of one that is given as such a configuration.

    Raises RequestError for an unknown name.
    """
    if isinstance(architecture, Mapping):
        return dict(architecture)
    if architecture not in ARCHITECTURES:
        raise RequestError(f"unknown architecture {architecture!r}; known: {', '.join(ARCHITECTURES)}")
    module = importlib.import_module(f"groundingdino.config.{ARCHITECTURES[architecture]}")
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def swin_sizes(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of a configuration's `backbone`, which is a name in SWIN or has the sizes itself."""
    backbone = configuration["backbone"]
    return dict(SWIN[backbone] if isinstance(backbone, str) else backbone)
