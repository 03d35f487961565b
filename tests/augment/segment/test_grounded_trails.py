"""From boxes of single frames to one thing that is followed."""

import numpy as np
import pytest

from augment.errors import RequestError
from augment.models.base import Detections
from augment.segment.grounded.candidates import Candidate, choose_candidates
from augment.segment.grounded.look import key_frames
from augment.segment.grounded.manipulated import manipulated
from augment.segment.grounded.prompts import Prompt, check_phrases, prompts_for
from augment.segment.grounded.trails import find_trails
from augment.types import Role

ROBOT, CUBE = Prompt(Role.ROBOT, "robot arm"), Prompt(Role.OBJECT, "red cube")
THRESHOLDS = {Role.ROBOT: 0.25, Role.OBJECT: 0.2, Role.GOAL: 0.25}


def box(x: float, y: float = 10, size: float = 10) -> np.ndarray:
    return np.array([x, y, x + size, y + size], np.float32)


def seen(*frames: list[tuple[float, float]]) -> dict[int, list[Candidate]]:
    """Frames of (place, score)."""
    return {index: [Candidate(box(x), score) for x, score in frame] for index, frame in enumerate(frames)}


def test_a_trail_prefers_what_goes_on_to_what_is_surer_for_a_moment() -> None:
    frames = [[(index * 2.0, 0.5)] for index in range(10)]
    frames[5] = [(80.0, 0.6), (10.0, 0.5)]
    trail = find_trails(seen(*frames), 1, 10)[0]
    assert trail.boxes[5][0] == 10


def test_a_frame_in_which_it_is_missed_gets_a_box_in_between() -> None:
    frames = [[(index * 2.0, 0.5)] if index != 4 else [] for index in range(9)]
    trail = find_trails(seen(*frames), 1, 9)[0]
    assert sorted(trail.boxes) == list(range(9))
    assert sorted(trail.scores) == [0, 1, 2, 3, 5, 6, 7, 8]
    np.testing.assert_allclose(trail.boxes[4], box(8))


def test_what_leaves_the_picture_has_no_boxes_until_it_returns() -> None:
    frames = [[(index * 4.0, 0.6)] for index in range(10)] + [[]] * 30 + [[(90.0 - index, 0.6)] for index in range(10)]
    trail = find_trails(seen(*frames), 1, 50)[0]
    assert set(range(10)) | set(range(40, 50)) <= set(trail.boxes)
    assert not set(range(16, 34)) & set(trail.boxes)


def test_what_rests_unseen_stays_where_it_is() -> None:
    frames = [[(20.0, 0.6)]] * 5 + [[]] * 20 + [[(21.0, 0.6)]] * 5
    assert sorted(find_trails(seen(*frames), 1, 30)[0].boxes) == list(range(30))


def test_two_things_of_one_name_keep_their_identity_when_they_meet() -> None:
    frames = [[(float(index), 0.5), (40.0 - index, 0.5)] for index in range(12)]
    first, second = find_trails(seen(*frames), 2, 12)
    ends = sorted((trail.boxes[0][0], trail.boxes[11][0]) for trail in (first, second))
    assert ends == [(0, 11), (40, 29)]


def test_a_second_thing_that_is_hardly_ever_seen_is_none() -> None:
    frames = [[(float(index), 0.5)] for index in range(20)]
    frames[3] = [*frames[3], (70.0, 0.9)]
    assert len(find_trails(seen(*frames), 2, 20)) == 1


def test_nothing_seen_is_no_trail() -> None:
    assert find_trails({0: [], 1: []}, 2, 2) == []


def test_the_manipulated_one_of_two_is_the_one_that_was_carried_away() -> None:
    still = find_trails(seen(*[[(60.0, 0.9)]] * 20), 1, 20)[0]
    carried = find_trails(seen(*([[(10.0, 0.5)]] * 10 + [[(10.0 + 3 * index, 0.5)] for index in range(10)])), 1, 20)[0]
    assert manipulated([still, carried], (10,)) is carried
    assert manipulated([still, carried], ()) is still


def detections(*found: tuple[np.ndarray, tuple[float, float]]) -> Detections:
    return Detections(
        np.array([box for box, _ in found], np.float32).reshape(-1, 4),
        np.array([scores for _, scores in found], np.float32).reshape(-1, 2),
    )


def test_candidates_are_sure_enough_no_doubles_and_not_the_whole_picture() -> None:
    found = detections(
        (np.array([0, 0, 100, 100], np.float32), (0.9, 0.1)),
        (box(10), (0.6, 0.1)),
        (box(11), (0.5, 0.1)),
        (box(60), (0.2, 0.1)),
        (box(30), (0.3, 0.4)),
    )
    robot, cube = choose_candidates(found, (ROBOT, CUBE), THRESHOLDS, (100, 100))
    assert [candidate.box[0] for candidate in robot] == [10]
    assert [candidate.box[0] for candidate in cube] == [30]


def test_an_instruction_is_asked_unless_a_person_said_what() -> None:
    language = ("put the red cube on the blue plate",)
    phrases = [(prompt.role, prompt.phrase) for prompt in prompts_for(language, ("robot",), (), ())]
    assert phrases == [(Role.ROBOT, "robot"), (Role.OBJECT, "red cube"), (Role.GOAL, "blue plate")]
    assert [prompt.phrase for prompt in prompts_for(language, ("robot",), ("can",), ())] == ["robot", "can"]


def test_empty_phrases_are_refused() -> None:
    with pytest.raises(RequestError, match=r"segment.things"):
        check_phrases(robot=("robot",), things=("",), goals=())
    with pytest.raises(RequestError, match=r"segment.goals: .* has 30 words; a phrase names a thing in 12 at most"):
        check_phrases(robot=("robot",), things=(), goals=("very " * 29 + "plate",))
    with pytest.raises(RequestError, match=r"segment.robot"):
        check_phrases(robot=(), things=(), goals=())


def test_key_frames_are_regular_and_where_a_gripper_changes() -> None:
    assert key_frames(30, 15, (7,)) == [0, 7, 15, 29]
    assert key_frames(1, 15, ()) == [0]
    assert key_frames(0, 15, ()) == []
