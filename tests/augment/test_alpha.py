"""Soft alpha on rendered clips whose truth is known: a cable, a glass, and what must not light up."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from augment.compose import Composite
from augment.images import grow
from augment.layers import Layers, LayersWriter, open_layers
from augment.pipeline import Perception
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.scene import Survey, find_alpha
from augment.segment import Recorded
from augment.types import AlphaTrack, Background, Role, Stability
from robot_io.errors import EpisodeError
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.types import Episode, FrameWriter
from tests.scenes import episode, wall

HEIGHT, WIDTH, LENGTH = 120, 160, 6
DARK, LIGHT = (25, 22, 30), (236, 232, 225)
ROLES = (Role.ROBOT, Role.OBJECT)
NOTHING = np.zeros((HEIGHT, WIDTH), bool)


@dataclass(frozen=True)
class World:
    """A clip, what is known of it, and the true share of what is thin or transparent."""

    frames: np.ndarray
    masks: np.ndarray
    background: Background
    alpha: np.ndarray
    """0..1, where no mask is."""

    def tracks(self, label: str = "arm", role: Role = Role.ROBOT) -> list[ArrayMask]:
        return [ArrayMask(role, label, self.masks)]

    def found(self, hole: np.ndarray | None = None) -> np.ndarray:
        """Alpha of all tracks, 0..1."""
        hole = NOTHING if hole is None else hole
        return read(find_alpha(ArrayFrames("front", self.frames), self.background, hole, self.tracks()))


def read(alphas: Sequence[AlphaTrack]) -> np.ndarray:
    return np.maximum.reduce([alpha.read(0, LENGTH) for alpha in alphas]) / 255


def plate(seed: int = 0) -> np.ndarray:
    """Coarse and fine texture, as wood or cloth has."""
    return ndimage.gaussian_filter(wall(seed, HEIGHT, WIDTH).astype(np.float32), (1, 1, 0)).astype(np.uint8)


def line(start: tuple[float, float], stop: tuple[float, float], width: float) -> np.ndarray:
    """Coverage, 0..1, of a line between two points (y, x) as antialiasing has it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    (down, right), (from_y, from_x) = np.subtract(stop, start), start
    along = np.clip(((y - from_y) * down + (x - from_x) * right) / (down**2 + right**2), 0, 1)
    away = np.hypot(y - from_y - along * down, x - from_x - along * right)
    return np.clip(width / 2 + 0.5 - away, 0, 1)


def world(
    colour: tuple[int, int, int] = DARK,
    width: float = 1.6,
    cable: bool = True,
    shadow: float = 0.4,
    noise: float = 1.5,
    colour_of_shadow: tuple[float, float, float] = (1, 1, 1),
    length: int = LENGTH,
) -> World:
    """An arm comes from above and sways; a cable hangs from it to the lower border; its soft shadow lies beside it."""
    rng, behind = np.random.default_rng(0), plate().astype(np.float32)
    frames, masks, alphas, gains = [], [], [], []
    for index in range(length):
        right = 60 + 4 * index
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[:50, right : right + 24] = True
        shade = shadow * ndimage.gaussian_filter(np.roll(mask, (26, 22), (0, 1)).astype(np.float32), 5)
        alpha = line((49, right + 12), (HEIGHT + 3, right - 30 + index), width) if cable else np.zeros(mask.shape)
        gain = 1 + 0.03 * np.sin(index + np.arange(3))
        seen = behind * (1 - shade[..., None] * colour_of_shadow)
        seen = np.where(mask[..., None], (205, 205, 210), seen + alpha[..., None] * (np.array(colour) - seen)) * gain
        frames.append(np.clip(np.rint(seen + rng.normal(0, noise, seen.shape)), 0, 255).astype(np.uint8))
        masks.append(mask)
        alphas.append(np.where(mask, 0, alpha))
        gains.append(gain)
    still = np.zeros((length, 8), np.float32)
    background = Background(Stability.STATIC, still, np.array(gains, np.float32), plate(), 0.0)
    return World(np.stack(frames), np.stack(masks), background, np.stack(alphas))


@pytest.mark.parametrize("width", [1.0, 1.6, 2.2])
@pytest.mark.parametrize("colour", [DARK, LIGHT])
def test_a_cable_is_found(colour: tuple[int, int, int], width: float) -> None:
    made = world(colour, width)
    found = made.found()
    assert np.abs(found - made.alpha)[made.alpha > 0].mean() < 0.09
    assert found[made.alpha > 0.9].mean() > 0.85
    assert (found[made.alpha == 0] > 0).mean() < 1e-4
    assert not found[made.masks].any()


def test_windows_may_be_cut_anywhere() -> None:
    made = world()
    (thin,) = find_alpha(ArrayFrames("front", made.frames), made.background, NOTHING, made.tracks())
    pieces = [thin.read(start, stop) for start, stop in ((0, 1), (1, 4), (4, 99))]
    np.testing.assert_array_equal(np.concatenate(pieces), thin.read(0, LENGTH))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 200), (7, 5)])
def test_tiny_pictures_have_none(height: int, width: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 0, 0] = True
    tracks = [ArrayMask(role, "glass", masks) for role in ROLES]
    for alpha in find_alpha(ArrayFrames("front", frames), Background.still(frames[1], 2), ~masks[0], tracks):
        assert not alpha.read(0, 2).any()


def test_one_frame_is_enough() -> None:
    made = world()
    first = ArrayFrames("front", made.frames[:1])
    tracks = [ArrayMask(Role.ROBOT, "arm", made.masks[:1])]
    background = replace(made.background, warps=made.background.warps[:1], gains=made.background.gains[:1])
    (thin,) = find_alpha(first, background, NOTHING, tracks)
    assert thin.read(0, 1)[0][made.alpha[0] > 0.9].mean() > 0.85 * 255


def test_a_cable_is_found_before_a_camera_that_sways() -> None:
    made = world()
    shifts = [(0, 0), (2, -1), (-1, 1), (1, 2), (-2, 0), (0, -2)]
    roll = [np.roll(frame, shift, (0, 1)) for frame, shift in zip(made.frames, shifts, strict=True)]
    masks = np.stack([np.roll(mask, shift, (0, 1)) for mask, shift in zip(made.masks, shifts, strict=True)])
    truth = np.stack([np.roll(alpha, shift, (0, 1)) for alpha, shift in zip(made.alpha, shifts, strict=True)])
    warps = np.pad(np.array(shifts, np.float32), ((0, 0), (0, 6)))
    background = replace(made.background, stability=Stability.NEAR_STATIC, warps=warps)
    found = replace(made, frames=np.stack(roll), masks=masks, background=background).found()
    inner = np.s_[:, 4:-8, 4:-4]
    assert np.abs(found - truth)[inner][truth[inner] > 0].mean() < 0.09


@pytest.mark.parametrize("colour_of_shadow", [(1, 1, 1), (1.15, 1.0, 0.85)])
@pytest.mark.parametrize("noise", [0.0, 2.0, 4.0])
def test_shadow_and_noise_are_nothing(noise: float, colour_of_shadow: tuple[float, float, float]) -> None:
    for shadow in (0.0, 0.3, 0.7):
        made = world(cable=False, shadow=shadow, noise=noise, colour_of_shadow=colour_of_shadow)
        assert not made.found().any()


def test_the_narrow_shadow_of_a_cable_is_no_cable() -> None:
    behind = plate().astype(np.float32)
    made, frames = world(cable=False), []
    for index, frame in enumerate(made.frames):
        lost = 0.4 * line((49, 72 + 4 * index), (HEIGHT + 3, 30), 2.0)
        shaded = behind * (1 - lost[..., None]) * made.background.gains[index]
        frames.append(np.where(lost[..., None] > 0, np.rint(shaded), frame).astype(np.uint8))
    assert not replace(made, frames=np.stack(frames)).found().any()


def test_what_hangs_from_nothing_is_not_kept() -> None:
    made = world()
    away = np.zeros_like(made.masks)
    away[:, :12, :12] = True
    assert not replace(made, masks=away).found().any()


def test_where_the_plate_is_a_guess_no_alpha_is_claimed() -> None:
    hole = NOTHING.copy()
    hole[70:90] = True
    assert not world().found(hole)[:, 70:90].any()
    assert not world().found(~NOTHING).any()


def test_who_carries_a_cable_has_its_alpha() -> None:
    made = world()
    frames = ArrayFrames("front", made.frames)
    assert [alpha.role for alpha in find_alpha(frames, made.background, NOTHING, made.tracks())] == [Role.ROBOT]
    held = made.tracks("tea bag", Role.OBJECT)
    assert [alpha.role for alpha in find_alpha(frames, made.background, NOTHING, held)] == [Role.OBJECT]
    assert not find_alpha(frames, made.background, NOTHING, made.tracks("table", Role.SUPPORT))
    assert not find_alpha(frames, made.background, NOTHING, [])


def glass(tint: float = 0.3, label: str = "drinking glass") -> tuple[World, list[ArrayMask]]:
    """A disc that goes over the plate, through which 1 - tint of it is seen."""
    rng, behind = np.random.default_rng(0), plate().astype(np.float32)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    masks = np.stack([(y - 60) ** 2 + (x - 40 - 15 * index) ** 2 < 18**2 for index in range(LENGTH)])
    alpha = tint * masks
    seen = behind + alpha[..., None] * (np.array((190, 220, 215)) - behind)
    frames = np.clip(np.rint(seen + rng.normal(0, 1.0, seen.shape)), 0, 255).astype(np.uint8)
    made = World(frames, masks, Background.still(plate(), LENGTH), alpha)
    return made, made.tracks(label, Role.OBJECT)


@pytest.mark.parametrize("tint", [0.3, 0.6])
def test_how_clear_a_glass_is(tint: float) -> None:
    made, tracks = glass(tint)
    found = read(find_alpha(ArrayFrames("front", made.frames), made.background, NOTHING, tracks))
    assert np.abs(found - made.alpha)[made.masks].mean() < 0.05
    assert not found[~made.masks].any()


def test_only_what_is_said_to_be_transparent_is() -> None:
    made, tracks = glass(label="blue bottle")
    assert not read(find_alpha(ArrayFrames("front", made.frames), made.background, NOTHING, tracks)).any()


def test_what_is_said_to_be_transparent_may_be_opaque() -> None:
    made, tracks = glass(tint=1.0)
    assert not read(find_alpha(ArrayFrames("front", made.frames), made.background, NOTHING, tracks)).any()


def test_what_is_before_a_glass_is_opaque() -> None:
    made, tracks = glass()
    finger = np.zeros_like(made.masks)
    finger[:, 55:60] = True
    both = [*tracks, ArrayMask(Role.ROBOT, "finger", finger)]
    assert not read(find_alpha(ArrayFrames("front", made.frames), made.background, NOTHING, both))[finger].any()


def stored(made: World, folder: Path, tracks: Sequence[ArrayMask] | None = None) -> Layers:
    """The layers of a clip, as the pipeline makes them."""
    tracks = made.tracks() if tracks is None else tracks
    with LayersWriter(folder, "front", made.masks.shape) as writer:
        writer.store(tracks)
        writer.store_alpha(find_alpha(ArrayFrames("front", made.frames), made.background, NOTHING, tracks))
        return writer.finish({}, made.background, made.background.plate, NOTHING)


def composed(made: World, layers: Layers, new: np.ndarray, soft: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Restaged frames, and which of their pixels are exact."""
    clip = ArrayFrames("front", made.frames).read(0, LENGTH)
    alpha = layers.alpha(ROLES, 0, LENGTH) if soft else None
    behind = layers.backdrop(new, 0, LENGTH)
    restaged, exact = Composite()(clip, layers.keep(ROLES, 0, LENGTH), behind, alpha)
    np.testing.assert_array_equal(restaged.frames[exact], made.frames[exact])
    return restaged.frames.astype(np.float32), exact


def test_the_old_plate_behind_gives_back_the_recording(tmp_path: Path) -> None:
    made = world()
    again, _ = composed(made, stored(made, tmp_path / "cable"), plate())
    assert np.abs(again - made.frames)[made.alpha > 0].mean() < 1.2
    made, tracks = glass()
    again, _ = composed(made, stored(made, tmp_path / "glass", tracks), plate())
    assert np.abs(again - made.frames)[made.masks].mean() < 1.2


@pytest.mark.parametrize("colour", [DARK, LIGHT])
def test_a_cable_hangs_before_another_scene(colour: tuple[int, int, int], tmp_path: Path) -> None:
    made = world(colour, shadow=0.0)
    new, away = np.full((HEIGHT, WIDTH, 3), (40, 150, 90), np.uint8), grow(made.masks, 3)
    share, gains = made.alpha[..., None], made.background.gains[:, None, None]
    expected = (new + share * (np.array(colour) - new)) * gains
    layers, on = stored(made, tmp_path / "layers"), (made.alpha > 0) & ~away
    error = [np.abs(composed(made, layers, new, soft)[0] - expected)[on].mean() for soft in (True, False)]
    assert error[0] < 11
    assert error[0] < 0.25 * error[1]


def test_another_scene_is_seen_through_a_glass(tmp_path: Path) -> None:
    made, tracks = glass()
    layers, new = stored(made, tmp_path / "layers", tracks), plate(1)
    expected = new + 0.3 * (np.array((190, 220, 215)) - new)
    inside = ~grow(~made.masks, 2)
    error = [np.abs(composed(made, layers, new, soft)[0] - expected)[inside].mean() for soft in (True, False)]
    assert error[0] < 5
    assert error[0] < 0.25 * error[1]


def test_where_nothing_is_thin_or_transparent_nothing_changes(tmp_path: Path) -> None:
    made = world(cable=False)
    layers = stored(made, tmp_path / "layers")
    assert not (layers.folder / "alpha").exists()
    for one, other in zip(*(composed(made, layers, plate(1), soft) for soft in (True, False)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_alpha_is_stored_as_it_is(tmp_path: Path) -> None:
    made = world()
    layers = stored(made, tmp_path / "layers")
    (thin,) = find_alpha(ArrayFrames("front", made.frames), made.background, NOTHING, made.tracks())
    np.testing.assert_array_equal(layers.alpha(ROLES, 0, LENGTH), thin.read(0, LENGTH))
    np.testing.assert_array_equal(layers.alpha(ROLES, 2, 99), thin.read(2, LENGTH))
    assert not layers.alpha([Role.OBJECT], 0, LENGTH).any(), "the robot is not preserved, nor is its cable"
    assert stored(made, tmp_path / "again").digest == layers.digest


def test_a_cable_before_what_is_kept_is_kept_with_it(tmp_path: Path) -> None:
    made = world()
    sink = np.zeros_like(made.masks)
    sink[:, 80:] = True
    layers = stored(made, tmp_path / "layers", [*made.tracks(), ArrayMask(Role.GOAL, "sink", sink)])
    said = layers.alpha([Role.ROBOT], 0, LENGTH)
    assert said[:, 80:].any()
    kept = layers.alpha([Role.ROBOT, Role.GOAL], 0, LENGTH)
    assert not kept[:, 80:].any()
    np.testing.assert_array_equal(kept[:, :80], said[:, :80])


def paint(path: Path, pictures: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, picture in pictures.items():
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG")
            archive.writestr(f"painted/{name}", buffer.getvalue())


def test_what_a_person_paints_counts(tmp_path: Path) -> None:
    made = world()
    layers = stored(made, tmp_path / "layers")
    digest, painted = layers.digest, np.zeros((HEIGHT, WIDTH), np.uint8)
    painted[100:110, :20], painted[100:110, 20:40], painted[10:20, 90:94] = 255, 128, 1
    made.masks[3, 10:20, 90:94] = True
    paint(layers.folder / "alpha" / "00-robot.zip", {"000003.png": painted})
    layers = open_layers(layers.folder)
    assert layers.digest != digest
    np.testing.assert_array_equal(layers.alpha(ROLES, 3, 4)[0], painted)
    assert not layers.alpha(ROLES, 0, 3).any(), "a frame without a picture says nothing"
    restaged, exact = composed(made, layers, np.full((HEIGHT, WIDTH, 3), 250, np.uint8))
    assert exact[3, 100:110, :20].all()
    half = (made.frames[3].astype(int) + made.frames[3] + 250 - plate())[100:110, 22:38] / 2
    assert np.abs(restaged[3, 100:110, 22:38] - half).mean() < 12
    assert not exact[3, 10:20, 90:94].any()


def test_alpha_may_be_painted_where_there_was_none(tmp_path: Path) -> None:
    layers = stored(world(cable=False), tmp_path / "layers")
    paint(layers.folder / "alpha" / "robot.zip", {"000000.png": np.full((HEIGHT, WIDTH), 7, np.uint8)})
    assert (open_layers(layers.folder).alpha(ROLES, 0, 1) == 7).all()


def test_painted_alpha_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    layers = stored(world(cable=False), tmp_path / "layers")
    paint(layers.folder / "alpha" / "robot.zip", {"000000.png": np.zeros((5, 5), np.uint8)})
    with pytest.raises(EpisodeError, match=r"robot\.zip is 5x5 pixels; its camera is 120x160"):
        layers.alpha(ROLES, 0, 1)
    paint(layers.folder / "alpha" / "cable.zip", {})
    with pytest.raises(EpisodeError, match="ends in one of robot, object"):
        open_layers(layers.folder).alpha(ROLES, 0, 1)


class InMemory:
    """A Source over one episode."""

    def __init__(self, episode: Episode) -> None:
        self._episode = episode

    def open(self, episode_id: str) -> Episode:
        return self._episode

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        raise NotImplementedError


def prepared(episode: Episode, root: Path) -> dict[str, Layers]:
    perception = Perception(Survey(), Recorded())
    return prepare(perception, InMemory(episode), episode.id, root, Stopwatch())


def test_the_pipeline_stores_alpha(tmp_path: Path) -> None:
    made = world(length=18)
    frames = {camera: ArrayFrames(camera, made.frames) for camera in ("front", "without tracks")}
    masks = {"front": tuple(made.tracks())}
    layers = prepared(Episode("0" * 16, "demo_0", 18, frames, {}, masks=masks), tmp_path)
    found, on = layers["front"].alpha(ROLES, 0, 18) / 255, made.alpha > 0
    assert np.abs(found - made.alpha)[on].mean() < 0.25  # where the plate is known, and it is not all over
    assert found[made.alpha > 0.9].mean() > 0.7
    assert not layers["without tracks"].alpha(ROLES, 0, 18).any()


def test_a_moving_camera_has_none(tmp_path: Path) -> None:
    recorded = episode()
    tracks = tuple(replace(track, label="glass") for track in recorded.masks["front"])
    layers = prepared(replace(recorded, masks=dict.fromkeys(recorded.cameras, tracks)), tmp_path)
    assert layers["wrist"].stability == Stability.MOVING
    assert not (layers["wrist"].folder / "alpha").exists()
    assert not layers["wrist"].alpha(ROLES, 0, recorded.length).any()
