"""Jobs on Ray actors, from one laptop to a cluster. The only file that imports ray.

Plain actors and a small scheduler on the driver: jobs and receipts travel, frames never do. Ray restarts nothing by
itself; deaths are counted in one place, the schedule.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from augment.errors import RequestError, RunError
from augment.pipeline.schedule import Job, Receipt, Schedule
from augment.pipeline.worker import Worker
from robot_io.interruption import heed

POLL_SECONDS = 5.0


@dataclass(frozen=True)
class OnRay:
    """`executor=ray`."""

    workers: int = 0
    """Actors; 0 for as many as the CPUs allow."""
    cpus: float = 1.0
    """CPUs that each actor takes."""
    gpus: float = 0.0
    """Share of a GPU that each actor takes; Ray shows it no other GPU."""
    at_once: int = 1
    """Jobs that each actor has in hand, a thread each; with networks on a GPU they share batches."""
    address: str = "local"
    """`local` starts Ray on this machine for the run; `auto` or `host:port` joins a cluster."""

    def check(self) -> None:
        """Raises RequestError before anything is started."""
        if self.workers < 0 or self.cpus <= 0 or self.gpus < 0 or self.at_once < 1:
            raise RequestError(
                f"executor.workers={self.workers}, executor.cpus={self.cpus}, executor.gpus={self.gpus}, "
                f"executor.at_once={self.at_once}: workers and gpus are at least 0, cpus more than that, at_once 1"
            )
        if self.address == "local":
            self._afford(float(_cpu_count()))

    def run(self, worker: Worker, schedule: Schedule, observe: Callable[[Receipt], None]) -> None:
        """Work the schedule off. Raises RequestError (resources), RunError (Ray lost, workers keep dying)."""
        import ray

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        local = {"num_cpus": _cpu_count(), "include_dashboard": False} if self.address == "local" else {}
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level="ERROR", **local)
        except (ConnectionError, RuntimeError) as error:
            raise RunError(f"Ray could not be started or joined at executor.address={self.address}: {error}") from error
        try:
            resources = ray.cluster_resources()
            count = self._afford(resources.get("CPU", 0.0), resources.get("GPU", 0.0))
            size = min(count, len(schedule.episodes) * schedule.variants)
            _Crew(ray, worker, size, self.cpus, self.gpus, self.at_once).run(schedule, observe)
        except ray.exceptions.RaySystemError as error:
            raise RunError(f"Ray was lost: {error}; the same command resumes") from error
        finally:
            ray.shutdown()

    def _afford(self, available: float, gpus: float | None = None) -> int:
        """The number of actors. Raises RequestError if there are not CPUs enough, or GPUs, where they are known."""
        shares = int(gpus // self.gpus) if gpus is not None and self.gpus else None
        if shares is not None and shares < max(1, self.workers):
            raise RequestError(
                f"executor.gpus={self.gpus:g} for each of {max(1, self.workers)} workers, but Ray knows of {gpus:g} "
                "GPUs; lower executor.gpus, or set it to 0 to work without"
            )
        fitting = max(1, int(available // self.cpus))
        count = self.workers or (fitting if shares is None else min(fitting, shares))
        if count * self.cpus > available:
            raise RequestError(
                f"executor.workers={count} x executor.cpus={self.cpus:g} = {count * self.cpus:g} CPUs, but only "
                f"{available:g} exist; lower one of them, or leave executor.workers=0 to fit"
            )
        return count


@dataclass(eq=False)
class _Hired:
    """An actor, and for how many more jobs it has room."""

    actor: Any
    room: int


@dataclass(frozen=True, eq=False)
class _Handed:
    """A job in the hands of an actor, and how much of its room that takes."""

    job: Job
    hired: _Hired
    room: int


class _Crew:
    """A fixed number of actors, each with a few jobs at most."""

    def __init__(self, ray: Any, worker: Worker, size: int, cpus: float, gpus: float, at_once: int) -> None:
        self._ray = ray
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_concurrency": at_once}
        self._actor = ray.remote(**options, max_restarts=0, max_task_retries=0)(_Actor)
        self._worker = ray.put(worker)
        self._at_once = at_once
        self._hired = [self._hire() for _ in range(size)]
        self._busy: dict[Any, _Handed] = {}
        self._held: Job | None = None
        """What comes next, and waits for room."""

    def run(self, schedule: Schedule, observe: Callable[[Receipt], None]) -> None:
        while not schedule.finished:
            heed()
            self._hand_out(schedule)
            done, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=POLL_SECONDS)
            for reference in done:
                self._finish(reference, schedule, observe)

    def _hand_out(self, schedule: Schedule) -> None:
        """To whoever has most room. A suspect gets an actor for itself, so that it takes no other job with it."""
        while any(hired.room for hired in self._hired) and (job := self._held or schedule.next()):
            room = self._at_once if schedule.is_suspect(job) else 1
            hired = max(self._hired, key=lambda hired: hired.room)
            self._held = job if hired.room < room else None
            if self._held:
                return
            hired.room -= room
            self._busy[hired.actor.do.remote(job)] = _Handed(job, hired, room)

    def _finish(self, reference: Any, schedule: Schedule, observe: Callable[[Receipt], None]) -> None:
        hired, lost = self._busy[reference].hired, self._end(reference, schedule, observe)
        if lost is None:
            return
        with_it = [other for other, handed in self._busy.items() if handed.hired is hired]
        also_lost = [self._end(other, schedule, observe) for other in with_it]
        self._hired[self._hired.index(hired)] = self._hire()
        for given_up in schedule.died(lost, *filter(None, also_lost)):  # all that it had in hand, since it died once
            observe(given_up)

    def _end(self, reference: Any, schedule: Schedule, observe: Callable[[Receipt], None]) -> Job | None:
        """Take a job out of the hands of its actor; it is returned if the actor died of it, or with it."""
        handed = self._busy.pop(reference)
        try:
            receipt: Receipt = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            return handed.job
        handed.hired.room += handed.room
        observe(receipt)
        schedule.ended(receipt)
        return None

    def _hire(self) -> _Hired:
        return _Hired(self._actor.remote(self._worker), self._at_once)


class _Actor:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def do(self, job: Job) -> Receipt:
        return self._worker(job)


def _cpu_count() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))
