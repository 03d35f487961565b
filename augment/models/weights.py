"""What is wrong with files of weights, told without loading them: no torch, and nothing is unpickled."""

import hashlib
import json
import pickletools
import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from augment.errors import RequestError
from augment.models.kinds import TOKENIZER, Kind
from augment.models.pipelines import index_of, parts_of, with_variants

LFS_POINTER = b"version https://git-lfs"
FEW = 3  # names in a message
PLAIN = ("collections", "torch", "torch._utils")  # modules that a pickle of names and tensors refers to


def check_file(path: Path) -> None:
    """Raises RequestError where `file_fault` finds something."""
    if fault := file_fault(path):
        raise RequestError(f"{fault}; get it anew, or give another")


def check_folder(folder: Path, kind: Kind) -> None:
    """Raises RequestError where `folder_faults` finds something."""
    if faults := folder_faults(folder, kind):
        raise RequestError(f"{'; '.join(faults)}; get it anew, or give another")


def read_json(path: Path) -> dict[str, Any]:
    """The values in a file, by name. Raises RequestError where it is missing or damaged."""
    check_file(path)
    return dict(json.loads(path.read_bytes()))


def folder_faults(folder: Path, kind: Kind) -> list[str]:
    """What is missing in a folder of a network or a pipeline, or wrong with its files, a line each."""
    config = folder / kind.config
    faults = [file_fault(config)]
    if faults[0] is None:
        index = json.loads(config.read_bytes())
        found = str(index.get(kind.says))
        if found != kind.model_type and not (kind.pipeline and found.startswith(kind.model_type)):
            faults.append(f"{config} is of a network of type {found}; expected {kind.model_type}")
        if kind.pipeline:
            faults += [fault for name in parts_of(index) for fault in _faults_in_pieces(folder / name)]
    if kind.weights and not kind.pipeline:
        faults.append(file_fault(with_variants(folder / kind.file)))
    if kind.vocabulary and not any((folder / name).is_file() for name in TOKENIZER):
        faults.append(f"{folder} has no {' or '.join(TOKENIZER)}")
    return [fault for fault in faults if fault]


def _faults_in_pieces(path: Path) -> Iterator[str | None]:
    """What is wrong with a file, a variant of it or, where it was cut, its pieces."""
    index = index_of(path)
    if index is None:
        yield file_fault(with_variants(path))
    elif fault := file_fault(index):
        yield fault
    elif not isinstance(pieces := json.loads(index.read_bytes()).get("weight_map"), dict):
        yield f"{index} is damaged (no weight_map)"
    else:
        yield from (file_fault(index.with_name(str(name))) for name in sorted(set(pieces.values())))


def file_fault(path: Path) -> str | None:
    """What is wrong with a file, None if nothing is: missing, empty, a Git LFS pointer, cut off, more than tensors."""
    if not path.is_file():
        return f"{path} is missing"
    with path.open("rb") as file:
        head = file.read(len(LFS_POINTER))
    if not head:
        return f"{path} is empty"
    if head == LFS_POINTER:
        return f"{path} is a Git LFS pointer, not the file that it stands for (git lfs pull gets that)"
    if path.suffix == ".safetensors":
        return _safetensors_fault(path)
    if path.suffix == ".json":
        return _json_fault(path)
    return _checkpoint_fault(path, head)


def objects_fault(path: Path, names: Iterable[str]) -> str:
    """What is wrong with a pickle of these objects."""
    return (
        f"{path} holds Python objects ({', '.join(names)}) besides tensors, which can run code, and is not opened "
        "(if you trust it, save its state_dict() alone)"
    )


def checksum_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json_fault(path: Path) -> str | None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        return f"{path} is damaged ({error})"
    return None if isinstance(content, dict) else f"{path} is damaged (no JSON object)"


def _safetensors_fault(path: Path) -> str | None:
    """The header says how long the file has to be."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length) if length < size else b"")
        end = max((item["data_offsets"][1] for name, item in header.items() if name != "__metadata__"), default=0)
    except (struct.error, ValueError, LookupError, TypeError, AttributeError):
        return f"{path} is cut off, or no safetensors file"
    whole = 8 + length + int(end)
    if size == whole:
        return None
    return f"{path} is {'cut off' if size < whole else 'damaged'}: {size} bytes, where its header announces {whole}"


def _checkpoint_fault(path: Path, head: bytes) -> str | None:
    """Of what `torch.save` wrote: a zip, or before PyTorch 1.6 pickles in a row, which only loading can judge."""
    if head[:1] == b"\x80":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
            foreign = _foreign(archive.read(name))
    except (zipfile.BadZipFile, StopIteration, ValueError, EOFError):
        return f"{path} is cut off, or nothing that torch.save wrote"
    return objects_fault(path, foreign) if foreign else None


def _foreign(pickled: bytes) -> list[str]:
    """What a pickle refers to besides names and tensors; in the protocol of torch.save, every reference is a GLOBAL."""
    found = set()
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in ("GLOBAL", "INST") and str(argument).split()[0] not in PLAIN:
            found.add(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            found.add("a pickle of protocol 4")
    return sorted(found)[:FEW]
