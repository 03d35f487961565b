"""Recordings under hard conditions, and what their truth says of them."""

import numpy as np
import pytest

pytest.importorskip("mujoco")

from robot_io.tabletop.cameras import STATIC
from robot_io.tabletop.episodes import record_episode, render_episode
from robot_io.tabletop.spec import Conditions, TabletopSpec
from robot_io.types import Role

HARD = Conditions(sway=2.0, drift=0.2, noise=2.0, rest=4, arrival=2)


def test_the_truth_is_filmed_under_the_same_conditions() -> None:
    episode, truths = render_episode(TabletopSpec(1, 64, 5, HARD), 0)
    frames, truth = episode.cameras[STATIC].read(0, episode.length).frames.astype(int), truths[STATIC]
    wall = ~np.logical_or.reduce([truth.masks[role] for role in (Role.ROBOT, Role.OBJECT, Role.SUPPORT)])
    wall[:, 32:] = False
    assert np.abs(frames - truth.plate)[wall].mean() < 6
    assert np.abs(truth.plate[1:].astype(int) - truth.plate[0]).mean() > 2
    assert not truth.masks[Role.OBJECT][:2].any()
    assert truth.masks[Role.OBJECT][2:].any(axis=(1, 2)).all()
    assert (episode.signals["actions"][:4, :4] == 0).all()


def test_the_new_scenery_lies_behind_the_same_robot() -> None:
    _, truths = render_episode(TabletopSpec(1, 64, 5), 0)
    truth = truths[STATIC]
    away = ~(truth.masks[Role.ROBOT] | truth.masks[Role.OBJECT])
    assert np.abs(truth.new_plate.astype(int) - truth.plate)[away].mean() > 10
    lighter = (truth.restaged > truth.new_plate).any(-1) & away
    assert not (lighter & ~truth.masks[Role.SUPPORT]).any()


def test_noise_is_drawn_from_the_seed_and_the_first_frame_is_steady() -> None:
    spec = TabletopSpec(1, 64, 5, HARD)
    assert record_episode(spec, 0).id == record_episode(spec, 0).id
    steady = record_episode(TabletopSpec(1, 64, 5, Conditions(arrival=2)), 0)
    swaying = record_episode(TabletopSpec(1, 64, 5, Conditions(sway=3.0, arrival=2)), 0)
    first, later = (np.stack([e.cameras[STATIC].read(n, n + 1).frames for e in (steady, swaying)]) for n in (0, 3))
    np.testing.assert_array_equal(first[0], first[1])
    assert (later[0] != later[1]).any()


def test_conditions_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"sway is -1\.0; it must not be negative"):
        Conditions(sway=-1.0)
