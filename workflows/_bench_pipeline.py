"""`restage bench name=pipeline`: where the time of a run goes, and its peak memory against the episodes' length."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from augment.errors import RunError
from augment.pipeline.stopwatch import Stopwatch
from robot_io import open_dataset
from robot_io.atomic import remove
from workflows._bench_data import CAMERAS, make_recording
from workflows._bench_io import WINDOW

VARIANTS = 2
LENGTHS = (125, 250, 500, 1000)
FLAT = 1.25  # peak memory of the longest episode over that of the shortest
PEAK_TARGET = 1500.0  # MB
AT_ONCE = 2  # runs side by side; what they are measured for does not depend on speed

# A process inherits the peak of the one that starts it, so that a small one must: prints the peak in KiB.
LAUNCHER = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    """What a `restage augment` in a process of its own came to."""

    seconds: float
    """From its start to its end."""
    peak: float
    """MB (10^6 bytes) resident at most."""
    summary: Mapping[str, Any]


def measure(
    folder: Path, length: int = 100, lengths: Sequence[int] = LENGTHS, height: int = 480, width: int = 640
) -> Iterator[str]:
    """Restage synthetic recordings in `folder`; lines to print. Raises RunError when a run fails."""
    yield f"One episode of {length} frames x {len(CAMERAS)} cameras {height}x{width}, {VARIANTS} variants, one process:"
    source, out = folder / "recording.hdf5", folder / "restaged.hdf5"
    make_recording(source, length, height, width)
    run = augment(source, out, VARIANTS)
    yield from _stages(run, codec_seconds(source, out, folder / "frames"))
    remove(source)
    _remove_run(out)
    yield ""
    yield f"Peak memory of the process, {len(CAMERAS)} cameras {height}x{width}, 1 variant:"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        longest_first = sorted(lengths, reverse=True)
        peaks = dict(zip(longest_first, pool.map(lambda n: peak(folder, n, height, width), longest_first), strict=True))
    yield from _memory(peaks)


def augment(source: Path, out: Path, variants: int) -> Run:
    """`restage augment` on `source`, in a process of its own. Raises RunError when it fails."""
    restage = [sys.executable, "-m", "workflows.cli", "augment", "executor=serial", "recipe=texture", "segment=motion"]
    options = [f"recipe.variants={variants}", f"dataset.path={source}", f"output.path={out}"]
    start = perf_counter()
    process = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", LAUNCHER, *restage, *options], capture_output=True, text=True, check=False
    )
    seconds = perf_counter() - start
    if process.returncode:
        raise RunError(f"{' '.join(restage + options)} ended with {process.returncode}: {process.stderr}")
    summary = json.loads((out.with_name(f"{out.name}.restage") / "summary.json").read_text())
    return Run(seconds, int(process.stdout.split()[-1]) * 1024 / 1e6, summary)


def codec_seconds(source: Path, out: Path, scratch: Path) -> float:
    """Seconds to decode the recorded frames and encode the new ones, once for each variant in `out`."""
    recorded, restaged, clock = open_dataset(source), open_dataset(out), Stopwatch()
    for entry in restaged.entries:
        provenance = restaged.provenance(entry.name)
        if provenance is None:
            continue
        before, after = recorded.open(provenance.source), restaged.open(entry.id)
        for camera in after.cameras:
            with recorded.frame_writer(before.id, camera, scratch) as writer:
                for start in range(0, entry.length, WINDOW):
                    new = after.cameras[camera].read(start, start + WINDOW)
                    with clock("decode"):
                        before.cameras[camera].read(start, start + WINDOW)
                    with clock("encode"):
                        writer.write(new)
    remove(scratch)
    return sum(clock.seconds.values())


def peak(folder: Path, length: int, height: int, width: int) -> float:
    """MB at most of a process that restages an episode of `length` frames once."""
    source, out = folder / f"{length}.hdf5", folder / f"{length}-restaged.hdf5"
    make_recording(source, length, height, width, flat=True)
    run = augment(source, out, variants=1)
    remove(source)
    _remove_run(out)
    return run.peak


def _remove_run(out: Path) -> None:
    remove(out)
    remove(out.with_name(f"{out.name}.restage"))


def _stages(run: Run, codec: float) -> Iterator[str]:
    stages = dict(run.summary["seconds"])
    stages["start, open, assemble"] = run.seconds - sum(stages.values())
    yield f"{'stage':24}{'seconds':>9}{'share':>8}"
    for stage, seconds in sorted(stages.items(), key=lambda pair: -pair[1]):
        yield f"{stage:24}{seconds:9.2f}{seconds / run.seconds:8.0%}"
    yield f"{'all':24}{run.seconds:9.2f}"
    yield f"{'decode and encode alone':24}{codec:9.2f}{codec / run.seconds:8.0%}  the same frames, nothing done to them"


def _memory(peaks: Mapping[int, float]) -> Iterator[str]:
    yield f"{'frames':>8}{'MB':>8}"
    for length in sorted(peaks):
        yield f"{length:8}{peaks[length]:8.0f}"
    shortest, longest = min(peaks), max(peaks)
    growth = peaks[longest] / peaks[shortest]
    yield f"{longest} frames / {shortest} frames: {growth:.2f} (at most {FLAT}) {_verdict(growth <= FLAT)}"
    greatest = max(peaks.values())
    yield f"greatest: {greatest:.0f} MB (at most {PEAK_TARGET:.0f}) {_verdict(greatest <= PEAK_TARGET)}"


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"
