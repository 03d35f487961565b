import numpy as np
import pytest

from augment.check import CHECKS, Check, DefaultCheck, Verdict, Window
from augment.errors import RequestError
from augment.types import Backdrop
from robot_io.memory import ArrayFrames
from robot_io.types import Clip
from tests.scenes import crossing_square, wall

FRAMES, MASKS = crossing_square()
SOURCE = ArrayFrames("front", FRAMES)


def backdrop(start: int, stop: int) -> Backdrop:
    ones = np.ones((stop - start, 3), np.float32)
    return Backdrop(wall(0), np.zeros(wall(0).shape[:2], bool), wall(1), np.zeros((stop - start, 8), np.float32), ones)


def judge(check: Check, composed: np.ndarray, keep: np.ndarray, noise: int = 0) -> Verdict:
    """The verdict on a camera seen in two windows; `noise` is what the encoding takes from every pixel."""
    watch = check.watch(SOURCE)
    for start, stop in ((0, 5), (5, 8)):
        recorded = SOURCE.read(start, stop)
        made = Clip("front", start, composed[start:stop], recorded.timestamps)
        decoded = Clip("front", start, made.frames - np.uint8(noise), recorded.timestamps)
        watch.see(Window(recorded, made, decoded, keep[start:stop], keep[start:stop], backdrop(start, stop)))
    return watch.verdict()


def repainted(keep: np.ndarray) -> np.ndarray:
    return np.where(keep[..., None], FRAMES, np.uint8(9))


def test_a_good_camera_passes_with_its_figures() -> None:
    verdict = judge(DefaultCheck(), repainted(MASKS), MASKS, noise=2)
    assert verdict.reason is None
    assert verdict.figures["kept_share"] == pytest.approx(MASKS.mean(), abs=1e-5)
    assert verdict.figures["keep_psnr_db"] == pytest.approx(20 * np.log10(255 / 2), abs=0.01)


def test_a_touched_kept_pixel_is_found() -> None:
    composed = repainted(MASKS)
    index = tuple(np.argwhere(MASKS)[100])
    composed[index] += 1
    assert judge(DefaultCheck(), composed, MASKS).reason == "1 kept pixels differ from the recording"


@pytest.mark.parametrize(("fill", "reason"), [(False, "keep mask is empty"), (True, "keep mask is full")])
def test_empty_and_full_masks(fill: bool, reason: str) -> None:
    keep = np.full_like(MASKS, fill)
    verdict = judge(DefaultCheck(), repainted(keep), keep)
    assert reason in (verdict.reason or "")
    assert not verdict.redraw


def test_a_bad_encoding_is_worth_another_draw() -> None:
    verdict = judge(DefaultCheck(), repainted(MASKS), MASKS, noise=20)
    assert "22.1 dB" in (verdict.reason or "")
    assert verdict.redraw


def test_missing_frames_are_found() -> None:
    watch = DefaultCheck().watch(SOURCE)
    clip = SOURCE.read(0, 5)
    watch.see(Window(clip, clip, clip, MASKS[:5], MASKS[:5], backdrop(0, 5)))
    assert watch.verdict().reason == "5 frames made of 8"


def test_none_accepts_everything() -> None:
    assert judge(CHECKS["none"](), 255 - FRAMES, np.ones_like(MASKS)).reason is None


def test_at_least_one_attempt() -> None:
    with pytest.raises(RequestError, match=r"check\.attempts=0"):
        DefaultCheck(attempts=0)
