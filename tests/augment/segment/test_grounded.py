"""From words to tracks, on recordings that are easy to see and hard to follow."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.errors import RequestError, UnseenError
from augment.models.packs import Component, Pack
from augment.models.runtime import Runtime
from augment.pipeline import Perception
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.scene import Survey
from augment.segment.grounded import Grounded, networks
from augment.segment.grounded.cutouts import Cutout
from augment.segment.grounded.difference import Difference
from augment.segment.grounded.memory import doubtful
from augment.segment.grounded.witness import Missed
from augment.types import Background, MaskTrack, Role, Stability
from robot_io.memory import ArrayMask
from robot_io.types import Episode
from tests.augment.segment.colours import (
    COLOURS,
    ColourDetector,
    ColourMatcher,
    ColourSegmenter,
    ColourTracker,
    is_colour,
    painted,
    recording,
)

ANY = Component("grounding_dino", str(Path(__file__).parent))  # a folder; nobody opens what is in it
CUBE = ("red cube", 40, 44, 50, 54)


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> ColourDetector:
    made = ColourDetector()
    monkeypatch.setattr(networks, "share_detector", lambda *_: made)
    monkeypatch.setattr(networks, "share_segmenter", lambda *_: ColourSegmenter())
    monkeypatch.setattr(networks, "open_tracker", lambda *_: ColourTracker())
    return made


def grounded(**options: object) -> Grounded:
    tracker = ANY if options.get("follow") == "memory" else None
    return Grounded(pack=Pack("colours", None, ANY, ANY, tracker), runtime=Runtime("cpu", batch=4), **options)


def arm(index: int) -> tuple[str, int, int, int, int]:
    return ("robot arm", 2 * index, 0, 2 * index + 12, 30)


def tracks(episode: Episode, segment: Grounded) -> Sequence[MaskTrack]:
    frames = episode.cameras["front"]
    return segment.find(episode, "front", Background.still(frames.read(0, 1).frames[0], len(frames)))


def assert_follows(episode: Episode, found: Sequence[MaskTrack], frames: Sequence[int] | None = None) -> None:
    """Each track shows just the pixels of its name's colour."""
    pictures = episode.cameras["front"].read(0, episode.length).frames
    for track in found:
        masks = track.read(0, episode.length)
        for index in range(episode.length) if frames is None else frames:
            np.testing.assert_array_equal(
                masks[index], is_colour(pictures[index], track.label), f"{track.label} {index}"
            )


EPISODE = recording([painted(CUBE, arm(index)) for index in range(20)])


@pytest.mark.parametrize("follow", ["every frame", "memory"])
def test_what_is_named_is_followed(follow: str) -> None:
    found = tracks(EPISODE, grounded(follow=follow))
    assert [(track.role, track.label) for track in found] == [(Role.ROBOT, "robot arm"), (Role.OBJECT, "red cube")]
    assert_follows(EPISODE, found)
    assert all(track.confidence == pytest.approx(0.54) for track in found)


def test_a_network_is_asked_about_key_frames_alone_where_a_memory_follows(detector: ColourDetector) -> None:
    tracks(EPISODE, grounded(follow="memory"))
    assert len(detector.looked_at) == 3  # 0, 15, 19


def test_windows_of_a_track_are_pieces_of_the_whole() -> None:
    for track in tracks(EPISODE, grounded()):
        whole = track.read(0, 20)
        np.testing.assert_array_equal(np.concatenate([track.read(0, 7), track.read(7, 25)]), whole)


def test_a_thing_that_is_seen_only_in_the_middle(detector: ColourDetector) -> None:
    frames = [painted(*([CUBE] if 18 <= index < 26 else []), ("robot arm", 0, 0, 10, 30)) for index in range(40)]
    for follow in ("every frame", "memory"):
        episode = recording(frames)
        found = tracks(episode, grounded(follow=follow, every=1 if follow == "every frame" else 16))
        assert_follows(episode, found, [0, 5, *range(18, 26), 35, 39])


def test_a_robot_that_comes_in_late_and_a_thing_that_leaves() -> None:
    frames = [painted(("red cube", 40 + 3 * index, 40, 50 + 3 * index, 50), arm(index - 8)) for index in range(20)]
    episode = recording(frames)
    assert_follows(episode, tracks(episode, grounded()), [0, 1, *range(9, 20)])


def test_black_frames_are_not_looked_at(detector: ColourDetector) -> None:
    frames = [painted(CUBE, arm(index)) for index in range(12)]
    frames[5] = np.zeros_like(frames[5])
    episode = recording(frames)
    assert_follows(episode, tracks(episode, grounded()), [*range(5), *range(6, 12)])
    assert all(picture.any() for picture in detector.looked_at)


def test_small_and_large_pictures_of_one_frame() -> None:
    for size in (16, 300):
        episode = recording([painted(("red cube", 8, 8, 14, 14), ("robot arm", 0, 0, 6, 9), size=size)])
        assert_follows(episode, tracks(episode, grounded()))


def test_two_robots_are_kept_where_two_are_asked_for() -> None:
    frames = [painted(CUBE, ("robot arm", 0, 0, 8 + index % 2, 30), ("robot arm", 30, 0, 40, 30)) for index in range(8)]
    episode = recording(frames)
    assert len([t for t in tracks(episode, grounded(robots=2)) if t.role == Role.ROBOT]) == 2
    assert len([t for t in tracks(episode, grounded(robots=1)) if t.role == Role.ROBOT]) == 1


def test_of_two_things_of_one_name_the_one_that_was_carried_is_the_object() -> None:
    grip = np.repeat([-1.0, 1.0], 10)[:, None].astype(np.float32)
    frames = [
        painted(
            ("red cube", 50, 50, 60, 60), ("red cube", 5 + 3 * max(0, i - 10), 50, 15 + 3 * max(0, i - 10), 60), arm(0)
        )
        for i in range(20)
    ]
    episode = recording(frames, actions=grip)
    cube = next(track for track in tracks(episode, grounded()) if track.role == Role.OBJECT)
    assert isinstance(cube, MaskTrack)
    boxes = [np.flatnonzero(mask.any(axis=0))[0] for mask in cube.read(0, 20)]
    assert boxes[0] == 5


@pytest.mark.parametrize(("language", "role"), [("pick up the green can", "object"), ("", "robot")])
def test_what_is_never_seen_leaves_the_camera_as_recorded(language: str, role: str, tmp_path: Path) -> None:
    things = [CUBE] if role == "robot" else [CUBE, arm(3)]
    episode = recording([painted(*things) for _ in range(4)], language)
    with pytest.raises(UnseenError, match=f"none of 4 frames shows the {role}"):
        tracks(episode, grounded())
    layers = prepare(Perception(Survey(), grounded(witness=False)), _Source(episode), "e" * 16, tmp_path, Stopwatch())
    assert not layers["front"].tracks
    assert role in str(layers["front"].problem)


def test_what_moves_is_kept_by_the_witness_where_nobody_named_an_object(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = [painted(CUBE, arm(2), ("blue plate", 2 * index, 50, 2 * index + 12, 60)) for index in range(24)]
    frames = [np.clip(frame + rng.normal(0, 1, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    plate = is_colour(frames[12], "blue plate")
    kept = {}
    for language, witness in (("", True), ("", False), ("pick up the red cube", True)):
        perception = Perception(Survey(), grounded(witness=witness))
        folder = tmp_path / f"{language}{witness}"
        layers = prepare(perception, _Source(recording(frames, language)), "e" * 16, folder, Stopwatch())["front"]
        mask = layers.keep([Role.ROBOT, Role.OBJECT], 12, 13)[0]
        kept[language, witness] = (mask & plate).sum() / plate.sum()
    assert kept["", True] > 0.9
    assert kept["", False] == 0
    assert kept["pick up the red cube", True] == 0


def test_the_witness_mends_outlines() -> None:
    shape = (2, 20, 20)
    moving, named = np.zeros((2, *shape), np.bool_)
    moving[:, 5:15, 5:15], moving[:, 17:, 17:], named[:, 6:14, 6:14] = True, True, True
    motion, tracks = ArrayMask(Role.ROBOT, "", moving), [ArrayMask(Role.ROBOT, "", named)]
    outline = Missed(motion, tracks, Role.ROBOT, 1).read(0, 2)
    np.testing.assert_array_equal(outline, moving & ~named & (np.indices(shape)[1] < 16))
    np.testing.assert_array_equal(Missed(motion, tracks, Role.OBJECT).read(0, 2), moving & ~named)
    assert not Missed(motion, tracks, Role.OBJECT, 1).read(0, 2).any()  # there is no object whose outline it could be


def test_in_between_key_frames_what_moves_belongs_to_the_nearest_track(tmp_path: Path) -> None:
    frames = [painted(("red cube", 40, 44 - index, 50, 54 - index), arm(index)) for index in range(20)]
    episode = recording(frames)
    perception = Perception(Survey(), grounded(follow="difference", every=5, witness=False))
    layers = prepare(perception, _Source(episode), "e" * 16, tmp_path, Stopwatch())["front"]
    for role, name in ((Role.ROBOT, "robot arm"), (Role.OBJECT, "red cube")):
        for index in (7, 8, 12):
            truth = is_colour(frames[index], name)
            mask = layers.keep([role], index, index + 1)[0]
            assert (mask & truth).sum() > 0.85 * truth.sum(), (name, index)
            others = np.logical_or.reduce([is_colour(frames[index], other) for other in COLOURS if other != name])
            assert (mask & others).sum() < 0.2 * others.sum(), (name, index)


def test_a_track_has_key_frames_of_its_own() -> None:
    """One that was not detected where another was is still followed there."""
    shape = (10, 20, 20)
    moving, robot, cube = np.zeros((3, *shape), np.bool_)
    robot[:, 2:8, 2:8], cube[:, 12:15, 12:15] = True, True
    moving |= robot | cube
    keys = [{0: Cutout.of(robot[0]), 9: Cutout.of(robot[9])}, {4: Cutout.of(cube[4])}]
    difference = Difference(ArrayMask(Role.ROBOT, "", moving), keys, 20, 20)
    np.testing.assert_array_equal(difference.read(0, 0, 10), robot)
    np.testing.assert_array_equal(difference.read(1, 0, 10), cube)
    np.testing.assert_array_equal(difference.read(1, 3, 6), cube[3:6])


def test_a_memory_is_in_doubt_where_a_track_is_lost_comes_back_or_jumps() -> None:
    large, small = (Cutout.of(np.pad(np.ones((size, size), np.bool_), 2)) for size in (10, 6))
    sure = dict.fromkeys((0, 1, 2, 6, 7, 9), (large, 0.9))
    assert doubtful([sure | {7: (small, 0.9), 8: (small, 0.9), 2: (large, 0.3)}], 11) == [2, 3, 6, 7, 9, 10]


def test_a_drawer_that_moves_is_kept_though_it_is_the_goal() -> None:
    frames = [painted(("blue plate", 2 * index, 45, 2 * index + 12, 57), arm(0)) for index in range(8)]
    episode = recording(frames, "")
    segment = grounded(goals=("blue plate",))
    background = Background.still(painted(arm(0)), 8)
    more = segment.complete(episode, "front", background, segment.find(episode, "front", background))
    kept = np.logical_or.reduce([track.read(0, 8) for track in more])
    assert all((kept[index] & is_colour(frame, "blue plate")).any() for index, frame in enumerate(frames))


def test_bad_requests_are_refused_before_anything_is_opened() -> None:
    for options, message in (
        ({"follow": "luck"}, "unknown segment.follow=luck; known: auto, every frame, memory, difference"),
        ({"robots": 0}, "segment.robots=0"),
        ({"robot_score": 25.0}, "between 0 and 1"),
        ({"things": ("",)}, "segment.things"),
    ):
        with pytest.raises(RequestError, match=message):
            grounded(**options).check()
    with pytest.raises(RequestError, match="needs a detector; choose a pack"):
        replace(grounded(), pack=Pack("none")).check()
    with pytest.raises(RequestError, match="needs a tracker"):
        replace(grounded(), follow="memory").check()


class _Source:
    def __init__(self, episode: Episode) -> None:
        self._episode = episode

    def open(self, episode_id: str) -> Episode:
        return self._episode

    def frame_writer(self, *_: object) -> None:
        raise AssertionError("nothing is written here")


def test_a_thing_that_words_do_not_find_is_found_by_a_picture_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(networks, "open_matcher", lambda *_: ColourMatcher())
    frames = [painted(("blue plate", 2 * index, 45, 2 * index + 12, 57), arm(index)) for index in range(10)]
    episode = recording(frames, "fetch the thingummy")
    Image.fromarray(frames[0][45:57, :12]).save(tmp_path / "object.thingummy.png")
    segment = replace(
        grounded(references=str(tmp_path)), pack=Pack("colours", None, ANY, ANY, None, replace(ANY, kind="dinov2"))
    )
    found = next(track for track in tracks(episode, segment) if track.role == Role.OBJECT)
    assert found.label == "thingummy"
    for index, mask in enumerate(found.read(0, 10)):
        np.testing.assert_array_equal(mask, is_colour(frames[index], "blue plate"))


def test_pictures_of_things_are_named_by_their_role(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "spoon.png")
    with pytest.raises(RequestError, match=r"spoon.png is of no role; name it <role>.<phrase>.png"):
        grounded(references=str(tmp_path)).check()


def test_before_a_camera_that_moves_masks_are_found_where_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    wall = rng.integers(150, 250, (64, 256, 3)).astype(np.uint8)
    frames = []
    for index in range(16):
        frame = painted(CUBE, arm(index))
        behind = ~(is_colour(frame, "red cube") | is_colour(frame, "robot arm"))
        frame[behind] = wall[:, 10 * index : 10 * index + 64][behind]
        frames.append(frame)
    perception = Perception(Survey(), grounded(), moving=True)
    layers = prepare(perception, _Source(recording(frames)), "e" * 16, tmp_path, Stopwatch())["front"]
    assert layers.stability == Stability.MOVING
    assert_follows(recording(frames), layers.tracks)
    assert {track.role for track in layers.tracks} == {Role.ROBOT, Role.OBJECT}


def test_attention_that_is_asked_for_is_of_the_identity() -> None:
    def identity(attention: str) -> dict[str, object]:
        return Grounded(runtime=Runtime("cpu", attention=attention)).identity()

    try:
        assert identity("math") == {**identity("auto"), "attention": "math"}
    finally:
        Runtime("cpu").place()
