import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.images import warp
from augment.layers import Layers, LayersWriter, has_layers, layers_folder, layers_key, open_layers, write_layers
from augment.types import Background, Role, Stability
from robot_io.errors import EpisodeError
from robot_io.memory import ArrayMask
from tests.scenes import HEIGHT, LENGTH, WIDTH, crossing_square, wall

WARPS = np.random.default_rng(0).normal(size=(LENGTH, 8)).astype(np.float32)
WARPS[:, 6:] *= 1e-5

GAINS = np.round(np.random.default_rng(1).uniform(0.8, 1.2, (LENGTH, 3)), 3).astype(np.float32)


def masks() -> np.ndarray:
    return crossing_square()[1]


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    support = np.zeros((LENGTH, HEIGHT, WIDTH), bool)
    support[:, 30:] = True
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[3, 4] = True
    tracks = [ArrayMask(Role.ROBOT, "square", masks()), ArrayMask(Role.SUPPORT, "table", support)]
    background = Background(Stability.NEAR_STATIC, WARPS, GAINS, wall(0), 0.9)
    made_from = {"episode": "e"}
    folder = layers_folder(tmp_path, "e", "a/b", layers_key(made_from))
    return write_layers(folder, made_from, "a/b", background, wall(0), hole, tracks)


def test_what_was_written_is_read(layers: Layers) -> None:
    assert has_layers(layers.folder)
    again = open_layers(layers.folder)
    assert (again.camera, again.length, again.stability) == ("a/b", LENGTH, Stability.NEAR_STATIC)
    np.testing.assert_array_equal(again.plate, wall(0))
    np.testing.assert_array_equal(again.warps, WARPS)
    np.testing.assert_array_equal(again.gains, GAINS)
    assert again.hole.sum() == 1
    np.testing.assert_array_equal(again.keep([Role.ROBOT], 2, 7), masks()[2:7])
    np.testing.assert_array_equal(again.keep([], 0, LENGTH), np.zeros_like(masks()))
    assert again.keep([Role.ROBOT, Role.SUPPORT], 0, 3)[:, 30:].all()
    assert again.roles == {Role.ROBOT, Role.SUPPORT}


def test_a_region_is_where_a_role_is_on_the_plate(tmp_path: Path) -> None:
    table = np.zeros((HEIGHT, WIDTH), bool)
    table[30:] = True
    warps = np.zeros((LENGTH, 8), np.float32)
    warps[:, 0] = np.arange(LENGTH) - 3
    track = ArrayMask(Role.SUPPORT, "table", np.stack([warp(table, by) for by in warps]))
    background = Background(Stability.NEAR_STATIC, warps, GAINS, wall(0), 0.9)
    hole = np.zeros((HEIGHT, WIDTH), bool)
    known = write_layers(tmp_path / "layers", {}, "front", background, wall(0), hole, [track])
    np.testing.assert_array_equal(known.region(Role.SUPPORT), table)
    assert not known.region(Role.ROBOT).any()


def test_what_never_moves_is_one_picture(layers: Layers) -> None:
    assert sorted(path.name for path in (layers.folder / "masks").iterdir()) == ["00-robot.zip", "01-support.png"]


def test_an_edited_mask_is_used_and_noticed(layers: Layers) -> None:
    before = layers.digest
    path = layers.folder / "masks" / "00-robot.zip"
    with zipfile.ZipFile(path) as archive:
        frames = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    Image.new("L", (WIDTH, HEIGHT), 255).save(buffer, "PNG")
    frames["000004.png"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in frames.items():
            archive.writestr(f"robot/{name}", content)  # as a desktop's archiver packs a folder
    again = open_layers(layers.folder)
    assert again.keep([Role.ROBOT], 4, 5).all()
    np.testing.assert_array_equal(again.keep([Role.ROBOT], 5, 6), masks()[5:6])
    assert again.digest != before


def test_an_edit_of_the_wrong_size_is_refused(layers: Layers) -> None:
    Image.new("L", (5, 5), 255).save(layers.folder / "masks" / "01-support.png")
    with pytest.raises(EpisodeError, match=r"01-support\.png is 5x5 pixels; its camera is 48x64"):
        open_layers(layers.folder).keep([Role.SUPPORT], 0, 1)


def test_same_layers_same_bytes(layers: Layers, tmp_path: Path) -> None:
    digest = layers.digest
    shutil.rmtree(layers.folder)
    background = Background(Stability.NEAR_STATIC, WARPS, GAINS, wall(0), 0.9)
    support = np.zeros((LENGTH, HEIGHT, WIDTH), bool)
    support[:, 30:] = True
    tracks = [ArrayMask(Role.ROBOT, "square", masks()), ArrayMask(Role.SUPPORT, "table", support)]
    again = write_layers(layers.folder, {"episode": "e"}, "a/b", background, wall(0), layers_hole(), tracks)
    assert again.digest == digest
    assert not list(layers.folder.parent.glob(".*"))


def layers_hole() -> np.ndarray:
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[3, 4] = True
    return hole


def test_tracks_are_read_before_the_layers_are_whole(tmp_path: Path) -> None:
    folder = layers_folder(tmp_path, "e", "c", "key")
    writer = LayersWriter(folder, "c", (LENGTH, HEIGHT, WIDTH))
    (first,) = writer.store([ArrayMask(Role.ROBOT, "square", masks())])
    (second,) = writer.store([ArrayMask(Role.OBJECT, "square", masks())])
    np.testing.assert_array_equal(first.read(1, 4), masks()[1:4])
    assert second.path.name == "01-object.zip"
    assert not has_layers(folder)
    layers = writer.finish({}, Background(Stability.STATIC, WARPS, GAINS, wall(0), 0.0), wall(0), layers_hole())
    assert has_layers(folder)
    assert layers.roles == {Role.ROBOT, Role.OBJECT}


def test_the_key_follows_the_inputs() -> None:
    assert layers_key({"a": 1, "b": 2}) == layers_key({"b": 2, "a": 1}) != layers_key({"a": 1, "b": 3})
