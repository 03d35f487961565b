"""Networks from Hub folders: what is whole loads without a network, what is not is one clear error."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Dinov2Model

from augment.errors import RequestError
from augment.models import dinov2, sam2
from augment.models.hub import load
from augment.models.runtime import Runtime
from tests.augment.models import tiny

CPU = Runtime(device="cpu")


def test_loading_asks_no_network_and_draws_no_random_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.dinov2(tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    state = torch.get_rng_state()
    network = load(Dinov2Model, "dinov2", tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training
    stored = load_file(tmp_path / "model.safetensors").values()  # under names that changed since
    loaded = network.state_dict().values()
    assert sorted(value.numpy().tobytes() for value in loaded) == sorted(value.numpy().tobytes() for value in stored)


def test_loading_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiny.dinov2(tmp_path)
    capfd.readouterr()
    load(Dinov2Model, "dinov2", tmp_path)
    assert capfd.readouterr() == ("", "")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def partial(path: Path) -> None:
    weights = load_file(path)
    del weights["layernorm.weight"]
    save_file(weights, path, metadata={"format": "pt"})


def larger(path: Path) -> None:
    weights = load_file(path)
    weights["layernorm.weight"] = torch.zeros(99)
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "is missing"),
        (truncated, "is cut off"),
        (partial, r"does not fit this Dinov2Model: it lacks layernorm\.weight"),
        (larger, r"of another shape layernorm\.weight \(99,\) instead of \(32,\)"),
    ],
)
def test_damaged_weights_are_refused(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    tiny.dinov2(tmp_path)
    damage(tmp_path / "model.safetensors")
    with pytest.raises(RequestError, match=said):
        dinov2.open_hub(tmp_path, CPU)


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"model_type": "bert"})])
def test_other_configurations_are_refused(tmp_path: Path, content: str) -> None:
    tiny.dinov2(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RequestError, match=r"config\.json"):
        dinov2.open_hub(tmp_path, CPU)


def test_a_network_for_something_else_is_refused(tmp_path: Path) -> None:
    tiny.dinov2(tmp_path)
    with pytest.raises(RequestError, match="is of a network of type dinov2; expected sam2_video"):
        sam2.open_hub(tmp_path, CPU)
