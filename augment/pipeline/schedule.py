"""What to do next, and what happened so far. Knows nothing of processes: executors ask, and report."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from augment.errors import RunError
from augment.pipeline.ledger import Outcome, Status

MAX_DEATHS = 3
MAX_DEATHS_IN_A_ROW = 6


@dataclass(frozen=True)
class Job:
    """A piece of work: the layers of an episode (`variant` is None), or one of its variants."""

    episode: str
    variant: int | None = None


@dataclass(frozen=True)
class Receipt:
    """What a worker returns for a job: small, whatever the size of the episode."""

    job: Job
    outcome: Outcome | None = None
    """Of a variant."""
    failure: str | None = None
    """Why the job could not be done."""
    fatal: bool = False
    """The failure has nothing to do with the episode: the run cannot go on."""
    reused: bool = False
    """Nothing had to be made."""
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Camera -> roles that somebody provides; of layers."""
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Camera that can be restaged -> role -> share of the picture that its masks cover; of layers."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By stage."""


class Schedule:
    """Layers first, then the variants that need them; an episode that is open is finished before the next one."""

    def __init__(self, episodes: Sequence[str], variants: int) -> None:
        self.episodes = tuple(dict.fromkeys(episodes))
        self.variants = variants
        self.receipts: list[Receipt] = []
        self.deaths = 0
        self._waiting = deque(Job(episode) for episode in self.episodes)
        self._running: set[Job] = set()
        self._deaths: Counter[Job] = Counter()
        self._deaths_in_a_row = 0

    @property
    def finished(self) -> bool:
        return not self._waiting and not self._running

    def next(self) -> Job | None:
        """The job to start now; None if there is none before another one ends."""
        if not self._waiting:
            return None
        job = self._waiting.popleft()
        self._running.add(job)
        return job

    def ended(self, receipt: Receipt) -> None:
        """A job came to an end, well or not. Raises RunError if the run cannot go on."""
        self._running.discard(receipt.job)
        self._deaths_in_a_row = 0
        self.receipts.append(receipt)
        if receipt.fatal:
            raise RunError(receipt.failure)
        if receipt.job.variant is None and receipt.failure is None:
            variants = [Job(receipt.job.episode, number) for number in range(self.variants)]
            self._waiting.extendleft(reversed(variants))

    def is_suspect(self, job: Job) -> bool:
        """Whether a worker was lost with it: with others in the same hands, they would suffer for it."""
        return self._deaths[job] > 0

    def died(self, *jobs: Job) -> list[Receipt]:
        """A worker was lost with its jobs. Each is tried again or, after `MAX_DEATHS`, given up (their receipts).

        Raises RunError when workers die whatever they do.
        """
        self.deaths += 1
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row >= MAX_DEATHS_IN_A_ROW:
            raise RunError(
                f"{MAX_DEATHS_IN_A_ROW} workers died in a row without finishing a job; see the executor's log, and try "
                "executor=serial"
            )
        given_up = []
        for job in jobs:
            self._deaths[job] += 1
            self._running.discard(job)
            if self._deaths[job] < MAX_DEATHS:
                self._waiting.append(job)
            else:
                given_up.append(Receipt(job, failure=f"its worker died {MAX_DEATHS} times"))
        self.receipts += given_up
        return given_up

    def count(self, status: Status) -> int:
        """Variants that ended so."""
        return sum(receipt.outcome is not None and receipt.outcome.status == status for receipt in self.receipts)
