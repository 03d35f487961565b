"""How a plate is composed around the foreground, and the foreground taken away."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from augment.generate import Outpaint
from augment.models.painting.base import Canvas
from augment.scene import fill_smoothly
from augment.types import KeyFrame, Role

CHOICES = {"prompt": "a table", "negative": "", "things": [], "key": "0"}
CANDIDATES = 2
SIDE, GREY, RED, BLUE = 48, 100, (250, 0, 0), (0, 0, 250)
THING, GOAL = (slice(20, 28), slice(18, 26)), (slice(24, 34), slice(26, 36))


@dataclass
class Still:
    """A SceneView: a blue thing stands beside a red goal, which is kept."""

    plate: np.ndarray
    kept: np.ndarray
    key: KeyFrame
    camera: str = "front"
    height: int = SIDE
    width: int = SIDE
    fill = staticmethod(fill_smoothly)

    def region(self, role: Role) -> np.ndarray:
        return np.zeros_like(self.kept)

    def region_in(self, index: int, role: Role) -> np.ndarray:
        return self.region(role)


def scene() -> Still:
    plate, kept, thing = np.full((SIDE, SIDE, 3), 30, np.uint8), *np.zeros((2, SIDE, SIDE), np.bool_)
    kept[GOAL], thing[THING], plate[GOAL] = True, True, RED
    picture = plate.copy()
    picture[THING] = BLUE
    return Still(plate, kept, KeyFrame(picture, thing))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Canvas]:
    """What the networks are asked; they paint grey at first, and then leave the guess as it is."""
    canvases: list[Canvas] = []

    def paint(new: Sequence[Canvas], *_: object) -> list[np.ndarray]:
        canvases.extend(new)
        plain = [each.number < CANDIDATES for each in new]
        return [
            np.where((each.keep < 1)[..., None] & at_first, np.uint8(GREY), each.picture)
            for each, at_first in zip(new, plain, strict=True)
        ]

    monkeypatch.setattr(Outpaint, "painter", property(lambda _: paint))
    return canvases


def test_what_was_behind_the_foreground_takes_no_colour_from_what_is_kept(asked: list[Canvas]) -> None:
    view = scene()
    made = Outpaint(candidates=CANDIDATES)(CHOICES, view, view.plate)
    assert len(asked) == 3
    assert all((canvas.picture[THING] == BLUE).all() and (canvas.keep[THING] == 1).all() for canvas in asked[:2])
    assert (asked[2].keep[GOAL] == 1).all()
    assert (asked[2].keep[THING] < 1).all()
    assert (made[view.kept] == RED).all()
    assert (made[~view.kept] == GREY).all()


def test_with_nothing_painted_beside_it_the_surroundings_tell(asked: list[Canvas]) -> None:
    """All but the foreground is kept: nothing is new, so the guess is of what is kept."""
    view = scene()
    view.kept[:] = True
    view.kept[THING] = False
    made = Outpaint(candidates=CANDIDATES)(CHOICES, view, view.plate)
    assert np.abs(made[21:24, 19:22].astype(int) - 30).max() < 60
