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
    address: str = "local"
    """`local` starts Ray on this machine for the run; `auto` or `host:port` joins a cluster."""

    def check(self) -> None:
        """Raises RequestError before anything is started."""
        if self.workers < 0 or self.cpus <= 0 or self.gpus < 0:
            raise RequestError(
                f"executor.workers={self.workers}, executor.cpus={self.cpus}, executor.gpus={self.gpus}: workers and "
                "gpus are at least 0, cpus more than that"
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
            _Crew(ray, worker, size, self.cpus, self.gpus).run(schedule, observe)
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


class _Crew:
    """A fixed number of actors, each with at most one job."""

    def __init__(self, ray: Any, worker: Worker, size: int, cpus: float, gpus: float) -> None:
        self._ray = ray
        self._actor = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Actor)
        self._worker = ray.put(worker)
        self._idle = [self._hire() for _ in range(size)]
        self._busy: dict[Any, tuple[Any, Job]] = {}

    def run(self, schedule: Schedule, observe: Callable[[Receipt], None]) -> None:
        while not schedule.finished:
            heed()
            while self._idle and (job := schedule.next()) is not None:
                actor = self._idle.pop()
                self._busy[actor.do.remote(job)] = (actor, job)
            done, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=POLL_SECONDS)
            for reference in done:
                self._finish(reference, schedule, observe)

    def _finish(self, reference: Any, schedule: Schedule, observe: Callable[[Receipt], None]) -> None:
        actor, job = self._busy.pop(reference)
        try:
            receipt: Receipt = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            self._idle.append(self._hire())
            given_up = schedule.died(job)
            if given_up is not None:
                observe(given_up)
            return
        self._idle.append(actor)
        observe(receipt)
        schedule.ended(receipt)

    def _hire(self) -> Any:
        return self._actor.remote(self._worker)


class _Actor:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def do(self, job: Job) -> Receipt:
        return self._worker(job)


def _cpu_count() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))
