"""Several jobs in the hands of one actor."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from augment.errors import RequestError
from augment.pipeline import EXECUTORS, Job, Receipt, Schedule, Worker
from augment.pipeline.schedule import MAX_DEATHS
from robot_io import open_dataset
from tests.augment.pipeline.test_worker import make_flow
from tests.robot_io.hdf5_builder import build

OnRay = EXECUTORS["ray"]
GOOD, PATIENCE = ("a", "b"), 60.0  # seconds


@dataclass(frozen=True)
class Poisoned(Worker):
    """Does nothing, but for one job, that kills its process as soon as all others were begun there."""

    def __call__(self, job: Job) -> Receipt:
        begun = self.work / job.episode
        if job.episode == "poison":
            deadline = time.monotonic() + PATIENCE
            while not all((self.work / name).exists() for name in GOOD) and time.monotonic() < deadline:
                time.sleep(0.01)
            os._exit(1)
        if not begun.exists():
            begun.touch()
            time.sleep(PATIENCE)  # until it is killed with the other
        return Receipt(job)


def test_what_dies_with_others_takes_them_along_once(tmp_path: Path) -> None:
    worker = Poisoned(make_flow(), open_dataset(build(tmp_path / "demos.hdf5")), tmp_path, tmp_path / "layers", "0")
    schedule, seen = Schedule([*GOOD, "poison"], 1), []
    OnRay(workers=1, at_once=3).run(worker, schedule, seen.append)
    assert schedule.finished
    assert schedule.deaths == MAX_DEATHS
    assert [receipt.job for receipt in seen if receipt.failure] == [Job("poison")]
    assert {receipt.job for receipt in seen if not receipt.failure} == {
        Job(name, variant) for name in GOOD for variant in (None, 0)
    }
    assert len(seen) == 5


def test_no_job_at_once_is_refused() -> None:
    with pytest.raises(RequestError, match=r"executor.at_once=0: .* at_once 1"):
        OnRay(at_once=0).check()
