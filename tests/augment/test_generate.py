import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.errors import RequestError
from augment.generate import GENERATORS, Generator, Photo, Texture
from augment.generate.patterns import PATTERNS
from augment.plan import random_for
from augment.types import Role
from tests.scenes import HEIGHT, WIDTH, wall


class View:
    """A SceneView of a camera that may see a table."""

    height, width, plate = HEIGHT, WIDTH, wall(0)

    def __init__(self, table_top: int = HEIGHT) -> None:
        self._support = np.zeros((HEIGHT, WIDTH), bool)
        self._support[table_top:] = True

    def region(self, role: Role) -> np.ndarray:
        return self._support if role == Role.SUPPORT else np.zeros_like(self._support)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, size in enumerate([(200, 90), (50, 300), (64, 48)]):
        Image.fromarray(wall(number, size[1], size[0])).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def make(name: str, photos: Path) -> Generator:
    return Photo(str(photos)) if name == "photo" else GENERATORS[name]()


@pytest.mark.parametrize("name", GENERATORS)
def test_contract(name: str, photos: Path) -> None:
    """Choices are JSON; the same choices give the same plate on any camera; other choices give another."""
    generator = make(name, photos)
    generator.check()
    choices = [json.loads(json.dumps(generator.draw(random_for(number)))) for number in range(4)]
    plates = [generator(choice, View(), View.plate) for choice in choices]
    for plate in plates:
        assert plate.shape == (HEIGHT, WIDTH, 3)
        assert plate.dtype == np.uint8
    np.testing.assert_array_equal(generator(choices[0], View(), View.plate), plates[0])
    differences = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(plates)]
    assert min(differences) > 5
    json.dumps(generator.identity())


@pytest.mark.parametrize("family", PATTERNS)
def test_patterns_stay_in_range_and_repeat(family: str) -> None:
    u, v = np.meshgrid(np.linspace(-4, 9, 70, dtype=np.float32), np.linspace(-3, 6, 50, dtype=np.float32))
    values = PATTERNS[family](u, v, 3)
    assert values.shape == (50, 70)
    assert values.dtype == np.float32
    assert -0.2 <= values.min() < values.max() <= 1.2
    np.testing.assert_array_equal(values, PATTERNS[family](u, v, 3))
    assert not np.array_equal(values, PATTERNS[family](u, v, 4))


def test_support_gets_its_own_material_in_perspective() -> None:
    texture = Texture(families=("checker",))
    choices = texture.draw(random_for(1))
    choices["support"] |= {"angle": 0.0, "scale": 6.0, "colours": [[0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]]}
    without = texture(choices, View(), View.plate)
    plate = texture(choices, View(table_top=20), View.plate)
    np.testing.assert_array_equal(plate[:14], without[:14])
    luma = plate.mean(axis=2)
    crossings = [(np.abs(np.diff(luma[row] > 128)) > 0).sum() for row in (24, 46)]
    assert crossings[0] > crossings[1] > 0, "squares must be smaller where the table is further away"


def test_cameras_share_the_choices_not_the_pixels() -> None:
    choices = Texture().draw(random_for(3))
    assert Texture()(choices, View(), View.plate).shape == Texture()(choices, View(30), View.plate).shape


def test_photos_are_known_by_content(photos: Path, tmp_path: Path) -> None:
    before = Photo(str(photos)).identity()
    Image.fromarray(wall(9, 30, 30)).save(photos / "1.png")
    assert Photo(str(photos)).identity() != before


def test_unusable_options(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is not a folder"):
        Photo("nowhere").check()
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="holds no picture"):
        Photo(str(tmp_path / "empty")).check()
    (photos / "broken.jpg").write_bytes(b"jpeg?")
    with pytest.raises(RequestError, match=r"broken\.jpg cannot be read"):
        Photo(str(photos)).check()
    with pytest.raises(RequestError, match="choose at least one of plaster"):
        Texture(families=("velvet",)).check()
