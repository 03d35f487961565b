"""`restage models action=convert` with real networks, small: what it makes serves, and leads back."""

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import pytest
import torch

from augment.models.grounding_dino import architectures
from augment.models.hq_sam import original
from tests.augment.models.grounding_dino import networks
from tests.augment.models.hq_sam.networks import small
from tests.weight_files import network
from tests.workflows.test_cli import refused
from workflows.cli import main


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """An original checkpoint of each network, at whose size the packages' own architectures are for now."""
    monkeypatch.setitem(original.segment_anything_hq.sam_model_registry, "vit_b", lambda: small(seed=1))
    configuration = ModuleType("configuration")
    vars(configuration).update(networks.CONFIGURATION)
    monkeypatch.setitem(sys.modules, f"groundingdino.config.{architectures.ARCHITECTURES['swint_ogc']}", configuration)
    detector = networks.network(networks.text_encoder(tmp_path / "bert"))
    torch.save({"model": networks.state(detector)}, tmp_path / "swint_ogc.pth")
    torch.save(small().state_dict(), tmp_path / "vit_b.pth")
    return {name: tmp_path / f"{name}.pth" for name in ("swint_ogc", "vit_b")}


def convert(source: Path, out: Path, *words: str) -> list[str]:
    pack = ["models=grounded_original", f"models.detector.text_encoder.source={source.parent / 'bert'}"]
    return ["models", "action=convert", *pack, f"source.path={source}", f"output.path={out}", *words]


@pytest.mark.parametrize("architecture", ["swint_ogc", "vit_b"])
def test_there_and_back(checkpoints: dict[str, Path], tmp_path: Path, architecture: str) -> None:
    source, folder = checkpoints[architecture], tmp_path / "folder"
    assert main(convert(source, folder, f"architecture={architecture}")) == 0
    assert main(convert(folder, tmp_path / "again.pth")) == 0
    state, again = torch.load(source), torch.load(tmp_path / "again.pth")
    if architecture == "swint_ogc":
        assert again.keys() == {"model"}, "as the authors' package reads it"
        again = {f"module.{name}": value for name, value in again["model"].items()}
        unused = [f"module.{pattern}" for pattern in architectures.UNUSED]
        state = {name: value for name, value in state["model"].items() if not any(fnmatchcase(name, p) for p in unused)}
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_folders_that_were_made_serve_as_sources(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    made = {"detector": tmp_path / "detector", "segmenter": tmp_path / "segmenter"}
    for architecture, folder in zip(checkpoints, made.values(), strict=True):
        assert main(convert(checkpoints[architecture], folder, f"architecture={architecture}")) == 0
    assert main(["models", "models=tabletop", *(f"models.{role}.source={made[role]}" for role in made)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["architecture=vit_g"], "unknown architecture=vit_g; known: swint_ogc, swinb_cogcoor, vit_tiny"),
        (["architecture=vit_tiny"], "TinyViT) is not in transformers; keep the original checkpoint"),
        (["architecture=swint_ogc"], "tensors are none of a Grounding DINO's"),
        (["models=grounded_tiny", "architecture=swint_ogc"], "choose a pack that names one"),
        ([], "architecture is required"),
        (["output.path=/"], "output.path=/ exists; choose another"),
        (["source.path=nowhere.pth"], "source.path=nowhere.pth does not exist"),
        (["source.path=pyproject.toml", "architecture=vit_b"], "pyproject.toml is cut off, or nothing that"),
    ],
)
def test_conversions_that_are_refused(
    checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    before = set(tmp_path.iterdir())
    request = convert(checkpoints["vit_b"], tmp_path / "made", *words)
    if "models=grounded_tiny" in words:
        request = [word for word in request if "grounded_original" not in word and "text_encoder" not in word]
    assert message in refused(capsys, *request)
    assert set(tmp_path.iterdir()) == before


def test_folders_of_which_there_are_no_original_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = network(tmp_path / "folder", "dinov2")
    assert "of type dinov2; known: grounding-dino, sam_hq" in refused(capsys, *convert(folder, tmp_path / "made"))
    assert not (tmp_path / "made").exists()
