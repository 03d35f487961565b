"""Seconds and memory of a plate by what may be chosen, and how much of the chip's peak is reached."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from gc import collect
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from augment.errors import PaintError, RequestError
from augment.models.attention import FUSED, MATH, available
from augment.models.painting.base import Canvas, Sampling, Wording
from augment.models.runtime import Runtime
from workflows._bench_data import paint

WORDS = Wording("a wooden table before a white wall", "a robot")
KEPT = 4  # sides of a canvas over those of what is kept of it
SMALL_MATRIX, LARGE_MATRIX = 1024, 8192  # sides of those that are multiplied, on a CPU and a GPU
OPTIONS: dict[str, dict[str, Any]] = {
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "channels_first": {"layout": "channels_first"},
    "channels_last": {"layout": "channels_last"},
    "compile": {"compile": True},
    "tiles": {"tiles": True},
    "offload": {"offload": True},
    **{f"attend {name}": {"attention": name} for name in (MATH, *FUSED)},
}


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    height: int = 480
    width: int = 640
    steps: Sequence[int] = (10, 25)
    batches: Sequence[int] = (1, 4)
    options: Sequence[str] = tuple(OPTIONS)
    """Each tried by itself, with the fewest steps and the largest batch."""
    rounds: int = 3


@dataclass(frozen=True)
class Trial:
    """One row."""

    model: str
    """One of augment.models.painting.untrained.PLANS."""
    steps: int
    runtime: Runtime
    option: str = ""
    """What differs from the rows without."""


@dataclass(frozen=True, eq=False)
class Known:
    """What need not be measured again."""

    peaks: dict[str, float] = field(default_factory=dict)
    """Operations a second, by precision."""
    operations: dict[tuple[str, int, int], int] = field(default_factory=dict)
    """Of a plate, by model, steps and batch."""


def table(folder: Path, models: Sequence[str], runtime: Runtime, amount: Amount, known: Known) -> Iterator[str]:
    """Lines to print. The runtime's batch does not count. Raises RequestError where packages are missing."""
    yield (
        f"A plate of {amount.height}x{amount.width} by models with weights at random, median of {amount.rounds}; the "
        "peak is that of a product of matrices in the same precision:"
    )
    yield (
        f"{'model':6}{'steps':>6}{'batch':>6}  {'option':15}{'precision':>10}{'s a plate':>11}{'TFLOP':>8}"
        f"{'TFLOP/s':>9}{'of peak':>9}{'weights MB':>12}{'peak MB':>9}"
    )
    for trial in _trials(models, runtime, amount):
        yield _row(folder, trial, known, amount)


def _trials(models: Sequence[str], runtime: Runtime, amount: Amount) -> Iterator[Trial]:
    """Options last, as operations are counted without them; only those that change anything here."""
    most = replace(runtime, batch=max(amount.batches))
    on_gpu = runtime.place()[0].type != "cpu"
    for model in models:
        for steps in amount.steps:
            for batch in amount.batches:
                yield Trial(model, steps, replace(runtime, batch=batch))
        for option in amount.options:
            changed = replace(most, **OPTIONS[option])
            if changed.attention not in available(*changed.place()):
                continue
            if changed.rounding != most.rounding or (changed.offload and on_gpu):
                yield Trial(model, min(amount.steps), changed, option)


def _row(folder: Path, trial: Trial, known: Known, amount: Amount) -> str:
    precision = str(trial.runtime.place()[1]).removeprefix("torch.")
    head = f"{trial.model:6}{trial.steps:6}{trial.runtime.batch:6}  {trial.option:15}{precision:>10}"
    try:
        return head + _figures(folder, trial, known, amount)
    except (PaintError, RequestError) as error:  # too little memory, no compiler
        return f"{head}  {error}"


def _figures(folder: Path, trial: Trial, known: Known, amount: Amount) -> str:
    from augment.models.gauge import Gauge, operations
    from augment.models.painting.settling import painter_of
    from augment.models.painting.untrained import megabytes, untrained

    trial.runtime.check()
    gauge = Gauge(trial.runtime)
    collect()  # networks of the row before
    others = gauge.held()
    painter = painter_of(untrained(trial.model, folder, [WORDS.prompt], trial.runtime), None, None, trial.runtime)
    work = partial(painter, canvases(trial.runtime.batch, amount), WORDS, Sampling(steps=trial.steps), 0)
    batch, precision = trial.runtime.batch, str(trial.runtime.place()[1])
    key = trial.model, trial.steps, batch
    if key not in known.operations:
        known.operations[key] = operations(work) // batch
    if precision not in known.peaks:
        known.peaks[precision] = gauge.peak(LARGE_MATRIX if gauge.on_gpu else SMALL_MATRIX)
    gauge.cost(work)  # to warm up
    held = gauge.held()
    costs = [gauge.cost(work) for _ in range(amount.rounds)]
    seconds, plate = median(cost.seconds for cost in costs) / batch, known.operations[key]
    memory = f"{held - others + max(cost.megabytes or 0.0 for cost in costs):9.0f}" if gauge.on_gpu else ""
    return (
        f"{seconds:11.3f}{plate / 1e12:8.3f}{plate / seconds / 1e12:9.3f}"
        f"{plate / seconds / known.peaks[precision]:9.0%}{megabytes(painter.base):12.0f}{memory}"
    )


def canvases(number: int, amount: Amount) -> list[Canvas]:
    """Frames of which a part in the middle is kept, each with its own noise."""
    keep = np.zeros((amount.height, amount.width), np.float32)
    rows, columns = (slice(side // KEPT, 2 * side // KEPT) for side in keep.shape)
    keep[rows, columns] = 1
    return [Canvas(frame, keep, index) for index, frame in enumerate(paint(0, number, amount.height, amount.width))]
