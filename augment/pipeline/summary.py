"""What a run amounted to, as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from augment.pipeline.episode import RESTAGED
from augment.pipeline.ledger import Status
from augment.pipeline.schedule import Schedule
from augment.types import Role

EXIT_DONE, EXIT_INCOMPLETE = 0, 3
NOBODY = "provided by nobody: not preserved"


def summarise(
    schedule: Schedule, names: Mapping[str, str], quarantined: Mapping[str, str], preserve: Sequence[Role]
) -> dict[str, Any]:
    """Counts, reasons and seconds. `names`: episode id -> name; `quarantined`: name of an unreadable one -> why."""
    seconds: Counter[str] = Counter()
    fates: dict[str, Counter[str]] = {}
    for receipt in schedule.receipts:
        seconds.update(receipt.seconds)
        for camera, fate in (receipt.outcome.cameras if receipt.outcome else {}).items():
            fates.setdefault(camera, Counter())[fate] += 1
    outcomes = [(receipt.job, receipt.outcome) for receipt in schedule.receipts if receipt.outcome]
    failures = [receipt for receipt in schedule.receipts if receipt.failure]
    return {
        "episodes": len(names) + len(quarantined),
        "variants": {status.name.lower(): schedule.count(status) for status in Status if status != Status.FAILED}
        | {"failed": sum(receipt.job.variant is not None for receipt in failures)},
        "reused": sum(receipt.reused and receipt.job.variant is not None for receipt in schedule.receipts),
        "worker_deaths": schedule.deaths,
        "cameras": {camera: dict(sorted(count.items())) for camera, count in sorted(fates.items())},
        "figures": {
            name: {"min": min(values), "median": round(float(np.median(values)), 5), "max": max(values)}
            for name, values in measured(schedule).items()
        },
        "repainted_share": _repainted(schedule),
        "preserve": _roles(schedule, preserve),
        "rejected": [
            {"episode": names[job.episode], "variant": job.variant, "reason": outcome.reason, "tries": outcome.attempts}
            for job, outcome in sorted(outcomes, key=lambda pair: (pair[0].episode, pair[0].variant or 0))
            if outcome.status == Status.REJECTED
        ],
        "failed": [
            {"episode": names[receipt.job.episode], "variant": receipt.job.variant, "reason": receipt.failure}
            for receipt in failures
        ],
        "quarantined": [{"episode": name, "reason": reason} for name, reason in quarantined.items()],
        "seconds": {stage: round(total, 3) for stage, total in seconds.most_common()},
    }


def exit_code(schedule: Schedule, quarantined: Mapping[str, str]) -> int:
    """0 if every episode got at least one variant or was left as recorded on purpose, and none failed; else 3."""
    served = {
        receipt.job.episode
        for receipt in schedule.receipts
        if receipt.outcome and receipt.outcome.status in (Status.DONE, Status.LEFT)
    }
    failed = any(receipt.failure for receipt in schedule.receipts)
    complete = not quarantined and not failed and served == set(schedule.episodes)
    return EXIT_DONE if complete else EXIT_INCOMPLETE


def measured(schedule: Schedule) -> dict[str, list[float]]:
    """Name -> what the checks measured, over all restaged cameras."""
    values: dict[str, list[float]] = {}
    for receipt in schedule.receipts:
        for figures in (receipt.outcome.figures if receipt.outcome else {}).values():
            for name, value in figures.items():
                values.setdefault(name, []).append(value)
    return dict(sorted(values.items()))


def _repainted(schedule: Schedule) -> float | None:
    """Share of the picture that is not as recorded, mean over restaged cameras; None if it was not measured."""
    kept = [
        outcome.figures[camera]["kept_share"]
        for receipt in schedule.receipts
        if (outcome := receipt.outcome)
        for camera, fate in outcome.cameras.items()
        if fate == RESTAGED and "kept_share" in outcome.figures.get(camera, {})
    ]
    return round(1 - float(np.mean(kept)), 5) if kept else None


def _roles(schedule: Schedule, preserve: Sequence[Role]) -> dict[str, str]:
    """For each role to preserve: on how many cameras somebody provides it, and how much of the picture it is there."""
    provided = [roles for receipt in schedule.receipts for roles in receipt.roles.values()]
    covered = [shares for receipt in schedule.receipts for shares in receipt.shares.values()]
    found: dict[str, str] = {}
    for role in preserve:
        count = sum(role in roles for roles in provided)
        found[role] = f"provided for {count} of {len(provided)} cameras" if count else NOBODY
        shares = [share[role] for share in covered if role in share]
        if shares:
            found[role] += f", {np.mean(shares):.1%} of the picture where it is restaged"
    return found
