from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from augment.boxes import boxes_around
from augment.errors import RequestError
from augment.models.base import BoxMasks, Detections
from augment.models.packs import Component, Pack
from augment.scene import Survey
from augment.scene.exposure import exposure
from augment.segment import SEGMENTERS, Grounded, Motion, Recorded, Segmenter
from augment.segment.appearance import Surface
from augment.segment.grounded import networks
from augment.segment.motion import MotionMask
from augment.segment.pieces import without_holes, without_specks
from augment.segment.spread import spread
from augment.types import Background, Role, Stability
from robot_io.errors import EpisodeError
from robot_io.memory import ArrayFrames
from tests.scenes import LENGTH, crossing_square, episode


def background(frames: np.ndarray) -> Background:
    return Survey()(ArrayFrames("front", frames))[0]


@pytest.fixture(autouse=True)
def known_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of a detector and a segmenter, something that knows where the square is: brighter than the rest."""

    def detect(pictures: Sequence[np.ndarray], phrases: Sequence[str]) -> list[Detections]:
        count = len(phrases)
        boxes = [boxes_around(np.stack([_square(picture)] * count)) for picture in pictures]
        return [Detections(box, 0.9 * np.eye(count, dtype=np.float32)) for box in boxes]

    class Known:
        def embed(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [_square(picture) for picture in pictures]

        def __call__(self, embedded: np.ndarray, boxes: np.ndarray) -> BoxMasks:
            return BoxMasks(np.stack([embedded] * len(boxes)), np.ones(len(boxes), np.float32))

    monkeypatch.setattr(networks, "share_detector", lambda *_: detect)
    monkeypatch.setattr(networks, "share_segmenter", lambda *_: Known())


def _square(picture: np.ndarray) -> np.ndarray:
    return np.asarray((picture == (250, 240, 20)).all(axis=-1))


def made(name: str, **options: str) -> Segmenter:
    """A way to segment; one that asks networks gets the known ones."""
    segmenter = SEGMENTERS[name](**options)
    if isinstance(segmenter, Grounded):
        return replace(segmenter, pack=Pack("known", None, Component("grounding_dino", "."), Component("hq_sam", ".")))
    return segmenter


@pytest.mark.parametrize("name", SEGMENTERS)
def test_contract(name: str) -> None:
    """Every way to segment gives readable tracks of the camera's length, whatever the window."""
    recording = episode()
    segmenter = made(name)
    tracks = segmenter(recording, "front", background(recording.cameras["front"].read(0, LENGTH).frames))
    assert tracks
    for track in tracks:
        assert len(track) == LENGTH
        whole = track.read(0, LENGTH)
        assert whole.shape == (LENGTH, 48, 64)
        windows = [track.read(start, start + 3) for start in range(0, LENGTH, 3)]
        np.testing.assert_array_equal(np.concatenate(windows), whole)
    assert segmenter.roles(recording, "front") >= {track.role for track in tracks}


def test_motion_finds_the_square_and_little_else() -> None:
    frames, truth = crossing_square(length=20)
    recording = replace(episode(), cameras={"front": ArrayFrames("front", frames)}, length=20)
    (track,) = Motion()(recording, "front", background(frames))
    found = track.read(0, 20)
    assert (found & truth).sum() / truth.sum() > 0.99
    assert (found & truth).sum() / (found | truth).sum() > 0.7


def test_motion_ignores_exposure() -> None:
    frames, _ = crossing_square()
    still = np.repeat(frames[:1], 6, axis=0)
    brighter = np.stack(
        [(frame * (1 + 0.03 * number)).clip(0, 255).astype(np.uint8) for number, frame in enumerate(still)]
    )
    recording = replace(episode(), cameras={"front": ArrayFrames("front", brighter)}, length=6)
    gains = np.stack([exposure(frame, still[0]) for frame in brighter])
    known = Background(Stability.STATIC, np.zeros((6, 8), np.float32), gains, still[0], 1.0)
    (track,) = Motion()(recording, "front", known)
    assert not track.read(0, 6).any()


def test_motion_ignores_shadows_that_fall_on_the_wall() -> None:
    frames, truth = (values.repeat(4, 1).repeat(4, 2) for values in crossing_square(length=20))
    shaded = frames.astype(np.float32)
    fall = np.roll(truth, (24, 12), axis=(1, 2)) & ~truth
    for mask, frame in zip(fall, shaded, strict=True):
        frame *= (1 - 0.5 * ndimage.gaussian_filter(mask.astype(np.float32), 6.0))[..., None]
    shaded[truth] = frames[truth]
    recording = replace(episode(), cameras={"front": ArrayFrames("front", shaded.astype(np.uint8))}, length=20)
    (track,) = Motion()(recording, "front", background(frames))
    found = track.read(0, 20)
    assert found[truth].mean() > 0.98
    assert found[fall].mean() < 0.3


def test_evidence_spreads_up_to_an_edge_and_not_beyond() -> None:
    evidence, confidence = np.full((2, 20, 30), -1, np.float32), np.full((20, 30), 0.01, np.float32)
    evidence[0, 10, 5], confidence[10, 5] = 1, 1  # one pixel that is sure
    ease = np.ones((20, 30), np.float32)
    closed = ease.copy()
    closed[:, 14] = 0
    belief = spread(evidence[0] * confidence, confidence, closed, ease, 300.0)
    assert belief[:, 15:].max() < -0.99
    assert belief[10, :15].min() > belief[10, 15:].max() + 0.4
    assert spread(evidence[1] * confidence, confidence, closed, ease, 300.0) == pytest.approx(-1, abs=1e-3)


def test_a_surface_is_smooth_in_its_frames_and_has_texture_where_it_varies() -> None:
    plate = np.random.default_rng(0).integers(40, 200, (24, 30, 3), dtype=np.uint8)
    surface = Surface.of(plate, 1)
    planes = np.moveaxis(plate, -1, 0).astype(np.float32)
    expected = ndimage.uniform_filter(planes, (0, 3, 3), mode="nearest")
    np.testing.assert_allclose(surface.smooth, expected, atol=1e-3)
    inside = (slice(None), slice(4, -4), slice(4, -4))
    around = ndimage.uniform_filter(planes, (0, 9, 9))
    np.testing.assert_allclose(surface.texture[inside], (expected - around)[inside], atol=1e-3)


def test_an_even_ramp_has_a_slope_and_no_texture() -> None:
    ramp = np.broadcast_to(np.arange(0, 120, 3, dtype=np.uint8)[None, :, None], (20, 40, 3)).copy()
    surface = Surface.of(ramp, 1)
    inside = (slice(4, -4), slice(4, -4))
    assert np.abs(surface.texture[(slice(None), *inside)]).max() < 1e-3
    np.testing.assert_allclose(surface.slope[inside], 3, atol=1e-3)


def test_a_frame_of_another_exposure_shows_the_surface_scaled_and_saturates() -> None:
    plate = np.random.default_rng(0).integers(40, 250, (24, 30, 3), dtype=np.uint8)
    surface, gain = Surface.of(plate, 1), np.array([0.5, 1.0, 3.0], np.float32)
    lit = surface.exposed(gain)
    np.testing.assert_allclose(lit.smooth[:2], gain[:2, None, None] * surface.smooth[:2])
    assert lit.smooth[2].max() == 255
    np.testing.assert_allclose(lit.texture, gain[:, None, None] * surface.texture)


def test_what_changes_far_away_does_not_change_a_mask() -> None:
    wall = np.random.default_rng(0).integers(90, 110, (1, 200, 240, 3)).astype(np.uint8)
    near = wall.repeat(2, axis=0)
    near[:, 20:40, 20:40] = (200, 60, 30)
    both = near.copy()
    both[:, 160:180, 200:220] = (30, 60, 200)
    background = Background(
        Stability.STATIC, np.zeros((2, 8), np.float32), np.ones((2, 3), np.float32), wall[0], 1.0, shadows_known=True
    )
    alone, together = (MotionMask(ArrayFrames("c", frames), background, Motion()).read(0, 2) for frames in (near, both))
    np.testing.assert_array_equal(alone[:, :100, :120], together[:, :100, :120])
    assert alone[:, 20:40, 20:40].all()
    assert together[:, 160:180, 200:220].all()


def test_pieces_lose_specks_and_doubtful_holes() -> None:
    belief = np.full((20, 20), -1, np.float32)
    belief[3:17, 3:17] = 1
    belief[5:7, 5:7] = -0.2  # a doubtful hole
    belief[10:13, 10:13] = -0.9  # one that shows the plate
    belief[3, 3:5] = -0.2  # open to the outside
    belief[0, 19] = 1  # a speck
    found = without_holes(without_specks(belief, 4.0))
    assert found[5:7, 5:7].min() > 0
    assert found[10:13, 10:13].max() < 0
    assert found[3, 3:5].max() < 0
    assert found[0, 19] < 0
    assert (found > 0).sum() == 14 * 14 - 9 - 2


def test_a_hole_that_reaches_the_edge_of_the_picture_is_none() -> None:
    belief = np.ones((12, 12), np.float32)
    belief[0:4, 5] = -0.2
    np.testing.assert_array_equal(without_holes(belief), belief)


def test_masks_from_a_folder(tmp_path: Path) -> None:
    _, masks = crossing_square()
    folder = tmp_path / "demo_0" / "front" / "object"
    folder.mkdir(parents=True)
    for number, mask in enumerate(masks):
        Image.fromarray(mask).save(folder / f"{number:06d}.png")
    recording, known = episode(), background(crossing_square()[0])
    (track,) = Recorded(masks=str(tmp_path))(recording, "front", known)
    assert track.role == Role.OBJECT
    np.testing.assert_array_equal(track.read(2, 5), masks[2:5])
    (folder / "000003.png").unlink()
    (track,) = Recorded(masks=str(tmp_path))(recording, "front", known)
    with pytest.raises(EpisodeError, match="7 masks; its camera has 8 frames"):
        track.read(0, 8)


def test_painted_parts_are_added_to_every_way(tmp_path: Path) -> None:
    painted = np.zeros((48, 64), np.uint8)
    painted[40:] = 255
    Image.fromarray(painted).save(tmp_path / "front.support.png")
    Image.fromarray(painted).save(tmp_path / "front.png")
    Image.fromarray(painted).save(tmp_path / "unrelated.png")
    recording = episode()
    for name in SEGMENTERS:
        segmenter = made(name, keep_always=str(tmp_path))
        tracks = segmenter(recording, "front", background(crossing_square()[0]))
        assert {track.role for track in tracks} - {Role.OBJECT} == {Role.ROBOT, Role.SUPPORT, Role.OTHER}
        np.testing.assert_array_equal(tracks[-1].read(4, 6), np.stack([painted > 0] * 2))
        assert [path.name for path in segmenter.files(recording, "front")] == ["front.png", "front.support.png"]
        assert Role.SUPPORT in segmenter.roles(recording, "front")


def test_painted_at_the_wrong_size(tmp_path: Path) -> None:
    Image.new("L", (10, 10)).save(tmp_path / "front.png")
    known = background(crossing_square()[0])
    with pytest.raises(EpisodeError, match=r"front\.png is 10x10 pixels; its camera is 48x64"):
        Recorded(keep_always=str(tmp_path))(episode(), "front", known)


def test_folders_that_do_not_exist() -> None:
    with pytest.raises(RequestError, match=r"segment\.keep_always=nowhere is not a folder"):
        Motion(keep_always="nowhere").check()
    with pytest.raises(RequestError, match=r"segment\.masks=nowhere is not a folder"):
        Recorded(masks="nowhere").check()
