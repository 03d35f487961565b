"""Tiny files in the shapes in which weights come, and a Hub cache as the library lays it out."""

import hashlib
import json
import struct
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def safetensors(values: bytes = b"\x00\x00\x80\x3f") -> bytes:
    """A file with one tensor."""
    tensor = {"dtype": "U8", "shape": [len(values)], "data_offsets": [0, len(values)]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + values


def network(folder: Path, model_type: str, values: bytes = b"\x00\x00\x80\x3f") -> Path:
    """A transformers folder, with a vocabulary."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    (folder / "model.safetensors").write_bytes(safetensors(values))
    (folder / "vocab.txt").write_text("[PAD]\nrobot\n")
    return folder


def cached(cache: Path, source: str, commit: str = COMMIT, branch: str | None = None) -> Path:
    """Where the snapshot of a commit belongs in a Hub cache; its parents are made."""
    repository = cache / f"models--{source.replace('/', '--')}"
    (repository / "snapshots").mkdir(parents=True, exist_ok=True)
    if branch:
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / branch).write_text(commit)
    return repository / "snapshots" / commit


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
