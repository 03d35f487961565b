"""What a record is worth: whether it holds what features.json declares, the same number of times each step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robot_io.formats.rlds import example
from robot_io.formats.rlds.features import RAGGED, Feature
from robot_io.formats.rlds.frames import frame_size


@dataclass(frozen=True)
class Finding:
    """About one record."""

    length: int
    """Steps; 0 where unknown."""
    problem: str | None = None
    """Why it cannot be used, or None."""
    absent: tuple[str, ...] = ()
    """Keys of declared features that it lacks."""
    is_example: bool = False
    """True where it could be read, whatever it lacks."""


def examine(payload: bytes, features: Sequence[Feature]) -> Finding:
    """Check a record, without decoding its pictures."""
    try:
        entries = example.entries(payload)
        stored = {feature.key: feature for feature in features if _holds(entries, feature.key)}
        absent = tuple(feature.key for feature in features if not feature.optional and feature.key not in stored)
        counts = _steps(entries, tuple(stored.values()))
    except ValueError as error:
        return Finding(0, f"it is no tf.train.Example that features.json describes: {error}")
    length = max(counts.values(), default=0)
    problem = f"it lacks {', '.join(absent)}, which features.json declares" if absent else None
    return Finding(length, problem or _problem(entries, stored, counts), absent, is_example=True)


def _holds(entries: Mapping[str, memoryview], key: str) -> bool:
    return key in entries or any(found.startswith(f"{key}/") for found in entries)


def _steps(entries: Mapping[str, memoryview], features: Sequence[Feature]) -> dict[str, int]:
    """Feature key -> number of steps stored, where it can be told. Raises ValueError where it cannot be."""
    counts = {}
    for feature in features:
        if not feature.in_steps:
            continue
        if feature.items_per_step and feature.key in entries:
            items = example.values(entries[feature.key])
            if len(items) and isinstance(items, list) != feature.holds_bytes:
                raise ValueError(f"{feature.key} holds {'bytes' if isinstance(items, list) else 'numbers'}")
            counts[feature.key], rest = divmod(len(items), feature.items_per_step)
            if rest:
                raise ValueError(f"{feature.key} holds {len(items)} values, no multiple of {feature.items_per_step}")
        elif feature.key + RAGGED in entries:
            counts[feature.key] = len(example.values(entries[feature.key + RAGGED]))
    return counts


def _problem(entries: Mapping[str, memoryview], stored: Mapping[str, Feature], counts: Mapping[str, int]) -> str | None:
    length = max(counts.values(), default=0)
    if not length:
        return "it has no steps"
    for feature in stored.values():
        if feature.is_camera and not counts.get(feature.key):
            return f"{feature.key} holds no images, although the episode has {length} steps"
    uneven = [f"{key} has {count}" for key, count in counts.items() if count != length]
    if uneven:
        return f"features differ in their number of steps: {uneven[0]}, others have {length}"
    try:
        for feature in stored.values():
            if feature.is_camera:
                frame_size(feature, list(example.values(entries[feature.key])))
    except ValueError as error:
        return str(error)
    return None
