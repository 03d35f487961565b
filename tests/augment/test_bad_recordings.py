"""Recordings with something wrong: what becomes of each, from the survey to the restaged frames."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from augment.check import DefaultCheck
from augment.compose import Composite
from augment.generate import Texture
from augment.images import translate
from augment.layers import Layers, open_layers
from augment.pipeline import Flow, Job, Perception, Receipt, Status, Worker
from augment.pipeline.episode import frames_file
from augment.plan import Recipe, Step
from augment.scene import Survey
from augment.segment import Motion, Recorded, Segmenter
from augment.types import Role, Stability
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.types import Clip, Episode
from tests.workbench import BLOCK, HEIGHT, LENGTH, WIDTH, arm_and_block, demonstration, noisy, room, stamp

RECORDED, DRAWN_MASKS = demonstration()
ORANGE, SKIN, GREEN, YELLOW = (205, 70, 40), (220, 170, 140), (60, 110, 60), (230, 210, 40)


@dataclass
class Collected:
    """A FrameWriter into an array file."""

    path: Path
    clips: list[Clip] = field(default_factory=list)

    def __enter__(self) -> "Collected":
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            with self.path.open("wb") as file:
                np.save(file, np.concatenate([clip.frames for clip in self.clips]))

    def write(self, clip: Clip) -> Clip:
        self.clips.append(clip)
        return clip


@dataclass(frozen=True)
class InMemory:
    """A Source."""

    episodes: Mapping[str, Episode]

    def open(self, episode_id: str) -> Episode:
        return self.episodes[episode_id]

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> Collected:
        return Collected(path)


@dataclass(frozen=True)
class Made:
    """What became of the camera `front` in one variant."""

    receipt: Receipt
    work: Path
    episode: str

    @property
    def ended(self) -> tuple[Status, str | None]:
        assert self.receipt.outcome is not None, self.receipt.failure
        return self.receipt.outcome.status, self.receipt.outcome.reason

    @property
    def fate(self) -> str:
        assert self.receipt.outcome is not None, self.receipt.failure
        return self.receipt.outcome.cameras["front"]

    @property
    def layers(self) -> Layers:
        (folder,) = (self.work / "layers" / self.episode / "front").iterdir()
        return open_layers(folder)

    @property
    def kept(self) -> np.ndarray:
        return self.layers.keep(tuple(Role), 0, self.layers.length)

    @property
    def frames(self) -> np.ndarray:
        return np.load(frames_file(self.work / "parts" / self.episode / "0000", "front"))


def recording(frames: np.ndarray, masks: np.ndarray | None = None, number: int = 0) -> Episode:
    tracks = () if masks is None else (ArrayMask(Role.ROBOT, "arm", masks),)
    cameras = {"front": ArrayFrames("front", frames)}
    return Episode(f"{number:016x}", f"demo_{number}", len(frames), cameras, {}, (), masks={"front": tracks})


def restaged(work: Path, segment: Segmenter, *episodes: Episode) -> Made:
    """The first variant of the first episode, the others being its companions."""
    perception = Perception(Survey(), segment, tuple(episode.id for episode in episodes[1:]))
    recipe = Recipe(1, tuple(Role)[:3], (Step("background", "texture", Texture()),))
    flow = Flow(perception, recipe, Composite(), DefaultCheck(), seed=3)
    worker = Worker(flow, InMemory({episode.id: episode for episode in episodes}), work, work / "layers", "0")
    return Made(worker(Job(episodes[0].id, 0)), work, episodes[0].id)


def by_motion(work: Path, frames: np.ndarray) -> Made:
    return restaged(work, Motion(), recording(frames))


def by_masks(work: Path, frames: np.ndarray, masks: np.ndarray) -> Made:
    return restaged(work, Recorded(), recording(frames, masks))


def ghosts(made: Made, clean: np.ndarray | None = None) -> float:
    """Share of the clean plate that shows something else than the empty room."""
    clean = room() if clean is None else clean
    return float((np.abs(made.layers.plate.astype(int) - clean).max(axis=-1) > 25).mean())


def is_in_the_new_scene(made: Made, recorded: np.ndarray, keep: np.ndarray, frame: int) -> bool:
    """Whether what stays is as recorded, and all that is away from it is not."""
    inside = keep[frame] & (made.frames[frame] == recorded[frame]).all(axis=-1)
    away = ~made.kept[frame] & ~keep[frame]
    apart = np.abs(made.frames[frame].astype(int) - recorded[frame])[away].mean()
    return bool(inside.sum() > 0.6 * keep[frame].sum() and apart > 20)


def test_a_good_recording_is_restaged(tmp_path: Path) -> None:
    """What all others here are compared with."""
    recorded = noisy(RECORDED)
    for made in (by_motion(tmp_path / "a", recorded), by_masks(tmp_path / "b", recorded, DRAWN_MASKS)):
        assert made.ended == (Status.DONE, None)
        assert ghosts(made) == 0
        assert all(is_in_the_new_scene(made, recorded, DRAWN_MASKS, frame) for frame in range(LENGTH))


@pytest.mark.parametrize("length", [1, LENGTH])
def test_where_nothing_moves_nothing_is_made(tmp_path: Path, length: int) -> None:
    made = by_motion(tmp_path, noisy(np.repeat(room()[None], length, axis=0)))
    assert made.ended[0] == Status.REJECTED
    assert "keep mask is empty (0.000% < 0.100%): nothing that moves was found" in made.fate
    assert "segment.keep_always" in made.fate
    assert not made.kept.any()


def test_a_flash_does_not_pass_for_something_to_keep(tmp_path: Path) -> None:
    frames = noisy(np.repeat(room()[None], LENGTH, axis=0))
    frames[9] = 255
    assert "keep mask is empty (0.000% < 0.100%)" in by_motion(tmp_path, frames).fate


@pytest.mark.parametrize("gripper", [False, True])
def test_a_camera_before_which_everything_moves_is_left_on_purpose(tmp_path: Path, gripper: bool) -> None:
    large = room(HEIGHT + 2 * LENGTH, WIDTH + 4 * LENGTH)
    frames = np.stack([large[2 * step :, 4 * step :][:HEIGHT, :WIDTH] for step in range(LENGTH)])
    for frame in frames if gripper else ():
        for left in (40, 72):
            stamp(frame, (60, 60, 60), 76, left, 20, 12)
    made = by_motion(tmp_path, noisy(frames))
    assert made.ended == (Status.LEFT, None)
    assert made.fate == "as recorded: the camera moves all the time"


@pytest.mark.parametrize("far", [12, 40])
def test_when_a_camera_moves_is_said_so_that_the_episode_can_be_cut(tmp_path: Path, far: int) -> None:
    """It pans in the middle third, by so many pixels."""
    large, frames = room(HEIGHT, WIDTH + 40), []
    for index, left in enumerate(np.linspace(0.1 * WIDTH, 0.7 * WIDTH, 60).astype(int)):
        pan = round(far * np.clip((index - 20) / 20, 0, 1))
        frame = large[:, pan : pan + WIDTH].copy()
        arm_and_block(frame, left)
        frames.append(frame)
    made = by_motion(tmp_path, noisy(np.stack(frames)))
    assert made.ended == (Status.LEFT, None)
    ((start, stop),) = made.layers.moves
    assert abs(start - 21) <= 3
    assert abs(stop - 40) <= 3
    when = f"(frames {start} to {stop - 1} of 60; cut there, the rest can be restaged)"
    assert made.fate == f"as recorded: the camera moves {when}"


SPOILT = {
    "shifted": lambda frame: np.roll(frame, (10, 7), axis=(0, 1)),
    "blurred": lambda frame: ndimage.uniform_filter(frame, (1, 20, 0)),
    "glaring": lambda frame: np.clip(1.5 * frame + 100, 0, 255),
}


@pytest.mark.parametrize("at", [0, 9, LENGTH - 1])
@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_frame_that_cannot_be_registered_moves_no_camera(tmp_path: Path, spoilt: str, at: int) -> None:
    recorded = noisy(RECORDED)
    recorded[at] = SPOILT[spoilt](recorded[at])
    made = by_motion(tmp_path, recorded)
    assert made.layers.stability == Stability.STATIC
    assert not made.layers.warps.any()
    assert ghosts(made) == 0
    others = np.arange(LENGTH) != at
    assert made.kept[others][DRAWN_MASKS[others]].mean() > 0.98
    if 0 < at < LENGTH - 1 and spoilt != "glaring":
        assert re.fullmatch(r"as recorded: kept area jumps by \d+% and back around frame 9 \(> 50%\)", made.fate)


def test_a_frame_that_cannot_be_registered_lies_between_the_others() -> None:
    large, frames = room(HEIGHT + 24, WIDTH + 24), []
    sway = 1.5 * np.sin(np.arange(LENGTH))[:, None] * np.array([1, 0.5])
    for shift, left in zip(sway, np.linspace(0.1 * WIDTH, 0.7 * WIDTH, LENGTH).astype(int), strict=True):
        frame = translate(large, shift.astype(np.float32))[12:-12, 12:-12].copy()
        arm_and_block(frame, left)
        frames.append(frame)
    recorded = noisy(np.stack(frames))
    recorded[9] = np.roll(recorded[9], (10, 7), axis=(0, 1))
    found = Survey()(ArrayFrames("front", recorded))[0]
    assert found.stability == Stability.NEAR_STATIC
    np.testing.assert_allclose(found.warps[9], (found.warps[8] + found.warps[10]) / 2, atol=1e-5)


def test_a_camera_painted_white_all_over_is_refused(tmp_path: Path) -> None:
    """The way out where a large gripper makes a moving camera look static."""
    Image.new("L", (WIDTH, HEIGHT), 255).save(tmp_path / "front.png")
    made = restaged(tmp_path / "work", Motion(keep_always=str(tmp_path)), recording(noisy(RECORDED)))
    assert made.ended[0] == Status.REJECTED
    assert "keep mask is full (100.0% > 98.0%)" in made.fate


def test_a_single_frame_needs_masks_or_a_companion(tmp_path: Path) -> None:
    one, mask = noisy(RECORDED[:1]), DRAWN_MASKS[:1]
    assert "keep mask is empty" in by_motion(tmp_path / "alone", one).fate
    made = by_masks(tmp_path / "masks", one, mask)
    assert made.ended == (Status.DONE, None)
    assert is_in_the_new_scene(made, one, mask, 0)
    made = restaged(tmp_path / "companion", Motion(), recording(one), recording(noisy(RECORDED, seed=1), number=1))
    assert made.ended == (Status.DONE, None)
    assert made.kept[mask].mean() > 0.98


FLASHES = {
    "one white": {7: 255},
    "two white": {7: 255, 8: 255},
    "one black": {12: 0},
    "two black": {5: 0, 14: 0},
    "both": {5: 255, 6: 0},
    "at the start": {0: 0, 1: 0},
    "at the end": {LENGTH - 1: 255},
}


@pytest.mark.parametrize("flashes", FLASHES.values(), ids=FLASHES)
@pytest.mark.parametrize("masks", [None, DRAWN_MASKS], ids=["motion", "masks"])
def test_frames_that_show_nothing_stay_and_spoil_nothing(
    tmp_path: Path, flashes: dict[int, int], masks: np.ndarray | None
) -> None:
    recorded = noisy(RECORDED)
    for index, level in flashes.items():
        recorded[index] = level
    made = restaged(tmp_path, Motion() if masks is None else Recorded(), recording(recorded, masks))
    assert made.ended == (Status.DONE, None)
    assert made.layers.stability == Stability.STATIC
    assert not made.layers.warps.any()
    np.testing.assert_allclose(made.layers.gains, 1, atol=0.03)
    assert ghosts(made) == 0
    for index in range(LENGTH):
        if index in flashes:
            np.testing.assert_array_equal(made.frames[index], recorded[index])
        else:
            assert is_in_the_new_scene(made, recorded, DRAWN_MASKS, index)


def test_a_black_frame_of_a_swaying_camera_and_of_a_companion(tmp_path: Path) -> None:
    frames, masks = bumped(2, 1, at=12)
    frames[9], frames[15] = 0, 255
    dark, _ = bumped(0, 0, at=0)
    dark[::3] = 255
    made = restaged(tmp_path, Recorded(), recording(frames, masks), recording(dark, number=1))
    assert made.ended == (Status.DONE, None)
    assert made.layers.stability == Stability.NEAR_STATIC
    assert np.isfinite(made.layers.gains).all()
    assert ghosts(made, large_room()) == 0


@pytest.mark.parametrize(("exposure", "why"), [(2.5, "kept area jumps by"), (1.6, "what is repainted flickers by")])
def test_a_flash_that_leaves_something_to_see_is_not_restaged(tmp_path: Path, exposure: float, why: str) -> None:
    """Its saturated surfaces have lost what tells where and how bright they are."""
    recorded = RECORDED.copy()
    recorded[7] = np.clip(recorded[7] * exposure, 0, 255)
    made = by_motion(tmp_path, noisy(recorded))
    assert made.ended[0] != Status.DONE
    assert made.fate.startswith(f"as recorded: {why}")


def test_a_recording_of_darkness(tmp_path: Path) -> None:
    made = by_masks(tmp_path, np.zeros_like(RECORDED), DRAWN_MASKS)
    assert made.fate == "as recorded: no frame shows anything: all are black or white"


def large_room() -> np.ndarray:
    return room(HEIGHT + 24, WIDTH + 24)[12:-12, 12:-12]


def bumped(down: int, right: int, at: int) -> tuple[np.ndarray, np.ndarray]:
    """The demonstration before a camera that jumps, so that the picture moves by so many pixels."""
    large, frames, masks = room(HEIGHT + 24, WIDTH + 24), [], []
    for index, left in enumerate(np.linspace(0.1 * WIDTH, 0.7 * WIDTH, LENGTH).astype(int)):
        dy, dx = (down, right) if index >= at else (0, 0)
        frame = large[12 - dy : 12 - dy + HEIGHT, 12 - dx : 12 - dx + WIDTH].copy()
        masks.append(arm_and_block(frame, left))
        frames.append(frame)
    return noisy(np.stack(frames)), np.stack(masks)


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 3), (-3, 2)])
def test_a_small_bump_is_followed(tmp_path: Path, down: int, right: int) -> None:
    recorded, masks = bumped(down, right, at=12)
    for made in (by_motion(tmp_path / "a", recorded), by_masks(tmp_path / "b", recorded, masks)):
        assert made.ended == (Status.DONE, None)
        assert made.layers.stability == Stability.NEAR_STATIC
        assert ghosts(made, large_room()) == 0
        np.testing.assert_allclose(made.layers.warps[-1, :2] - made.layers.warps[0, :2], (down, right), atol=0.2)
        assert all(is_in_the_new_scene(made, recorded, masks, frame) for frame in range(LENGTH))


@pytest.mark.parametrize(("down", "right"), [(8, 0), (0, 8), (-8, 8)])
def test_a_large_bump_is_a_camera_that_moves(tmp_path: Path, down: int, right: int) -> None:
    """By 8 % of the height."""
    made = by_motion(tmp_path, bumped(down, right, at=12)[0])
    assert made.ended == (Status.LEFT, None)
    assert made.fate == "as recorded: the camera moves (frames 11 to 12 of 20; cut there, the rest can be restaged)"


def passed_by() -> tuple[np.ndarray, np.ndarray]:
    """Somebody walks through, from the left border to the right one; and who that is."""
    frames, person = RECORDED.copy(), np.zeros_like(DRAWN_MASKS)
    for index in range(5, 15):
        left = 18 * (index - 5) - 34
        person[index] = stamp(frames[index], GREEN, 30, left, HEIGHT - 30, 34)
        person[index] |= stamp(frames[index], SKIN, 12, left + 8, 20, 17)
    return noisy(frames), person


def test_somebody_who_walks_through_is_restaged_too(tmp_path: Path) -> None:
    recorded, person = passed_by()
    made = by_motion(tmp_path, recorded)
    assert made.ended == (Status.DONE, None)
    assert ghosts(made) == 0
    assert made.kept[person].mean() > 0.98
    assert all(is_in_the_new_scene(made, recorded, person | DRAWN_MASKS, index) for index in range(LENGTH))


def test_masks_that_miss_somebody_are_refused_with_the_figure(tmp_path: Path) -> None:
    made = by_masks(tmp_path, passed_by()[0], DRAWN_MASKS)
    assert made.ended[0] == Status.REJECTED
    assert re.fullmatch(r"as recorded: 20\.\d\d% of the picture moves but is not kept \(> 1\.00%\)", made.fate)


def set_up_by_hand() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A hand from the right sets the block down while the arm waits; then the arm pushes it. Frames, all, the hand."""
    frames = np.repeat(room()[None], LENGTH, axis=0)
    everything, hand = np.zeros_like(DRAWN_MASKS), np.zeros_like(DRAWN_MASKS)
    for index, frame in enumerate(frames):
        arm = 22 + 5 * max(0, index - 6)
        block = max(60, arm + 10)
        if index < 5:
            hand[index] = stamp(frame, SKIN, 62, block + BLOCK + (0 if index < 4 else 20), 12, WIDTH)
        everything[index] = stamp(frame, ORANGE, 0, arm, 77, 10) | hand[index]
        everything[index] |= stamp(frame, (40, 60, 190), 67, block, BLOCK, BLOCK)
    return noisy(frames), everything, hand


def test_a_hand_at_the_start_is_kept_while_it_is_there(tmp_path: Path) -> None:
    recorded, everything, hand = set_up_by_hand()
    made = by_motion(tmp_path, recorded)
    assert made.ended == (Status.DONE, None)
    assert ghosts(made) == 0
    assert made.kept[hand].mean() > 0.98
    after = hand.any(axis=0) & ~everything[5:].any(axis=0)
    assert made.kept[6:, after].mean() < 0.05
    assert all(is_in_the_new_scene(made, recorded, everything, index) for index in range(LENGTH))


@pytest.mark.parametrize("frames", [2, 8])
def test_what_appears_late_is_kept_from_then_on(tmp_path: Path, frames: int) -> None:
    recorded, thing = RECORDED.copy(), np.zeros_like(DRAWN_MASKS)
    for index in range(LENGTH - frames, LENGTH):
        thing[index] = stamp(recorded[index], YELLOW, 60, 20, 14, 14)
    recorded = noisy(recorded)
    made = by_motion(tmp_path / "a", recorded)
    assert made.ended == (Status.DONE, None)
    assert ghosts(made) == 0
    assert made.kept[thing].mean() > 0.98
    assert not made.kept[: LENGTH - frames, thing[-1]][:, ::3].all(axis=1).any()
    missed = by_masks(tmp_path / "b", recorded, DRAWN_MASKS)
    assert "1.56% of the picture moves but is not kept (> 1.00%)" in missed.fate


def test_companions_of_another_size_are_not_pooled(tmp_path: Path) -> None:
    recorded = noisy(RECORDED)
    small = recording(noisy(demonstration(height=48, width=64)[0]), number=1)
    alone, beside = by_motion(tmp_path / "a", recorded), restaged(tmp_path / "b", Motion(), recording(recorded), small)
    assert beside.ended == (Status.DONE, None)
    np.testing.assert_array_equal(beside.layers.plate, alone.layers.plate)
    np.testing.assert_array_equal(beside.frames, alone.frames)


def test_painted_at_the_wrong_size(tmp_path: Path) -> None:
    path = tmp_path / "front.png"
    Image.new("L", (64, 48)).save(path)
    made = restaged(tmp_path / "work", Motion(keep_always=str(tmp_path)), recording(noisy(RECORDED)))
    expected = f"{path} is 48x64 pixels; its camera is 96x128. Paint it on a frame of that size"
    assert made.receipt.failure == expected
    assert not list((tmp_path / "work").rglob("*.*")), "nothing is left half written"


def test_a_folder_of_masks_of_the_wrong_size(tmp_path: Path) -> None:
    folder = tmp_path / "demo_0" / "front" / "robot"
    folder.mkdir(parents=True)
    for index in range(LENGTH):
        Image.fromarray(DRAWN_MASKS[index, ::2, ::2]).save(folder / f"{index:06d}.png")
    made = restaged(tmp_path / "work", Recorded(masks=str(tmp_path)), recording(noisy(RECORDED)))
    assert made.receipt.failure == (
        f"{folder / '000000.png'} is 48x64 pixels; its camera is 96x128. Paint it on a frame of that size"
    )
    assert not list((tmp_path / "work").rglob("*.*"))


@pytest.mark.parametrize("name", ["plate.png", "hole.png"])
def test_a_layer_that_was_edited_to_another_size(tmp_path: Path, name: str) -> None:
    episode = recording(noisy(RECORDED), DRAWN_MASKS)
    made = restaged(tmp_path, Recorded(), episode)
    path = made.layers.folder / name
    with Image.open(path) as picture:
        picture.resize((64, 48)).save(path)
    again = restaged(tmp_path, Recorded(), episode)
    assert again.receipt.failure is not None
    assert again.receipt.failure.startswith(f"{path} is 48x64 pixels; its camera is 96x128. Paint it at that size")


def test_one_bad_camera_does_not_stop_the_others(tmp_path: Path) -> None:
    good = recording(noisy(RECORDED))
    still = ArrayFrames("side", noisy(np.repeat(room(seed=5)[None], LENGTH, axis=0)))
    made = restaged(tmp_path, Motion(), replace(good, cameras={**good.cameras, "side": still}))
    assert made.ended[0] == Status.DONE
    assert made.receipt.outcome is not None
    assert "keep mask is empty" in made.receipt.outcome.cameras["side"]
