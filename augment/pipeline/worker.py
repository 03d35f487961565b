"""One job after another, on any machine: the same class whoever calls it."""

import errno
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augment.errors import RequestError
from augment.layers import Layers
from augment.pipeline.episode import RESTAGED, CameraResult, Flow, Source, frames_file, prepare, restage
from augment.pipeline.ledger import Ledger, Outcome, Status
from augment.pipeline.schedule import Job, Receipt
from augment.pipeline.stopwatch import Stopwatch
from augment.plan import plan_json
from augment.types import Plan
from robot_io.errors import EpisodeError
from robot_io.types import Provenance

DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@dataclass(frozen=True)
class Worker:
    """Carries out jobs. Picklable; holds no open files."""

    flow: Flow
    source: Source
    work: Path
    layers: Path
    """Root of the layers store."""
    revision: str
    """Of Restage itself, for the record."""

    def __call__(self, job: Job) -> Receipt:
        """Never raises for the sake of one episode: what goes wrong is in the receipt."""
        clock = Stopwatch()
        try:
            return self._prepare(job, clock) if job.variant is None else self._vary(job, job.variant, clock)
        except (EpisodeError, RequestError) as error:  # such as an instruction that no detector can be asked
            return Receipt(job, failure=str(error), seconds=clock.seconds)
        except Exception as error:  # noqa: BLE001 - any fault must stay within its episode
            if is_disk_trouble(error):
                return Receipt(job, failure=f"cannot write below {self.work}: {error}", fatal=True)
            where = traceback.extract_tb(error.__traceback__)[-1]
            failure = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            return Receipt(job, failure=failure, seconds=clock.seconds)

    def _prepare(self, job: Job, clock: Stopwatch) -> Receipt:
        layers = prepare(self.flow.perception, self.source, job.episode, self.layers, clock)
        episode = self.source.open(job.episode)
        roles = {camera: sorted(self.flow.perception.segment.roles(episode, camera)) for camera in episode.cameras}
        shares = {camera: known.shares for camera, known in layers.items() if known.tracks}
        return Receipt(job, reused="survey" not in clock.seconds, roles=roles, shares=shares, seconds=clock.seconds)

    def _vary(self, job: Job, variant: int, clock: Stopwatch) -> Receipt:
        layers = prepare(self.flow.perception, self.source, job.episode, self.layers, clock)
        digests = {camera: known.digest for camera, known in layers.items()}
        ledger = Ledger(self.work)
        found = ledger.find(job.episode, variant, digests)
        outcome = found or self._make(job.episode, variant, layers, digests, ledger, clock)
        return Receipt(job, outcome, reused=found is not None, seconds=clock.seconds)

    def _make(
        self,
        episode: str,
        variant: int,
        layers: dict[str, Layers],
        digests: dict[str, str],
        ledger: Ledger,
        clock: Stopwatch,
    ) -> Outcome:
        with clock("open"):
            recorded = self.source.open(episode)
        for attempt in range(self.flow.check.attempts):
            plan = self.flow.plan(recorded, variant, attempt)
            with ledger.open_part(episode, variant) as folder:
                results = restage(self.flow, self.source, layers, plan, folder, clock)
                outcome = _outcome(results, attempt + 1, digests)
                if outcome.status == Status.DONE:
                    files = {camera: frames_file(folder, camera).name for camera in outcome.cameras}
                    restaged = {name: file for name, file in files.items() if outcome.cameras[name] == RESTAGED}
                    ledger.commit(folder, outcome, self._provenance(plan, outcome), restaged)
                    return outcome
            if not any(result.verdict and result.verdict.redraw for result in results.values()):
                break
        ledger.note(episode, variant, outcome)
        return outcome

    def _provenance(self, plan: Plan, outcome: Outcome) -> Provenance:
        revisions = {"restage": self.revision, "numpy": np.__version__}
        return Provenance(
            plan.episode, plan.variant, plan_json(plan), plan.recipe_hash, dict(outcome.cameras), revisions
        )


def _outcome(results: dict[str, CameraResult], attempts: int, digests: dict[str, str]) -> Outcome:
    cameras = {camera: result.fate for camera, result in results.items()}
    refused = {camera: fate for camera, fate in cameras.items() if (check := results[camera].verdict) and check.reason}
    reason = "; ".join(f"{camera}: {fate.removeprefix('as recorded: ')}" for camera, fate in refused.items()) or None
    unchanged = Status.REJECTED if refused else Status.LEFT
    status = Status.DONE if RESTAGED in cameras.values() else unchanged
    figures = {camera: check.figures for camera, result in results.items() if (check := result.verdict)}
    return Outcome(status, reason, attempts, cameras, figures, digests)


def is_disk_trouble(error: BaseException) -> bool:
    """Full, read-only, over quota: nothing that another episode would be spared."""
    if not isinstance(error, OSError):
        return False
    # HDF5 reports the system's error number in the text alone
    return error.errno in DISK_TROUBLE or any(f"errno = {number}," in str(error) for number in DISK_TROUBLE)
