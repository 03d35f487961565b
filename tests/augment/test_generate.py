import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.errors import RequestError
from augment.evaluation import variety
from augment.generate import GENERATORS, Generator, Photo, Texture
from augment.generate.patterns import PATTERNS
from augment.models.packs import Component, Pack
from augment.models.runtime import Runtime
from augment.plan import Dealer, random_for
from augment.types import Role, Seeks
from tests.pipelines import tiny_pipeline
from tests.scenes import HEIGHT, WIDTH, NothingKept, wall


class View(NothingKept):
    """A SceneView of a camera that may see a table."""

    height, width, plate = HEIGHT, WIDTH, wall(0)

    def __init__(self, table_top: int = HEIGHT) -> None:
        self._support = np.zeros((HEIGHT, WIDTH), bool)
        self._support[table_top:] = True

    def region(self, what: Role | Seeks) -> np.ndarray:
        return self._support if what == Role.SUPPORT else np.zeros_like(self._support)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, size in enumerate([(200, 90), (50, 300), (64, 48)]):
        Image.fromarray(wall(number, size[1], size[0])).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def draw(generator: Generator, variant: int = 0) -> dict:
    return generator.draw(random_for(variant), Dealer(0, "e", "background", variant, 0))


FURNISHED = ("texture", "photo")
"""Ways to generate that put a support of their own where the scene has one."""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return Pack("tiny", base=Component("stable_diffusion", str(tiny_pipeline(tmp_path_factory.mktemp("pack")))))


def make(name: str, photos: Path) -> Generator:
    return Photo(str(photos)) if name == "photo" else GENERATORS[name]()


def painted(name: str, pack: Pack) -> Generator:
    edits = {"region": "surroundings"} if name == "blended" else {}
    return GENERATORS[name](steps=2, candidates=2, pack=pack, runtime=Runtime("cpu"), **edits)


@pytest.mark.parametrize("name", GENERATORS)
def test_contract(name: str, photos: Path, pack: Pack) -> None:
    """Choices are JSON; the same choices give the same plate on any camera; other choices give another."""
    generator = make(name, photos) if name in FURNISHED else painted(name, pack)
    generator.check()
    choices = [json.loads(json.dumps(draw(generator, number))) for number in range(4)]
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
    choices = draw(texture, 1)
    checks = {"family": "checker", "angle": 0.0, "size": 0.12, "colours": [[0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]]}
    choices["support"] |= checks
    plate = texture(choices, View(table_top=20), View.plate)
    luma = plate.mean(axis=2)
    crossings = [(np.abs(np.diff(luma[row] > 100)) > 0).sum() for row in (24, 46)]
    assert crossings[0] > crossings[1] > 0, "squares must be smaller where the table is further away"
    other = texture(choices | {"wall": draw(texture, 2)["wall"]}, View(table_top=20), View.plate)
    np.testing.assert_array_equal(plate[24:], other[24:])
    assert (plate[:18] != other[:18]).any()


@pytest.mark.parametrize("name", FURNISHED)
def test_cameras_share_the_choices_not_the_geometry(name: str, photos: Path) -> None:
    generator = make(name, photos)
    choices = draw(generator, 3)
    plates = [generator(choices, View(top), View.plate) for top in (HEIGHT, 20, 30)]
    assert [plate.shape for plate in plates] == [View.plate.shape] * 3
    assert np.abs(plates[1][20:30].astype(int) - plates[2][20:30]).mean() > 5


def test_a_photo_stands_behind_the_support(photos: Path) -> None:
    flat = np.full((60, 80, 3), (30, 200, 60), np.uint8)
    for photo in photos.glob("*.png"):
        Image.fromarray(flat).save(photo)
    photo = Photo(str(photos), families=("plaster",), saturation=0.0)
    choices = draw(photo)
    behind = photo(choices, View(table_top=24), View.plate)
    assert np.abs(behind[:22].astype(int) - (30, 200, 60)).max() < 6
    assert np.ptp(behind[28:].astype(int), axis=2).max() < 6, "a support without colour"
    nowhere = View()
    nowhere.plate = np.full_like(View.plate, 128)
    alone = photo(choices, nowhere, nowhere.plate)
    assert np.abs(alone.astype(int) - (30, 200, 60)).max() <= 1


@pytest.mark.parametrize("edge", [(), (0.0, 0.4, 1.0, 0.3)])
def test_variants_differ(edge: tuple[float, ...]) -> None:
    texture = Texture(edge=edge)
    found = variety([texture(draw(texture, number), View(), View.plate) for number in range(8)])
    assert found is not None
    assert found["least"] > 3
    assert found["mean"] > 15


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
    with pytest.raises(RequestError, match="x, y of two or three points"):
        Texture(edge=(0.5,)).check()
    (photos / "broken.jpg").unlink()
    with pytest.raises(RequestError, match=r"zoom=3.*from 1.*to 2.5"):
        Photo(str(photos), zoom=3.0).check()


@pytest.mark.parametrize("name", FURNISHED)
def test_a_generator_knows_where_its_plates_show_a_support(name: str, photos: Path) -> None:
    """A support of another colour changes these pixels, and others at the most by its blur."""
    generator = make(name, photos)
    scene = View(table_top=20)
    support = generator.support(scene)
    choices = draw(generator)
    plain = {"family": "plaster", "size": 0.1, "angle": 0.0, "contrast": 0.0}
    plates = [
        generator(choices | {"support": choices["support"] | plain | {"colours": [[level] * 3] * 3}}, scene, View.plate)
        for level in (0.1, 0.9)
    ]
    difference = plates[1].mean(axis=2) - plates[0].mean(axis=2)
    np.testing.assert_array_equal(difference > difference[24:].mean() / 2, support)


def test_a_photo_that_fills_the_plate_shows_no_support(photos: Path) -> None:
    nowhere = View()
    nowhere.plate = np.full_like(View.plate, 128)
    assert Photo(str(photos)).support(nowhere) is None
    assert Texture().support(nowhere) is not None
