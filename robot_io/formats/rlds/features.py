"""features.json: what is stored under which key of an Example."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from robot_io.formats.rlds.example import Values

STEPS = "steps"
RAGGED = "/ragged_row_lengths_0"
"""Where the number of values of each step is stored when steps differ in it."""

_NOT_A_KIND = {"pythonClassName", "description", "valueRange"}


@dataclass(frozen=True)
class Feature:
    """A leaf of features.json."""

    key: str
    """Of the Example: its path, joined with `/`."""
    kind: str
    """The name features.json gives its description: `tensor`, `image`, `text`, ..."""
    nested: tuple[int | None, ...]
    """Lengths of the sequences it stands in within a step; None where they vary."""
    shape: tuple[int | None, ...]
    """Of one value; an image's (height, width, channels); None where unknown."""
    dtype: str
    encoded: bool
    """True for a tensor stored as one string of bytes."""
    optional: bool

    @property
    def in_steps(self) -> bool:
        return self.key.startswith(f"{STEPS}/")

    @property
    def is_camera(self) -> bool:
        if self.kind != "image" or not self.in_steps or self.nested or self.dtype != "uint8":
            return False
        return len(self.shape) == 3 and self.shape[2] in (3, None)

    @property
    def is_signal(self) -> bool:
        """True for numbers whose count is the same at each step."""
        numeric = self.kind == "tensor" and not self.encoded and _is_number(self.dtype)
        return numeric and self.in_steps and bool(self.items_per_step)

    @property
    def holds_bytes(self) -> bool:
        """True for what is stored as strings of bytes rather than as numbers."""
        return self.kind in ("image", "text") or (
            self.kind == "tensor" and (self.encoded or not _is_number(self.dtype))
        )

    @property
    def is_language(self) -> bool:
        text = self.kind == "text" or (self.kind == "tensor" and self.dtype == "string" and not self.shape)
        return text and self.in_steps and not self.nested and ("language" in self.key or "instruction" in self.key)

    @property
    def items_per_step(self) -> int | None:
        """How many items of the stored list belong to a step; None where unknown or not the same at each."""
        if self.kind not in ("tensor", "image", "text", "classLabel"):
            return None
        dimensions = self.nested + (self.shape if self.kind == "tensor" and not self.encoded else ())
        return None if None in dimensions else prod(size for size in dimensions if size is not None)

    def steps_of(self, stored: Values, length: int) -> np.ndarray:
        """A signal's values as `(length, ...)` in its declared dtype."""
        shape = tuple(size or 0 for size in self.nested + self.shape)
        items = np.asarray(stored)
        dtype = np.dtype(self.dtype)
        cast = items.view(dtype) if dtype == np.uint64 else items.astype(dtype)
        return cast.reshape(length, *shape)


def leaves(root: Mapping[str, Any]) -> tuple[Feature, ...]:
    """The leaves of a parsed features.json. Raises KeyError, TypeError or ValueError where it is malformed."""
    return tuple(_leaves(root, "", ()))


def cameras(features: Sequence[Feature]) -> dict[str, Feature]:
    """Camera name -> feature. The name is the path below `steps/observation/`, or below `steps/`."""
    found: dict[str, Feature] = {}
    for feature in features:
        if feature.is_camera:
            path = feature.key.removeprefix(f"{STEPS}/")
            name = path.removeprefix("observation/")
            found[path if name in found else name] = feature
    return found


def _leaves(node: Mapping[str, Any], key: str, nested: tuple[int | None, ...]) -> Iterator[Feature]:
    if "featuresDict" in node:
        for name, child in node["featuresDict"].get("features", {}).items():
            yield from _leaves(child, f"{key}/{name}" if key else name, nested)
    elif "sequence" in node:
        sequence = node["sequence"]
        length = _dimension(sequence.get("length", -1))
        yield from _leaves(sequence["feature"], key, nested if key == STEPS else (*nested, length))
    else:
        kind = next((name for name in node if name not in _NOT_A_KIND), "")
        content = node.get(kind, {})
        yield Feature(
            key,
            kind,
            nested,
            tuple(_dimension(size) for size in content.get("shape", {}).get("dimensions", [])),
            content.get("dtype", "uint8" if kind == "image" else ""),
            content.get("encoding", "none") != "none",
            bool(content.get("optional", False)),
        )


def _dimension(size: str | int) -> int | None:
    return int(size) if int(size) >= 0 else None


def _is_number(dtype: str) -> bool:
    try:
        return np.dtype(dtype).kind in "biuf"
    except TypeError:  # a string, or a type that numpy lacks
        return False
