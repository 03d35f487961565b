"""`restage inspect`: print what is in a dataset."""

import json
import sys
from collections import Counter
from typing import Any

import numpy as np

from robot_io.errors import EpisodeError
from robot_io.formats.base import Dataset
from workflows import _config
from workflows._dataset import open_configured


def main(config: Any) -> int:
    """Returns 0; unusable episodes are listed, not fatal. Raises DatasetError, RequestError."""
    report = describe(open_configured(config))
    as_json = _config.flag(config, "json")
    sys.stdout.write((json.dumps(report, indent=2) if as_json else _as_text(report)) + "\n")
    return 0


def describe(dataset: Dataset) -> dict[str, Any]:
    """The dataset as JSON values; cameras, signals and language are those of all usable episodes."""
    cameras: Counter[str] = Counter()
    signals: Counter[str] = Counter()
    language: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    problems = {entry.name: entry.problem for entry in dataset.entries if entry.problem}
    for entry in dataset.entries:
        if entry.problem:
            continue
        try:
            episode = dataset.open(entry.id)
        except EpisodeError as error:
            problems[entry.name] = str(error)
            continue
        cameras.update(f"{name}: {frames.height}x{frames.width}" for name, frames in episode.cameras.items())
        signals.update(f"{name}: {value.dtype} {_step_shape(value)}" for name, value in episode.signals.items())
        language.update(episode.language)
        masks.update(f"{camera}: {track.role}" for camera, tracks in episode.masks.items() for track in tracks)
    usable = [entry for entry in dataset.entries if entry.name not in problems]
    lengths = [entry.length for entry in usable]
    return {
        "path": str(dataset.path),
        "format": dataset.format,
        "episodes": len(dataset.entries),
        "distinct": len({entry.id for entry in usable}),
        "variants": sum(dataset.provenance(entry.name) is not None for entry in usable),
        "steps": sum(lengths),
        "length": {"min": min(lengths, default=0), "max": max(lengths, default=0)},
        "splits": dict(sorted(Counter(split for entry in dataset.entries for split in entry.splits).items())),
        "cameras": dict(sorted(cameras.items())),
        "signals": dict(sorted(signals.items())),
        "masks": dict(sorted(masks.items())),
        "language": dict(language.most_common(20)),
        "problems": problems,
        "unsound": dataset.problems(),
    }


def _step_shape(value: np.ndarray) -> str:
    return "x".join(map(str, value.shape[1:])) or "scalar"


def _as_text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['path']}  ({report['format']})",
        f"{report['episodes']} episodes ({report['distinct']} distinct, {report['variants']} variants), "
        f"{report['steps']} steps, {report['length']['min']} to {report['length']['max']} an episode",
    ]
    for title in ("splits", "cameras", "signals", "masks", "language", "problems"):
        if report[title]:
            lines += [f"{title}:", *(f"  {name}  ({count})" for name, count in report[title].items())]
    lines += [f"unsound: {problem}" for problem in report["unsound"]]
    return "\n".join(lines)
