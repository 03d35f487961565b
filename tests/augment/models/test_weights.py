"""What is wrong with files is told without loading them."""

from pathlib import Path

import pytest
import torch
import transformers

from augment.models.kinds import KINDS
from augment.models.weights import file_fault, folder_faults
from tests.weight_files import network, safetensors


def checkpoint(path: Path, **options: bool) -> Path:
    torch.save({"model": {"weight": torch.arange(6.0), "steps": torch.tensor(3)}, "epoch": 7}, path, **options)
    return path


def test_whole_files_have_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(safetensors())
    (tmp_path / "a.json").write_text("{}")
    assert file_fault(tmp_path / "a.safetensors") is None
    assert file_fault(tmp_path / "a.json") is None
    assert file_fault(checkpoint(tmp_path / "a.pth")) is None
    assert file_fault(checkpoint(tmp_path / "old.pth", _use_new_zipfile_serialization=False)) is None


def test_a_file_cut_off_anywhere_is_seen(tmp_path: Path) -> None:
    for name, whole in {
        "a.safetensors": safetensors(),
        "a.pth": checkpoint(tmp_path / "whole.pth").read_bytes(),
        "a.json": b'{"model_type": "sam_hq"}',
    }.items():
        for length in range(0, len(whole), 1 if len(whole) < 500 else 37):
            (tmp_path / name).write_bytes(whole[:length])
            assert file_fault(tmp_path / name), f"{name}, {length} of {len(whole)} bytes"
    (tmp_path / "a.safetensors").write_bytes(safetensors() + b"\x00")
    assert "bytes, where its header announces" in str(file_fault(tmp_path / "a.safetensors"))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "is missing"),
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a Git LFS pointer"),
        (b"<html>404</html>" * 99, "is "),
        (b"\xff" * 64, "is "),
    ],
)
@pytest.mark.parametrize("name", ["model.safetensors", "sam_hq_vit_b.pth", "config.json"])
def test_files_that_are_something_else(tmp_path: Path, name: str, content: bytes | None, fault: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert str(file_fault(tmp_path / name)).startswith(f"{tmp_path / name} {fault}")


class Harmful:
    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.touched,))


@pytest.mark.parametrize("protocol", [2, 4])
def test_objects_in_a_checkpoint_are_named_and_never_made(tmp_path: Path, protocol: int) -> None:
    state = {"model": {"weight": torch.zeros(2)}, "args": Harmful(tmp_path / "touched")}
    torch.save(state, tmp_path / "a.pth", pickle_protocol=protocol)
    fault = file_fault(tmp_path / "a.pth")
    assert fault is not None
    assert "besides tensors, which can run code, and is not opened" in fault
    assert protocol == 4 or "pathlib" in fault
    assert not (tmp_path / "touched").exists()


def test_a_folder_is_of_the_network_that_its_configuration_says(tmp_path: Path) -> None:
    folder = network(tmp_path / "a", "sam_hq")
    assert folder_faults(folder, KINDS["hq_sam"]) == []
    (fault,) = folder_faults(folder, KINDS["dinov2"])
    assert fault.endswith("is of a network of type sam_hq; expected dinov2")


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("grounding_dino", "config.json"),
        ("grounding_dino", "model.safetensors"),
        ("grounding_dino", "vocab.txt"),
        ("bert", "vocab.txt"),
    ],
)
def test_a_folder_lacks_a_file(tmp_path: Path, kind: str, gone: str) -> None:
    folder = network(tmp_path / "a", KINDS[kind].model_type)
    (folder / gone).unlink()
    (fault,) = folder_faults(folder, KINDS[kind])
    assert gone in fault


def test_a_text_encoder_needs_no_weights_of_its_own(tmp_path: Path) -> None:
    folder = network(tmp_path / "a", "bert")
    (folder / "model.safetensors").unlink()
    assert folder_faults(folder, KINDS["bert"]) == []


def test_networks_are_called_what_transformers_calls_them() -> None:
    classes = {
        "grounding_dino": transformers.GroundingDinoConfig,
        "hq_sam": transformers.SamHQConfig,
        "sam2": transformers.Sam2VideoConfig,
        "dinov2": transformers.Dinov2Config,
        "bert": transformers.BertConfig,
        "clip": transformers.CLIPConfig,
    }
    own = "guided_diffusion"
    known = {kind: KINDS[kind].model_type for kind in KINDS if KINDS[kind].says == "model_type" and kind != own}
    assert known == {kind: classes[kind].model_type for kind in classes}


def test_what_transformers_saves_is_whole(tmp_path: Path) -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 14}
    transformers.Dinov2Model(transformers.Dinov2Config(**sizes)).save_pretrained(tmp_path / "saved")
    assert folder_faults(tmp_path / "saved", KINDS["dinov2"]) == []
