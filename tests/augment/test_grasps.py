"""A gripper that closes says when something is taken, and the clean plate shows what was under it."""

import numpy as np
import pytest

from augment.grasps import find_grasps
from augment.scene import Survey, clean_plate
from augment.scene.phases import indices_by_phase
from augment.scene.samples import sample_indices
from robot_io.memory import ArrayFrames
from tests.workbench import noisy, room, stamp

LENGTH = 100


def motions(channels: int, seed: int = 0) -> np.ndarray:
    """Channels of an arm, float32 (t, channels)."""
    steps = np.random.default_rng(seed).normal(0, 0.1, (LENGTH, channels))
    return np.cumsum(steps, axis=0).astype(np.float32)


def closed(start: int, stop: int, ramp: int = 1) -> np.ndarray:
    """1 from `start` to `stop`, reached within `ramp` frames."""
    frames = np.arange(LENGTH)
    return np.clip((frames - start + 1) / ramp, 0, 1) * np.clip((stop - frames) / ramp, 0, 1)


def test_robomimic_closes_with_one_and_opens_with_minus_one() -> None:
    actions = np.column_stack([motions(6), 2 * closed(30, 70) - 1])
    assert find_grasps({"actions": actions, "rewards": np.zeros(LENGTH)}) == (30, 70)


def test_bridge_is_open_at_one_and_closes_in_steps() -> None:
    action = np.column_stack([motions(6), 1 - closed(30, 70, ramp=3)]).astype(np.float32)
    assert find_grasps({"action": action, "observation/state": motions(7)}) == (32, 69)


def test_what_a_gripper_did_counts_rather_than_what_it_was_told() -> None:
    told, did = 2 * closed(30, 70) - 1, 0.04 - 0.02 * closed(33, 73)
    signals = {"actions": np.column_stack([motions(6), told]), "obs/robot0_gripper_qpos": np.column_stack([did, -did])}
    assert find_grasps(signals | {"obs/robot0_gripper_qvel": np.gradient(did)}) == (33, 73)


def test_of_two_hands_both_count() -> None:
    left, right = closed(20, 50), closed(40, 90)
    assert find_grasps({"action": np.column_stack([motions(6), left, motions(6, 1), right])}) == (20, 40, 50, 90)


@pytest.mark.parametrize(
    "signals",
    [
        {},
        {"actions": motions(26)},
        {"actions": np.zeros((LENGTH, 7), np.float32)},
        {"actions": np.full((LENGTH, 1), np.nan)},
        {"actions": np.arange(LENGTH)[:, None] % 2},
        {"rewards": closed(30, 70), "language": np.array([b"pick it up"] * LENGTH)},
    ],
)
def test_where_no_gripper_is_to_be_seen_nothing_is_found(signals: dict[str, np.ndarray]) -> None:
    assert find_grasps(signals) == ()


@pytest.mark.parametrize("changes", [(), (1,), (99,), (80,), (80, 90), (80, 81), tuple(range(5, 100, 5))])
def test_every_phase_gets_its_share_of_the_samples(changes: tuple[int, ...]) -> None:
    indices = indices_by_phase(LENGTH, 32, changes)
    assert indices == sorted(set(indices))
    assert indices[0] >= 0
    assert indices[-1] < LENGTH
    assert len(indices) <= 32
    if changes in ((), (1,), (99,)):
        assert indices == sample_indices(LENGTH, 32)
    if changes == (80, 90):
        assert [sum(start <= index < start + 10 for index in indices) for start in (80, 90)] == [10, 10]


def test_what_lies_there_until_it_is_grasped_late_is_not_in_the_plate() -> None:
    """Samples that are spread evenly hardly see what is under it."""
    empty = room()
    frames = np.repeat(empty[None], LENGTH, axis=0)
    for frame in frames[:94]:
        thing = stamp(frame, (40, 60, 190), 66, 40, 22, 40)
    recorded = ArrayFrames("front", noisy(frames))
    plates = [clean_plate(Survey()(recorded, (), grasps)[1], shadows_known=False)[0] for grasps in ((), (94,))]
    ghosts = [(np.abs(plate.astype(int) - empty).max(axis=-1) > 40)[thing].mean() for plate in plates]
    assert ghosts[0] > 0.5
    assert ghosts[1] < 0.05
