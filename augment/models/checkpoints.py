"""Weights from files, that hold plain tensors or are refused, into networks that they fit or are refused for."""

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from augment.errors import RequestError
from augment.models.weights import check_file, objects_fault

NESTS = ("model", "state_dict")  # where training scripts put the tensors, beside what else they note
WRAPPED = "module."  # what torch.nn.DataParallel puts before every name
NOT_A_PICKLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    AssertionError, struct.error, zipfile.BadZipFile,
)  # fmt: skip


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name, on the CPU, as stored.

    `path`: a `.safetensors` file, or else what `torch.save` wrote: names and tensors, alone or under `model` or
    `state_dict`. Nothing but tensors is ever unpickled. Raises RequestError where there is no such file, it is a
    Git LFS pointer, empty, cut off, or holds anything else.
    """
    check_file(path)
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    if not state:
        raise RequestError(f"{path} holds no tensors; give a checkpoint with the weights of a network")
    others = [name for name, value in state.items() if not (isinstance(name, str) and torch.is_tensor(value))]
    if others:
        found = ", ".join(f"{name}: {type(state[name]).__name__}" for name in others[:3])
        raise RequestError(f"{path} holds more than named tensors ({found}); save the network's state_dict() alone")
    if all(name.startswith(WRAPPED) for name in state):
        return {name.removeprefix(WRAPPED): value for name, value in state.items()}
    return state


def load_into(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], where: str, unused: Iterable[str] = ()
) -> None:
    """Copy tensors into a network's parameters and buffers of the same names, in the network's dtype.

    `where`: what to call the checkpoint in messages; `unused`: patterns (`*.position_ids`) of names that the checkpoint
    may lack, and that it may have. Raises RequestError, before anything is copied, where names or shapes differ
    otherwise.
    """
    check_state(module, state, where, unused)
    own = module.state_dict()
    module.load_state_dict({name: value for name, value in state.items() if name in own}, strict=False)


def check_state(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], where: str, unused: Iterable[str] = ()
) -> None:
    """Raises RequestError where `load_into` would."""
    own = module.state_dict()
    missing = [name for name in own if name not in state and not _any(name, unused)]
    unexpected = [name for name in state if name not in own and not _any(name, unused)]
    shapes = {
        name: (state[name].shape, value.shape)
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    }
    check_fit(where, type(module).__name__, missing, unexpected, shapes)


def check_fit(
    where: str,
    network: str,
    missing: Collection[str],
    unexpected: Collection[str],
    shapes: Mapping[str, tuple[Iterable[int], Iterable[int]]],
) -> None:
    """Raises RequestError unless a checkpoint has all tensors of a network and no others.

    `where`, `network`: what to call the two in messages; `shapes`: of tensors that differ, what they are and should be.
    """
    differ = [f"{name} {tuple(own)} instead of {tuple(needed)}" for name, (own, needed) in shapes.items()]
    found = [("lacks", missing), ("has the unknown", unexpected), ("has of another shape", differ)]
    faults = [f"{what} {_few(list(names))}" for what, names in found if names]
    if faults:
        raise RequestError(
            f"{where} does not fit this {network}: it {'; it '.join(faults)}; name the architecture, or take the "
            "config.json, that it was saved with"
        )


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise RequestError(f"{path} cannot be read ({error}); get it anew, or give another") from error


def _read_pickle(path: Path) -> dict[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol|'torch.load' received", UserWarning)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except NOT_A_PICKLE as error:
        if foreign := re.search(r"GLOBAL (\S+)", str(error)):  # torch's own message proposes to load it regardless
            raise RequestError(objects_fault(path, [foreign[1]])) from error
        raise RequestError(f"{path} is cut off, or nothing that torch.save wrote; get it anew") from error
    for nest in NESTS:
        state = state[nest] if isinstance(state, dict) and nest in state else state
    if not isinstance(state, dict):
        raise RequestError(f"{path} holds a {type(state).__name__}; save the network's state_dict() instead")
    return dict(state)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
