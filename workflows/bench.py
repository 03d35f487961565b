"""`restage bench`: figures as ratios, measured side by side in one run."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from augment.errors import RequestError
from workflows import _bench_io, _bench_pipeline, _bench_scene, _config

BENCHES: dict[str, Callable[[Path], Iterator[str]]] = {
    "io": _bench_io.measure,
    "pipeline": _bench_pipeline.measure,
    "scene": _bench_scene.measure,
}


def main(config: Any) -> int:
    """Returns 0. Raises RequestError for an unknown bench, RunError where a run that is measured fails."""
    name = _config.text(config, "name")
    if name not in BENCHES:
        raise RequestError(f"unknown name={name}; known: {', '.join(BENCHES)}")
    with TemporaryDirectory(prefix="restage-bench-") as folder:
        for line in BENCHES[name](Path(folder)):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0
