"""Files that are opened, and files that are refused in one clear sentence."""

import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from augment.errors import RequestError
from augment.models.grounding_dino.detector import Preprocessing
from augment.models.grounding_dino.export import export_hub, export_original
from augment.models.grounding_dino.hub import open_hub, preprocessing_of
from augment.models.grounding_dino.original import open_original
from augment.models.runtime import Runtime
from tests.augment.models.grounding_dino import networks
from tests.augment.models.grounding_dino.conftest import Files

CPU = Runtime(device="cpu")


def test_both_doors_stay_offline_and_draw_no_random_numbers(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = torch.random.get_rng_state()
    open_original(files.checkpoint, networks.CONFIGURATION, files.texts, CPU)
    open_hub(files.hub, CPU)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_exported_checkpoint_finds_what_the_folder_finds(files: Files, tmp_path: Path) -> None:
    export_original(files.hub, tmp_path / "again.pth")
    again = open_original(tmp_path / "again.pth", networks.CONFIGURATION, files.texts, CPU)
    once = open_original(files.checkpoint, networks.CONFIGURATION, files.texts, CPU)
    again, once = (replace(detector, preprocessing=Preprocessing(96, 160)) for detector in (again, once))
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    one, other = again([picture], ["red cube"])[0], once([picture], ["red cube"])[0]
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.scores, other.scores)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    state = load_file(path) if path.suffix == ".safetensors" else torch.load(path)["model"]
    change(state)
    save_file(state, path) if path.suffix == ".safetensors" else torch.save({"model": state}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "cut off"),
        (lambda path: changed(path, lambda state: state.pop("module.feat_map.bias")), r"lacks feat_map\.bias"),
        (lambda path: changed(path, lambda state: state.update({"module.x": torch.zeros(1)})), "unknown x"),
        (
            lambda path: changed(path, lambda state: state.update({"module.feat_map.bias": torch.zeros(7)})),
            r"feat_map\.bias \(7,\) instead of \(256,\)",
        ),
        (lambda path: torch.save({"model": {"a": print}}, path), "besides tensors"),
    ],
)
def test_a_broken_original_is_refused(
    files: Files, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    checkpoint = Path(shutil.copy(files.checkpoint, tmp_path))
    damage(checkpoint)
    with pytest.raises(RequestError, match=message):
        open_original(checkpoint, networks.CONFIGURATION, files.texts, CPU)


def test_an_original_of_another_architecture_is_refused(files: Files) -> None:
    other = {**networks.CONFIGURATION, "enc_layers": 1, "num_queries": 20}
    with pytest.raises(RequestError, match=r"unknown transformer\.encoder\.layers\.1\..*name the architecture"):
        open_original(files.checkpoint, other, files.texts, CPU)
    with pytest.raises(RequestError, match="unknown architecture 'swin_x'; known: swint_ogc, swinb_cogcoor"):
        open_original(files.checkpoint, "swin_x", files.texts, CPU)


def test_nothing_is_exported_that_does_not_fit(files: Files, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"lacks .*encoder\.layers\.2\..*name the architecture"):
        export_hub(files.checkpoint, {**networks.CONFIGURATION, "enc_layers": 3}, files.texts, tmp_path / "hub")
    folder = Path(shutil.copytree(files.hub, tmp_path / "cut"))
    changed(folder / "model.safetensors", lambda state: state.pop("model.level_embed"))
    with pytest.raises(RequestError, match=r"lacks model\.level_embed"):
        export_original(folder, tmp_path / "tiny.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["cut"]


def test_a_text_encoder_that_is_none_is_refused(files: Files, tmp_path: Path) -> None:
    for folder, message in [
        (tmp_path / "nothing", "is no folder"),
        (tmp_path, "has no tokenizer"),
        (files.hub, "of type grounding-dino; expected bert"),
    ]:
        with pytest.raises(RequestError, match=message):
            open_original(files.checkpoint, networks.CONFIGURATION, folder, CPU)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", cut, "cut off"),
        (
            "model.safetensors",
            lambda path: changed(path, lambda state: state.pop("model.text_projection.bias")),
            r"lacks model\.text_projection\.bias",
        ),
        (
            "model.safetensors",
            lambda path: changed(path, lambda state: state.update({"x": torch.zeros(1)})),
            "unknown x",
        ),
        (
            "model.safetensors",
            lambda path: changed(path, lambda state: state.update({"model.text_projection.bias": torch.zeros(7)})),
            r"of another shape model\.text_projection\.bias \(7,\) instead of \(256,\)",
        ),
        ("config.json", Path.unlink, r"config\.json is missing"),
        ("config.json", lambda path: path.write_text("{}"), "of type None; expected grounding-dino"),
        ("preprocessor_config.json", lambda path: path.write_text('{"size": {"height": 1}}'), "needed: shortest_edge"),
    ],
)
def test_a_broken_folder_is_refused(
    files: Files, tmp_path: Path, name: str, damage: Callable[[Path], object], message: str
) -> None:
    folder = Path(shutil.copytree(files.hub, tmp_path / "hub"))
    damage(folder / name)
    with pytest.raises(RequestError, match=message):
        open_hub(folder, CPU)


def test_a_tokenizer_with_other_numbers_is_refused(files: Files, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(files.hub, tmp_path / "hub"))
    (folder / "tokenizer.json").unlink()  # from which it would be read rather than from this
    words = (files.texts / "vocab.txt").read_text().splitlines()
    words[1012:1014] = words[1013], "."
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    with pytest.raises(RequestError, match=r"other numbers for .*1013.*1012"):
        open_hub(folder, CPU)


def test_preprocessing_is_the_checkpoints_own(tmp_path: Path) -> None:
    assert preprocessing_of(tmp_path) == Preprocessing()
    own = {"size": {"shortest_edge": 300, "longest_edge": 500}, "image_mean": [0.5, 0.5, 0.5]}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": own}))
    assert preprocessing_of(tmp_path) == Preprocessing(300, 500, mean=(0.5, 0.5, 0.5))
