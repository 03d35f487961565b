"""Where the support ends, what follows from it, and that both look lit by one lamp."""

from collections.abc import Sequence

import numpy as np
import pytest

from augment.errors import RequestError
from augment.generate import Texture
from augment.generate.canvas import open_canvas
from augment.generate.edge import Edge, check_edge, find_edge
from augment.generate.room import CAMERA, Room
from augment.types import Role, Seeks
from tests.scenes import NothingKept

HEIGHT, WIDTH = 96, 128
LINES = [(0.35, 0.35), (0.5, 0.3), (0.2, 0.42)]


def below(left: float, right: float) -> np.ndarray:
    rows = left + (right - left) * (np.arange(WIDTH) + 0.5) / WIDTH
    return (np.arange(HEIGHT)[:, None] + 0.5) / HEIGHT >= rows


def table(left: float, right: float, seed: int = 0) -> np.ndarray:
    """A noisy plate: brown below the line, bluish grey above it."""
    noise = np.random.default_rng(seed).normal(0, 8, (HEIGHT, WIDTH, 3))
    flat = np.where(below(left, right)[..., None], (150, 110, 70), (170, 180, 190))
    return (flat + noise).clip(0, 255).astype(np.uint8)


class View(NothingKept):
    """A SceneView with a plate and perhaps a support region."""

    height, width = HEIGHT, WIDTH

    def __init__(self, plate: np.ndarray, support: np.ndarray | None = None) -> None:
        self.plate = plate
        self._support = np.zeros((HEIGHT, WIDTH), bool) if support is None else support

    def region(self, what: Role | Seeks) -> np.ndarray:
        return self._support if what == Role.SUPPORT else np.zeros((HEIGHT, WIDTH), bool)


def ends(edge: Edge) -> list[float]:
    return edge.rows(np.array([0, 1], dtype=np.float32)).tolist()


class First:
    """Deals the first card of every deck."""

    language: tuple[str, ...] = ()

    def __call__(self, deck: str, cards: Sequence[str], every: int = 1) -> str:
        return cards[0]


@pytest.mark.parametrize(("left", "right"), LINES)
def test_the_edge_is_detected(left: float, right: float) -> None:
    edge = find_edge(None, table(left, right))
    assert edge.known
    assert ends(edge) == pytest.approx([left, right], abs=0.03)


@pytest.mark.parametrize(("left", "right"), LINES)
def test_clutter_does_not_hide_the_edge(left: float, right: float) -> None:
    plate = table(left, right)
    for column, colour in ((10, (250, 240, 20)), (50, (30, 30, 30)), (95, (200, 40, 40))):
        plate[20:60, column : column + 14] = colour
    assert ends(find_edge(None, plate)) == pytest.approx([left, right], abs=0.04)


def test_where_nothing_tells_the_edge_is_assumed() -> None:
    noise = np.random.default_rng(0).integers(90, 160, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    for plate in (noise, np.full_like(noise, 128), table(0.9, 0.9)):
        edge = find_edge(None, plate)
        assert not edge.known
        assert ends(edge) == pytest.approx([-0.05, -0.05])


def test_points_win_over_detection_and_a_region_over_both() -> None:
    plate, painted = table(0.35, 0.35), (0.0, 0.5, 1.0, 0.2)
    assert ends(find_edge(None, plate, painted)) == pytest.approx([0.5, 0.2])
    assert ends(find_edge(below(0.25, 0.3), plate, painted)) == pytest.approx([0.25, 0.3], abs=0.01)


def test_a_region_is_fitted_past_what_stands_before_it() -> None:
    region = below(0.3, 0.4)
    region[:70, 30:60] = False
    region[:, :12] = False
    assert ends(find_edge(region, table(0.6, 0.6))) == pytest.approx([0.3, 0.4], abs=0.015)
    canvas = open_canvas(View(table(0.6, 0.6), region), (), 0.0)
    seen = canvas.support[1::4, 1::4]
    np.testing.assert_array_equal(seen[:, :10], False)
    assert (seen[:, 14:] == below(0.3, 0.4)[:, 14:]).mean() > 0.97, "what the robot hides is filled"


def test_three_points_make_a_corner() -> None:
    edge = find_edge(None, table(0.6, 0.6), (0.2, 0.4, 0.5, 0.25, 1.0, 0.5))
    np.testing.assert_allclose(
        edge.rows(np.array([0, 0.2, 0.5, 1], dtype=np.float32)), [0.5, 0.4, 0.25, 0.5], atol=1e-6
    )
    room = Room(edge, WIDTH / HEIGHT, 0.0)
    assert len(room.walls) == 2
    points = room.on_walls(np.array([-0.4, 0.4], np.float32), np.array([0.1, 0.1], np.float32))
    assert points.normal[0][0] > 0 > points.normal[0][1], "the walls face each other"


@pytest.mark.parametrize(("left", "right"), [(0.35, 0.35), (0.5, 0.3), (0.0, 0.0), (0.65, 0.6)])
def test_support_and_wall_meet_at_the_edge(left: float, right: float) -> None:
    edge = Edge(((0.0, left), (1.0, right)))
    room = Room(edge, WIDTH / HEIGHT, 0.0)
    assert room.horizon < min(left, right)
    across = np.linspace(0, 1, 7, dtype=np.float32)
    x, y = (across - np.float32(0.5)) * np.float32(WIDTH / HEIGHT), edge.rows(across)
    support, wall = room.on_level(x, y), room.on_walls(x, y)
    np.testing.assert_allclose(room.to_walls(support), 0, atol=1e-4)
    np.testing.assert_allclose(wall.z, 0, atol=1e-4)
    np.testing.assert_allclose(wall.x, support.x, atol=1e-3)
    level = room.on_walls(np.float32([0]), np.float32([room.horizon]))
    np.testing.assert_allclose(level.z, CAMERA, atol=1e-4, err_msg="the horizon is as high as the camera")


def test_what_is_further_away_looks_smaller() -> None:
    room = Room(Edge(((0.0, 0.3), (1.0, 0.3))), WIDTH / HEIGHT, 0.0)
    y = np.linspace(0.3, 1, 15, dtype=np.float32)
    width = np.diff(room.on_level(np.stack([y * 0, y * 0 + 0.1]), np.stack([y, y])).x, axis=0)[0]
    assert (np.diff(width) < 0).all(), "a tenth of the picture spans more metres towards the horizon"


@pytest.mark.parametrize("side", [-0.8, 0.8])
def test_wall_and_support_are_lit_from_one_side(side: float) -> None:
    texture = Texture(families=("plaster",), edge=(0.0, 0.4, 1.0, 0.4))
    choices = texture.draw(np.random.default_rng(0), First())
    assert choices["feature"]["kind"] == "plain"
    choices["light"] = {"side": side, "ahead": 0.4, "above": 0.6, "ambient": 0.3, "gloss": 0.0}
    choices["gap"] = 0.0
    plate = texture(choices, View(table(0.4, 0.4)), table(0.4, 0.4)).astype(float).mean(axis=2)
    for rows in (plate[5:30], plate[45:90]):
        assert np.sign(rows[:, 96:].mean() - rows[:, :32].mean()) == np.sign(side)
    assert plate[40:42].mean() < plate[50:60].mean(), "dark where they meet"


def test_edges_that_are_none() -> None:
    check_edge(())
    check_edge((0.0, 0.3, 1.0, 0.3))
    with pytest.raises(RequestError, match="x, y of two or three points"):
        check_edge((0.1, 0.2, 0.3))
    with pytest.raises(RequestError, match="fractions of width and height"):
        check_edge((0.0, 120.0, 640.0, 130.0))
    with pytest.raises(RequestError, match="from left to right"):
        check_edge((1.0, 0.3, 0.0, 0.3))
