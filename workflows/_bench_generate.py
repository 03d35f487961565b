"""`restage bench name=generate`: one plate for all frames beside a picture for each of them, then what a plate costs.

Networks of the real classes with weights at random: they cost what trained ones do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from augment.errors import RequestError
from augment.generate import Outpaint
from augment.models.packs import Pack
from augment.models.runtime import Runtime
from augment.pipeline import Flow
from augment.plan import Step
from augment.types import Granularity
from robot_io import open_dataset
from robot_io.atomic import remove
from workflows import _bench_plates, _config
from workflows._bench_data import CAMERAS, make_recording
from workflows._bench_networks import SIZES
from workflows._bench_plates import WORDS
from workflows._bench_scene import Work

LENGTHS = (50, 200, 600)
TARGET = 50.0  # stage `generate` with a picture for each frame over one with a plate, at the greatest length


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    lengths: Sequence[int] = LENGTHS
    """Frames of the episodes, ascending."""
    height: int = 240
    width: int = 320
    """Of the episodes' one camera."""
    steps: int = 8
    plates: _bench_plates.Amount = field(default_factory=_bench_plates.Amount)


def measure(folder: Path, size: str, runtime: Runtime, amount: Amount = Amount()) -> Iterator[str]:
    """Lines to print. `size`: of the networks that paint plates, one of SIZES; `auto` is full on a GPU.

    Raises RequestError for another size, and where packages or the device are missing.
    """
    if size not in SIZES:
        raise RequestError(f"unknown size={size}; known: {', '.join(SIZES)}")
    runtime.check()
    try:
        from augment.models.gauge import Gauge
        from augment.models.painting.untrained import write_untrained
    except ImportError as error:
        raise RequestError(f"networks need more packages ({error}); pip install 'restage[models]'") from error
    gauge = Gauge(runtime)
    yield str(gauge)
    yield from _episodes(folder, write_untrained(folder / "pack", [WORDS.prompt]), gauge, amount)
    yield ""
    full, known = size == "full" or (size == "auto" and gauge.on_gpu), _bench_plates.Known()
    yield from _bench_plates.table(folder, ("sd15", "sdxl") if full else ("small",), runtime, amount.plates, known)


def painting(pack: Pack, runtime: Runtime, granularity: str, steps: int) -> Flow:
    """Surroundings of one candidate, from a pack; nothing is checked."""
    flow = _config.build_flow(_config.load("augment", ["segment=motion", "recipe=texture", "check=none"]))
    options: dict[str, Any] = {"prompt": WORDS.prompt, "negative": WORDS.negative, "guidance": 2.0, "candidates": 1}
    generator = Outpaint(**options, granularity=granularity, steps=steps, pack=pack, runtime=runtime)
    return replace(flow, recipe=replace(flow.recipe, steps=(Step("background", "outpaint", generator),)))


def _episodes(folder: Path, pack: Pack, gauge: Any, amount: Amount) -> Iterator[str]:
    plate, frame = (painting(pack, gauge.runtime, way, amount.steps) for way in (Granularity.PLATE, Granularity.FRAME))
    yield (
        f"One camera of {amount.height}x{amount.width}, gzipped HDF5; a small model, {amount.steps} steps, one "
        "candidate. Seconds of stage generate, of an episode, of a frame:"
    )
    heads = "".join(f"{name:>12}{'episode':>9}{'a frame':>9}" for name in ("plate", "frame"))
    yield f"{'frames':>8}{heads}{'generate':>12}{'episode':>9}"
    _seconds(plate, folder, min(amount.lengths), gauge, amount)  # to warm up
    ratio = 0.0
    for length in amount.lengths:
        ours, theirs = (_seconds(flow, folder, length, gauge, amount) for flow in (plate, frame))
        ratio = theirs[0] / ours[0]
        figures = "".join(f"{part:12.2f}{whole:9.2f}{whole / length:9.3f}" for part, whole in (ours, theirs))
        yield f"{length:8}{figures}{ratio:12.1f}{theirs[1] / ours[1]:9.1f}"
    yield f"generate, frame / plate: {ratio:.1f} (at least {TARGET:.0f}) {'met' if ratio >= TARGET else 'MISSED'}"


def _seconds(flow: Flow, folder: Path, length: int, gauge: Any, amount: Amount) -> tuple[float, float]:
    """Of stage `generate`, and of all from survey to encoded frames."""
    source = folder / "episode.hdf5"
    make_recording(source, length, amount.height, amount.width, cameras=CAMERAS[:1])
    dataset, work, clocks = open_dataset(source), Work(flow, folder / "work", gauge.clock), []
    whole = gauge.cost(lambda: clocks.append(work.restage(dataset, dataset.entries[0].id))).seconds
    remove(source)
    return clocks[0].seconds["generate"], whole
