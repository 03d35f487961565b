"""What is read from a file is tensors, or nothing is read."""

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from augment.errors import RequestError
from augment.models.checkpoints import load_into, read_state

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234\n"


class Opens:
    """Runs code when it is unpickled without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "saved", [STATE, {"model": STATE, "epoch": 3}, {"state_dict": {f"module.{name}": STATE[name] for name in STATE}}]
)
@pytest.mark.parametrize("zipped", [True, False])
def test_states_are_found_where_training_scripts_put_them(tmp_path: Path, saved: dict, zipped: bool) -> None:
    path = tmp_path / "checkpoint.pth"
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    state = read_state(path)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    assert torch.equal(read_state(tmp_path / "model.safetensors")["weight"], STATE["weight"])


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_in_a_pickle_are_refused_and_never_run(tmp_path: Path, zipped: bool) -> None:
    path, ran = tmp_path / "checkpoint.pth", tmp_path / "ran"
    torch.save({"weight": Opens(ran)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RequestError, match="Python objects"):
        read_state(path)
    assert not ran.exists()
    torch.save({"model": STATE, "args": argparse.Namespace(lr=1)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RequestError, match="Namespace"):
        read_state(path)


@pytest.mark.parametrize(("saved", "told"), [({"lr": 0.1}, "lr: float"), ([1], "a list"), ({}, "no tensors")])
def test_what_is_no_state_is_refused(tmp_path: Path, saved: object, told: str) -> None:
    torch.save(saved, tmp_path / "checkpoint.pth")
    with pytest.raises(RequestError, match=told):
        read_state(tmp_path / "checkpoint.pth")


@pytest.mark.parametrize("name", ["checkpoint.pth", "model.safetensors"])
@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "is empty; get it anew"), (POINTER, "git lfs pull"), (b"<!DOCTYPE html>", "is cut off, or no")],
)
def test_files_that_are_no_checkpoints_are_told_apart(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match=told):
        read_state(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("form", ["zipped", "old", "safetensors"])
def test_files_that_were_cut_off_are_refused(tmp_path: Path, form: str, share: float) -> None:
    path = tmp_path / ("model.safetensors" if form == "safetensors" else "checkpoint.pth")
    if form == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=form == "zipped")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RequestError, match="cut off"):
        read_state(path)


def test_a_state_that_does_not_fit_leaves_the_network_as_it_was() -> None:
    linear = torch.nn.Linear(3, 2)
    before = linear.weight.clone()
    wrong = {"weight": torch.zeros(2, 4), "scale": torch.ones(1)}
    with pytest.raises(
        RequestError, match=r"here\.pth.*lacks bias.*unknown scale.*weight \(2, 4\) instead of \(2, 3\)"
    ):
        load_into(linear, wrong, "here.pth")
    with pytest.raises(RequestError, match="lacks bias"):
        load_into(linear, {"weight": torch.zeros(2, 3)}, "here.pth")
    assert torch.equal(linear.weight, before)


def test_a_state_that_fits_is_loaded_in_the_dtype_of_the_network() -> None:
    linear = torch.nn.Linear(3, 2).bfloat16()
    load_into(linear, {"weight": STATE["weight"], "old.step": torch.ones(1)}, "here.pth", ("bias", "old.*"))
    assert linear.weight.dtype == torch.bfloat16
    assert torch.equal(linear.weight.float(), STATE["weight"])
