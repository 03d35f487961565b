"""One tiny network, its checkpoint, and the same as a Hub folder, for all tests here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from augment.models.grounding_dino.export import export_hub
from tests.augment.models.grounding_dino import networks


@dataclass(frozen=True)
class Files:
    network: Any
    texts: Path
    checkpoint: Path
    hub: Path


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("grounding_dino")
    texts = networks.text_encoder(folder / "bert")
    net = networks.network(texts)
    checkpoint = folder / "tiny.pth"
    torch.save({"model": networks.state(net)}, checkpoint)
    export_hub(checkpoint, networks.CONFIGURATION, texts, folder / "hub")
    return Files(net, texts, checkpoint, folder / "hub")
