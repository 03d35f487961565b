import signal
import weakref

import pytest

from robot_io import interruption


class Thing:
    pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_python_forgets_is_heeded() -> None:
    thing = Thing()
    reference = weakref.ref(thing, lambda _: interruption.interrupt(signal.SIGINT, None))
    del thing  # the callback's exception is printed and lost
    assert reference() is None
    with pytest.raises(KeyboardInterrupt):
        interruption.heed()
    interruption.heed()


def test_it_is_raised_at_once_where_it_does_no_harm() -> None:
    with pytest.raises(KeyboardInterrupt):
        interruption.interrupt(signal.SIGINT, None)
    interruption.forget()
    interruption.heed()


def test_it_is_held_back_to_the_end_of_a_block() -> None:
    steps = []

    def work() -> None:
        with interruption.holding_back():
            interruption.interrupt(signal.SIGTERM, None)
            steps.append("went on")
        steps.append("not heeded")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["went on"]
