"""`restage augment`: read a dataset, restage it, write it in the format it came in."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from augment.errors import RequestError, RunError
from augment.models.doors import forget
from augment.pipeline import Flow, Ledger, Schedule, Worker
from augment.pipeline.summary import exit_code, summarise
from robot_io.errors import EpisodeError
from robot_io.formats.base import Dataset
from workflows import _config
from workflows._dataset import choose, companions_of, open_configured
from workflows._progress import watching
from workflows._report import write_report


def main(config: Any) -> int:
    """Returns the exit code. Raises RequestError, DatasetError, RunError."""
    out = _config.required_path(config, "output.path").absolute()
    flow = _config.build_flow(config)
    executor = _config.build_executor(config)
    _config.build_pack(config).check()
    source = open_configured(config)
    dataset = choose(source, _config.text(config, "episodes"), _config.optional_number(config, "limit"))
    keep_originals = _config.flag(config, "output.keep_originals")
    return run(flow, executor, source, dataset, out, keep_originals, _layers_root(config, out))


def run(
    flow: Flow, executor: Any, source: Dataset, dataset: Dataset, out: Path, keep_originals: bool, layers: Path
) -> int:
    """Restage `dataset`, a selection of `source`, into `out`; returns the exit code. Raises RequestError, RunError."""
    _refuse_inside(dataset.path, out)
    work = work_folder(out)
    quarantined = {entry.name: entry.problem for entry in dataset.entries if entry.problem}
    names = {entry.id: entry.name for entry in dataset.entries if not entry.problem}
    _say_what_stays(flow, dataset, list(names))
    for step in flow.recipe.steps:
        sys.stderr.writelines(f"recipe.steps.{step.name}: {remark}\n" for remark in step.generator.remarks())
    forget()  # whoever carries it out opens the networks anew, perhaps on the same GPU
    schedule = Schedule(list(names), flow.recipe.variants)
    with _claimed(work, out, flow, source) as companions:
        flow = replace(flow, perception=replace(flow.perception, companions=companions))
        worker = Worker(flow, source, work, layers, version("restage"))
        Ledger(work).sweep()
        start, state = time.monotonic(), "interrupted"
        try:
            with watching(schedule) as observe:
                executor.run(worker, schedule, observe)
            state = "assembling"
            _assemble(dataset, Ledger(work), list(names), flow.recipe.variants, out, keep_originals)
            state = "complete"
        finally:
            code = exit_code(schedule, quarantined)
            record = {
                "state": state,
                "exit_code": code if state == "complete" else 1,
                "seconds_in_all": round(time.monotonic() - start, 3),
                **summarise(schedule, names, quarantined, flow.recipe.preserve),
            }
            _write(work / "summary.json", record)
        parts = Ledger(work).parts(names, flow.recipe.variants)
        write_report(work / "report.html", flow, source, layers, parts, schedule, record)
    _say_summary(record, out, work)
    return code


def work_folder(out: Path) -> Path:
    """Where work in progress lies: beside the output."""
    return out.with_name(f"{out.name}.restage")


def _layers_root(config: Any, out: Path) -> Path:
    path = _config.text(config, "layers.path")
    return Path(path).expanduser().absolute() if path else work_folder(out) / "layers"


def _refuse_inside(source: Path, out: Path) -> None:
    if out.resolve() == source or source in out.resolve().parents:
        raise RequestError(f"output.path={out} lies inside the dataset {source}; choose a place beside it")


@contextmanager
def _claimed(work: Path, out: Path, flow: Flow, source: Dataset) -> Iterator[tuple[str, ...]]:
    """The work folder, ours alone for the time being; gives the ids of the companions that its layers are made with.

    Raises RequestError if it cannot or must not be ours.
    """
    mine = {
        "format": source.format,
        "recipe_hash": flow.recipe_hash,
        "recipe": json.loads(json.dumps(flow.identity())),  # as it will be read back
        "episodes": sorted({entry.id for entry in source.entries}),
        "companions": companions_of(source),
    }
    if out.exists() and not (work / "run.json").exists():
        raise RequestError(f"output.path={out} exists and was not made by this run; choose another, or remove it")
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = (work / "lock").open("w")
    except OSError as error:
        raise RequestError(f"output.path={out}: cannot write {work}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RequestError(
                f"another run is at work on {out}; wait for it, or choose another output.path"
            ) from error
        if (work / "run.json").exists():
            _refuse_other(json.loads((work / "run.json").read_text()), mine, out, work)
        _write(work / "run.json", mine)
        yield tuple(mine["companions"])


def _refuse_other(theirs: Mapping[str, Any], mine: dict[str, Any], out: Path, work: Path) -> None:
    """Raises RequestError unless the work folder belongs to the same recipe and an overlapping dataset."""
    way_out = f"choose another output.path, or remove {out} and {work}"
    if theirs["recipe_hash"] != mine["recipe_hash"]:
        changed = [key for key in mine["recipe"] if mine["recipe"][key] != theirs["recipe"].get(key)]
        raise RequestError(f"{out} was made with other settings ({', '.join(changed)}); {way_out}")
    if theirs["format"] != mine["format"] or not set(theirs["episodes"]) & set(mine["episodes"]):
        raise RequestError(f"{out} was made from another dataset; {way_out}")
    mine["episodes"] = sorted({*mine["episodes"], *theirs["episodes"]})
    mine["companions"] = theirs["companions"]  # so that episodes added since change nothing that exists


def _assemble(
    dataset: Dataset, ledger: Ledger, episodes: list[str], variants: int, out: Path, keep_originals: bool
) -> None:
    parts = list(ledger.parts(episodes, variants))
    if not parts and not (keep_originals and episodes):
        return
    try:
        dataset.assemble(parts, out, keep_originals)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error}; what is done stays done, the same command resumes") from error


def _say_what_stays(flow: Flow, dataset: Dataset, episodes: list[str]) -> None:
    """Before anything is done: which roles will be preserved, and which nobody provides (judged on one episode)."""
    for episode_id in episodes:
        try:
            episode = dataset.open(episode_id)
        except EpisodeError:
            continue
        provided = {role for camera in episode.cameras for role in flow.perception.segment.roles(episode, camera)}
        kept = [role for role in flow.recipe.preserve if role in provided]
        lacking = [role for role in flow.recipe.preserve if role not in provided]
        _say(f"{len(episodes)} episodes x {flow.recipe.variants} variants; kept: {', '.join(kept) or 'nothing'}")
        if lacking:
            _say(f"nobody provides {', '.join(lacking)}: not preserved (paint them in a folder, segment.keep_always)")
        return


def _say_summary(record: Mapping[str, Any], out: Path, work: Path) -> None:
    counts = record["variants"]
    _say(
        f"{counts['done']} variants ({record['reused']} from before), {counts['rejected']} rejected, "
        f"{counts['failed']} failed, {counts['left']} left as recorded, {len(record['quarantined'])} quarantined"
    )
    for camera, fates in record["cameras"].items():
        _say(f"  {camera}: " + ", ".join(f"{count} {fate}" for fate, count in fates.items()))
    for item in (*record["quarantined"], *record["failed"], *record["rejected"])[:20]:
        _say(f"  {item['episode']}: {item['reason']}")
    _say(f"{out}\n{work / 'summary.json'}\n{work / 'report.html'}")


def _write(path: Path, record: Mapping[str, Any]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(record, indent=2, sort_keys=False) + "\n")
    unfinished.replace(path)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
