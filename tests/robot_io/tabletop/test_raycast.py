"""What is left out to save time must not show, and what is taken away must be gone."""

import numpy as np
import pytest

pytest.importorskip("mujoco")

from robot_io.tabletop import shadows
from robot_io.tabletop.backdrop import Stage
from robot_io.tabletop.cameras import agentview, eye_in_hand
from robot_io.tabletop.engine import mujoco
from robot_io.tabletop.expert import demonstrate
from robot_io.tabletop.planes import TABLE, WALL
from robot_io.tabletop.raycast import MOVING, Group, blocked, cast
from robot_io.tabletop.render import View
from robot_io.tabletop.scene import sample_scene
from robot_io.tabletop.shadows import Lights, Shadows
from robot_io.tabletop.world import World


@pytest.fixture(params=range(3))
def world(request: pytest.FixtureRequest) -> World:
    world = World(sample_scene(np.random.default_rng(request.param)), np.array([0.03, 0.02, 0.18]))
    for action, _ in zip(demonstrate(world), range(8 * request.param), strict=False):
        world.step(action)
    return world


@pytest.mark.parametrize("group", MOVING)
def test_cast_finds_what_mujoco_finds_for_every_ray(world: World, group: Group) -> None:
    camera = agentview(48)
    rays = camera.rays(1)
    hits = cast(world, camera.position, rays, (group,))
    only = np.array([g == group for g in range(6)], np.uint8)
    geom = np.empty(1, np.int32)
    expected = [mujoco.mj_ray(world.model, world.data, camera.position, ray, only, 1, -1, geom, None) for ray in rays]
    found = np.full(len(rays), -1.0)
    found[hits.ray] = hits.distance
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert len(hits.ray) > 5


@pytest.mark.parametrize("name", ["agentview", "eye_in_hand"])
def test_points_are_projected_to_where_their_rays_come_from(world: World, name: str) -> None:
    camera = agentview(48) if name == "agentview" else eye_in_hand(world, 48)
    rays = camera.rays(1)
    distances = np.linspace(0.2, 3, len(rays))
    seen, scale = camera.project(camera.position + distances[:, None] * rays)
    rows, columns = np.divmod(np.arange(len(rays)), 48)
    np.testing.assert_allclose(seen, np.stack([columns + 0.5, rows + 0.5], axis=1), atol=1e-9)
    nearby, _ = camera.project(camera.position + distances[:, None] * rays + 1e-3 * camera.axes[0])
    np.testing.assert_allclose(nearby - seen, np.stack([1e-3 * scale, 0 * scale], axis=1), atol=1e-9)


@pytest.mark.parametrize("plane", [TABLE.lamp, TABLE.sky, WALL.lamp, WALL.sky])
@pytest.mark.parametrize("group", MOVING)
def test_shadow_windows_leave_no_shadow_out(world: World, plane: shadows.Plane, group: Group) -> None:
    lights = Lights(world.scene.light)
    for points in (lights.lamp, lights.sky):
        for light, hidden in zip(points, shadows._hidden(world, points, plane, group), strict=True):
            if (light - plane.corner) @ plane.normal <= 0:
                continue  # it shines on the back of the wall
            everywhere = blocked(world, light, plane.points.reshape(-1, 3), group).reshape(plane.shape)
            np.testing.assert_array_equal(hidden, everywhere)


def test_a_light_behind_a_thing_is_blocked_and_one_before_it_is_not(world: World) -> None:
    centre = world.state.thing
    beside = centre + np.array([0.0, 0.3, 0.0])
    light = centre + np.array([1.0, 0.0, 0.0])
    points = np.array([centre - np.array([0.3, 0, 0]), centre + np.array([0.3, 0, 0]), beside])
    assert blocked(world, light, points, Group.OBJECT).tolist() == [True, False, False]


def test_a_picture_without_the_object_is_a_picture_of_a_world_where_it_is_elsewhere(world: World) -> None:
    stage = Stage(world)
    for camera in (agentview(64), eye_in_hand(world, 64)):
        backdrop = stage.backdrop(camera)
        alone = View(stage, backdrop, Shadows(world, stage.lights)).picture((Group.ROBOT,), (Group.ROBOT,))
        joint = slice(7, 10)  # in qpos, after arm and fingers: the object's place
        place = world.data.qpos[joint].copy()
        world.data.qpos[joint] += [0.0, 60.0, 0.0]
        mujoco.mj_kinematics(world.model, world.data)
        elsewhere = View(stage, backdrop, Shadows(world, stage.lights)).picture()
        world.data.qpos[joint] = place
        mujoco.mj_kinematics(world.model, world.data)
        np.testing.assert_array_equal(alone, elsewhere)
