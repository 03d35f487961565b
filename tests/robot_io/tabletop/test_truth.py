"""Pictures, masks and counterfactuals must tell one story. Laws, on small episodes."""

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("mujoco")

from robot_io.tabletop.cameras import STATIC, WRIST
from robot_io.tabletop.episodes import record_episode, render_episode
from robot_io.tabletop.spec import TabletopSpec
from robot_io.types import Episode, Role, Truth

SPEC = TabletopSpec(episodes=3, size=64, seed=5)


@pytest.fixture(scope="module")
def rendered() -> list[tuple[Episode, dict[str, Truth]]]:
    return [render_episode(SPEC, index) for index in range(SPEC.episodes)]


@pytest.fixture
def views(rendered: list[tuple[Episode, dict[str, Truth]]]) -> Iterator[tuple[np.ndarray, Truth]]:
    """Frames, as int, and truth of every camera of every episode."""
    return (
        (episode.cameras[camera].read(0, episode.length).frames.astype(int), truth)
        for episode, truths in rendered
        for camera, truth in truths.items()
    )


def test_shapes_and_masks_are_those_of_the_episode(rendered: list[tuple[Episode, dict[str, Truth]]]) -> None:
    for episode, truths in rendered:
        assert set(truths) == set(episode.cameras) == {STATIC, WRIST}
        for camera, size in ((STATIC, 64), (WRIST, 32)):
            source, truth = episode.cameras[camera], truths[camera]
            assert (len(source), source.height, source.width) == (episode.length, size, size)
            for picture in (truth.plate, truth.without_object, truth.without_object_shadow):
                assert picture.shape == (episode.length, size, size, 3)
            recorded = {track.role: track.read(0, episode.length) for track in episode.masks[camera]}
            assert set(recorded) == {Role.ROBOT, Role.OBJECT, Role.GOAL, Role.SUPPORT}
            for role, mask in recorded.items():
                np.testing.assert_array_equal(mask, truth.masks[role])


def test_signals(rendered: list[tuple[Episode, dict[str, Truth]]]) -> None:
    for episode, _ in rendered:
        assert all(len(values) == episode.length for values in episode.signals.values())
        actions = episode.signals["actions"]
        assert actions.dtype == np.float32
        assert actions.shape[1] == 5
        moved = np.diff(episode.signals["obs/robot0_eef_pos"], axis=0)
        np.testing.assert_allclose(moved, 0.055 * actions[:-1, :3], atol=1e-6)
        assert episode.signals["dones"].tolist() == [0] * (episode.length - 1) + [1]
        assert episode.signals["rewards"][0] == 0
        assert episode.signals["rewards"][-1] == 1
        assert episode.fps == 12.5


def test_the_static_camera_has_one_plate(rendered: list[tuple[Episode, dict[str, Truth]]]) -> None:
    for _, truths in rendered:
        plate = truths[STATIC].plate
        assert (plate == plate[0]).all()


def test_outside_the_masks_only_the_table_and_shadows_change(views: Iterator[tuple[np.ndarray, Truth]]) -> None:
    for frames, truth in views:
        away = ~(truth.masks[Role.ROBOT] | truth.masks[Role.OBJECT])
        lighter = (frames > truth.plate).any(-1) & away
        # Shadows only darken; what is lighter than the plate is something bright mirrored in the table.
        assert not (lighter & ~truth.masks[Role.SUPPORT]).any()
        assert (frames - truth.plate)[away].max() < 45


def test_masks_cover_everything_that_the_things_hide(views: Iterator[tuple[np.ndarray, Truth]]) -> None:
    for frames, truth in views:
        thing, table = truth.masks[Role.OBJECT], truth.masks[Role.SUPPORT]
        # Without shadow, the object changes nothing beyond its mask but the mirror that the table is.
        changed = (truth.without_object_shadow != truth.without_object).any(-1)
        assert not (changed & ~thing & ~table).any()
        assert changed[thing].mean() > 0.9
        robot = truth.masks[Role.ROBOT] & ~thing
        assert (frames != truth.plate).any(-1)[robot].mean() > 0.9


def test_the_shadow_only_darkens(views: Iterator[tuple[np.ndarray, Truth]]) -> None:
    darkened = 0
    for frames, truth in views:
        assert (frames <= truth.without_object_shadow).all()
        darkened += int((frames < truth.without_object_shadow - 10.0).any(-1).sum())
    assert darkened > 500


def test_most_of_the_static_camera_hardly_changes(rendered: list[tuple[Episode, dict[str, Truth]]]) -> None:
    for episode, truths in rendered:
        frames, truth = episode.cameras[STATIC].read(0, episode.length).frames.astype(int), truths[STATIC]
        assert (np.abs(frames - truth.plate).max(-1) <= 3).mean() > 0.5
        assert (np.abs(frames - truth.without_object).max(-1) <= 3).mean() > 0.9


def test_before_the_grasp_the_object_does_not_touch_the_robots_pixels(
    rendered: list[tuple[Episode, dict[str, Truth]]],
) -> None:
    """Far from the object's mask, its influence is its shadow, which ends near it while it stands on the table."""
    for episode, truths in rendered:
        frame, truth = episode.cameras[STATIC].read(0, 1).frames[0], truths[STATIC]
        rows, columns = np.nonzero(truth.masks[Role.OBJECT][0])
        near = np.zeros((64, 64), bool)
        near[max(rows.min() - 18, 0) : rows.max() + 18, max(columns.min() - 18, 0) : columns.max() + 18] = True
        strong = np.abs(frame.astype(int) - truth.without_object[0]).max(-1) > 6
        assert not (strong & ~near).any()


def test_the_object_is_in_sight_and_large_enough(rendered: list[tuple[Episode, dict[str, Truth]]]) -> None:
    for _, truths in rendered:
        mask = truths[STATIC].masks[Role.OBJECT]
        assert mask.any(axis=(1, 2)).all()
        for places in np.nonzero(mask[0]):
            assert np.ptp(places) + 1 >= 6
        for places in np.nonzero(mask.any(axis=0)):
            assert places.min() > 0
            assert places.max() < 63


def test_plain_recording_equals_the_recording_with_truth(rendered: list[tuple[Episode, dict[str, Truth]]]) -> None:
    assert record_episode(SPEC, 1).id == rendered[1][0].id


def test_episodes_depend_on_seed_and_index_alone(rendered: list[tuple[Episode, dict[str, Truth]]]) -> None:
    alone = record_episode(TabletopSpec(episodes=2, size=64, seed=5), 1)
    assert alone.id == rendered[1][0].id
    for camera, source in alone.cameras.items():
        np.testing.assert_array_equal(source.read(0, 99).frames, rendered[1][0].cameras[camera].read(0, 99).frames)
    ids = {episode.id for episode, _ in rendered} | {record_episode(TabletopSpec(1, 64, seed=6), 0).id}
    assert len(ids) == 4
