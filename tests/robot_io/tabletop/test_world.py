"""The world without its pictures: kinematics, grasping, the expert."""

import numpy as np
import pytest

pytest.importorskip("mujoco")

from robot_io.tabletop import arm
from robot_io.tabletop.episodes import START
from robot_io.tabletop.expert import demonstrate
from robot_io.tabletop.scene import COLOURS, GOAL_HEIGHT, SHAPES, sample_scene
from robot_io.tabletop.world import WORKSPACE, World

SEEDS = range(24)


def world_of(seed: int) -> World:
    rng = np.random.default_rng(seed)
    return World(sample_scene(rng), rng.uniform(*START))


def finger_tips(world: World) -> np.ndarray:
    """Where MuJoCo's forward kinematics puts the point between the finger tips."""
    hand = world.data.body("hand")
    return hand.xpos + (arm.HAND - 0.060) * hand.xmat.reshape(3, 3)[:, 2]


def test_inverse_kinematics_agrees_with_mujoco_all_over_the_workspace() -> None:
    world = world_of(0)
    corners = np.array(np.meshgrid(*WORKSPACE.T)).reshape(3, -1).T
    for place in corners:
        for _ in range(12):
            move = np.clip((place - world.state.hand) / 0.05, -1, 1)
            world.step(np.array([*move, 0.3, -1], dtype=np.float32))
        np.testing.assert_allclose(world.state.hand, place, atol=1e-6)
        np.testing.assert_allclose(finger_tips(world), place, atol=1e-6)
        axes = world.data.body("hand").xmat.reshape(3, 3)
        np.testing.assert_allclose(axes[:, 2], [0, 0, -1], atol=1e-6)
        yaw = world.state.yaw
        np.testing.assert_allclose(np.abs(axes[:2, 1] @ [-np.sin(yaw), np.cos(yaw)]), 1, atol=1e-6)


def test_out_of_reach_says_where_and_how_far() -> None:
    with pytest.raises(ValueError, match=r"hand cannot be at \[0.9, 0.0, 0.1\].*arm is 0.520 m"):
        arm.inverse_kinematics(np.array([0.9, 0.0, 0.1]), 0.0)


def test_any_actions_keep_the_hand_in_the_workspace_and_the_object_above_the_table() -> None:
    rng = np.random.default_rng(0)
    for seed in range(4):
        world = world_of(seed)
        for _ in range(80):
            world.step(rng.uniform(-3, 3, 5).astype(np.float32))
            assert (world.state.hand >= WORKSPACE[0]).all()
            assert (world.state.hand <= WORKSPACE[1]).all()
            assert 0 <= world.state.opening <= arm.MAX_OPENING
            assert world.state.held or world.state.thing[2] >= world.scene.thing.height / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_the_expert_lifts_the_object_and_puts_it_on_the_coaster(seed: int) -> None:
    world = world_of(seed)
    lifted, steps = False, 0
    for action in demonstrate(world):
        assert np.abs(action).max() <= 1 + 1e-6
        before = world.state
        world.step(action)
        steps += 1
        lifted |= world.lifted
        if world.state.held:
            # The fingers touch the object: neither a gap nor an overlap, and it does not slide between them.
            assert world.state.opening == world.scene.thing.width
            np.testing.assert_allclose(world.state.thing[:2], world.state.hand[:2], atol=1e-9)
        elif not before.held:
            np.testing.assert_array_equal(world.state.thing[:2], before.thing[:2])
    assert lifted
    assert world.placed
    assert 18 <= steps <= 40
    assert world.state.thing[2] == pytest.approx(world.scene.thing.height / 2 + GOAL_HEIGHT)


def test_what_is_let_go_falls_onto_the_table() -> None:
    world = world_of(1)
    actions = demonstrate(world)
    while not world.lifted:
        world.step(next(actions))
    for _ in range(6):
        world.step(np.array([0, 0, 0, 0, -1], dtype=np.float32))
    assert not world.state.held
    assert world.state.thing[2] == pytest.approx(world.scene.thing.height / 2)
    assert not world.placed


def test_closing_beside_the_object_grips_nothing() -> None:
    world = world_of(1)
    away = -np.sign(world.scene.thing.place[1])
    for _ in range(8):
        world.step(np.array([0, away, -1, 0, -1], dtype=np.float32))
    for _ in range(6):
        world.step(np.array([0, 0, 0, 0, 1], dtype=np.float32))
    assert not world.state.held
    assert world.state.opening == 0


def test_scenes_vary() -> None:
    scenes = [sample_scene(np.random.default_rng(seed)) for seed in range(40)]
    assert {scene.thing.shape for scene in scenes} == set(SHAPES)
    assert {scene.thing.colour for scene in scenes} == set(COLOURS)
    assert len({scene.table.kind for scene in scenes}) == 5
    assert len({scene.wall.kind for scene in scenes}) == 4
    assert all(scene.thing.colour != scene.goal.colour for scene in scenes)
    assert all(scene.thing.colour in scene.instruction for scene in scenes)
