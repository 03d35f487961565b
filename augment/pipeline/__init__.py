"""The flow of an episode, and the ways to run many of them."""

from augment.pipeline.episode import Flow, Perception
from augment.pipeline.ledger import Ledger, Outcome, Status
from augment.pipeline.on_ray import OnRay
from augment.pipeline.schedule import Job, Receipt, Schedule
from augment.pipeline.serial import Serial
from augment.pipeline.worker import Worker

EXECUTORS: dict[str, type[Serial] | type[OnRay]] = {"serial": Serial, "ray": OnRay}

__all__ = [
    "EXECUTORS",
    "Flow",
    "Job",
    "Ledger",
    "OnRay",
    "Outcome",
    "Perception",
    "Receipt",
    "Schedule",
    "Serial",
    "Status",
    "Worker",
]
