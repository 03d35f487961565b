import pytest

from augment.errors import RunError
from augment.pipeline import Job, Receipt, Schedule
from augment.pipeline.schedule import MAX_DEATHS, MAX_DEATHS_IN_A_ROW


def ended(schedule: Schedule, job: Job, failure: str | None = None) -> None:
    schedule.ended(Receipt(job, failure=failure))


def test_an_open_episode_is_finished_before_the_next() -> None:
    schedule = Schedule(["a", "b"], 2)
    order = []
    while (job := schedule.next()) is not None:
        order.append((job.episode, job.variant))
        ended(schedule, job)
    assert order == [("a", None), ("a", 0), ("a", 1), ("b", None), ("b", 0), ("b", 1)]
    assert schedule.finished


def test_variants_wait_for_their_layers() -> None:
    schedule = Schedule(["a"], 3)
    layers = schedule.next()
    assert schedule.next() is None
    assert not schedule.finished
    ended(schedule, layers)
    assert schedule.next() == Job("a", 0)


def test_an_episode_whose_layers_fail_gets_no_variants() -> None:
    schedule = Schedule(["a", "b"], 1)
    ended(schedule, schedule.next(), failure="broken")
    assert schedule.next() == Job("b")


def test_the_same_episode_twice_is_done_once() -> None:
    assert Schedule(["a", "a"], 1).episodes == ("a",)


def test_a_job_that_kills_its_worker_is_given_up_and_the_others_go_on() -> None:
    schedule = Schedule(["poison", "good"], 1)
    given_up = None
    while not schedule.finished:
        job = schedule.next()
        if job.episode == "poison":
            given_up = next(iter(schedule.died(job)), given_up)
        else:
            ended(schedule, job)
    assert schedule.deaths == MAX_DEATHS
    assert given_up.failure == f"its worker died {MAX_DEATHS} times"
    assert [receipt.job for receipt in schedule.receipts if not receipt.failure] == [Job("good"), Job("good", 0)]


def test_jobs_that_are_lost_together_are_suspects_and_one_death() -> None:
    schedule = Schedule(["poison", "good", "far"], 1)
    together, far = [schedule.next(), schedule.next()], schedule.next()
    assert not schedule.died(*together)
    assert schedule.deaths == 1
    assert [schedule.is_suspect(job) for job in (*together, far)] == [True, True, False]
    ended(schedule, far)
    assert [schedule.next() for _ in range(3)] == [Job("far", 0), *together]
    schedule = Schedule([str(number) for number in range(20)], 1)
    for _ in range(MAX_DEATHS_IN_A_ROW - 1):
        schedule.died(schedule.next(), schedule.next())


def test_workers_that_always_die_end_the_run() -> None:
    schedule = Schedule([str(number) for number in range(20)], 1)
    for _ in range(MAX_DEATHS_IN_A_ROW - 1):
        schedule.died(schedule.next())
    with pytest.raises(RunError, match="died in a row"):
        schedule.died(schedule.next())


def test_one_success_forgives_earlier_deaths() -> None:
    schedule = Schedule([str(number) for number in range(40)], 1)
    for _ in range(3):
        for _ in range(MAX_DEATHS_IN_A_ROW - 1):
            schedule.died(schedule.next())
        ended(schedule, schedule.next())


def test_a_fatal_receipt_ends_the_run() -> None:
    schedule = Schedule(["a"], 1)
    with pytest.raises(RunError, match="no space"):
        schedule.ended(Receipt(schedule.next(), failure="no space", fatal=True))
