"""`restage bench`: figures as ratios, measured side by side in one run."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from augment.errors import RequestError
from augment.models.runtime import Runtime
from workflows import _bench_generate, _bench_io, _bench_networks, _bench_pipeline, _bench_scene, _config


def _on_device(measure: Callable[[Path, str, Runtime], Iterator[str]], folder: Path, config: Any) -> Iterator[str]:
    runtime = Runtime(_config.text(config, "device") or "auto", _config.text(config, "precision") or "auto")
    return measure(folder, _config.text(config, "size") or "auto", runtime)


BENCHES: dict[str, Callable[[Path, Any], Iterator[str]]] = {
    "io": lambda folder, _: _bench_io.measure(folder),
    "pipeline": lambda folder, _: _bench_pipeline.measure(folder),
    "scene": lambda folder, _: _bench_scene.measure(folder),
    "networks": partial(_on_device, _bench_networks.measure),
    "generate": partial(_on_device, _bench_generate.measure),
}


def main(config: Any) -> int:
    """Returns 0. Raises RequestError for an unknown bench, RunError where a run that is measured fails."""
    name = _config.text(config, "name")
    if name not in BENCHES:
        raise RequestError(f"unknown name={name}; known: {', '.join(BENCHES)}")
    with TemporaryDirectory(prefix="restage-bench-") as folder:
        for line in BENCHES[name](Path(folder), config):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0
