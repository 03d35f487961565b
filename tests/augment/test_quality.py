"""What can be wrong with a restaged camera: for every idea one that passes, and the same one damaged."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest

from augment.check import DefaultCheck, Verdict, Window
from augment.check.view import views
from augment.compose import Composite
from augment.images import grow, warp
from augment.types import Backdrop
from robot_io.memory import ArrayFrames
from robot_io.types import Clip
from tests.scenes import HEIGHT, WIDTH, crossing_square, wall

LENGTH = 24
FRAMES, MASKS = crossing_square(length=LENGTH)
TABLE = np.zeros((HEIGHT, WIDTH), bool)
TABLE[20:] = True  # the square's lowest row is 29
STILL = np.zeros((LENGTH, 8), np.float32)

Repaint = Callable[[int], np.ndarray]


def judge(
    frames: np.ndarray = FRAMES,
    keep: np.ndarray = MASKS,
    clean: np.ndarray | None = None,
    repaint: Repaint = lambda index: wall(1),
    support: np.ndarray | None = TABLE,
    warps: np.ndarray = STILL,
    gains: np.ndarray | None = None,
    check: DefaultCheck | None = None,
    cuts: Iterable[int] = (9, 10),
) -> Verdict:
    """The verdict on a camera that is restaged as the pipeline does; `repaint(index)` is the plate of a frame."""
    source = ArrayFrames("front", frames)
    watch = (check or DefaultCheck()).watch(source)
    gains = np.ones((len(frames), 3), np.float32) if gains is None else gains
    for start, stop in pairwise((0, *cuts, len(frames))):
        clip, composed = source.read(start, stop), []
        for index in range(start, stop):
            one = slice(index, index + 1)
            behind = backdrop(clean, repaint(index), warps[one], gains[one])
            composed.append(Composite()(source.read(index, index + 1), keep[one], behind))
        made = Clip("front", start, np.concatenate([clip.frames for clip, _ in composed]), clip.timestamps)
        exact = np.concatenate([exact for _, exact in composed])
        part = slice(start, stop)
        behind = backdrop(clean, repaint(start), warps[part], gains[part])
        watch.see(Window(clip, made, made, keep[part], exact, behind, support))
    return watch.verdict()


def backdrop(clean: np.ndarray | None, new: np.ndarray, warps: np.ndarray, gains: np.ndarray) -> Backdrop:
    return Backdrop(wall(0) if clean is None else clean, np.zeros((HEIGHT, WIDTH), bool), new, warps, gains)


def refused(verdict: Verdict, why: str, redraw: bool) -> bool:
    return why in (verdict.reason or "") and verdict.redraw == redraw


def with_square(top: int, lefts: Iterable[int], colour: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """The crossing square's frames with another, 8 pixels wide, and where that is."""
    frames, masks = FRAMES.copy(), np.zeros_like(MASKS)
    for index, left in enumerate(lefts):
        masks[index, top : top + 8, left : left + 8] = True
    frames[masks & ~MASKS] = colour
    return frames, masks


def test_a_good_camera_passes_with_all_figures() -> None:
    verdict = judge()
    assert verdict.reason is None
    assert set(verdict.figures) == {
        "kept_share",
        "seam_share",
        "keep_area_jump",
        "residual_motion_share",
        "old_scene_share",
        "change_grey_levels",
        "flicker_grey_levels",
    }
    assert verdict.figures["keep_area_jump"] == verdict.figures["residual_motion_share"] == 0
    assert verdict.figures["flicker_grey_levels"] == 0, "a camera that stands still cannot flicker"


def test_a_mask_that_drops_out() -> None:
    keep = MASKS.copy()
    keep[11:13] = False
    verdict = judge(keep=keep)
    assert refused(verdict, "kept area jumps by 100% and back around frame 11", redraw=False)
    keep[11:13] = True
    assert refused(judge(keep=keep), "kept area jumps", redraw=False), "nor may it swell"


def test_what_enters_and_leaves_is_no_drop_out() -> None:
    frames, keep = FRAMES.copy(), MASKS.copy()
    for index in (*range(8), *range(20, LENGTH)):
        frames[index], keep[index] = wall(0), False
    verdict = judge(frames, keep)
    assert verdict.reason is None
    assert verdict.figures["keep_area_jump"] == 0


def test_motion_that_masks_missed() -> None:
    frames, masks = with_square(38, range(4, 4 + 2 * LENGTH, 2))
    assert refused(judge(frames), "of the picture moves but is not kept", redraw=False)
    assert judge(frames, MASKS | masks).reason is None


def test_a_shadow_is_not_missed_motion() -> None:
    frames = FRAMES.copy()
    frames[:, 34:] = np.rint(frames[:, 34:] * 0.6)
    assert judge(frames).figures["residual_motion_share"] == 0


def test_what_cannot_be_told_is_not_missed_motion() -> None:
    """The clean plate's holes."""
    frames, _ = with_square(38, [20] * LENGTH)
    source = ArrayFrames("front", frames)
    for known, share in ((True, 0.0), (False, 64 / (HEIGHT * WIDTH))):
        hole = np.zeros((HEIGHT, WIDTH), bool)
        hole[36:, 16:32] = known
        behind = Backdrop(wall(0), hole, wall(1), STILL, np.ones((LENGTH, 3), np.float32))
        clip = source.read(0, LENGTH)
        made, exact = Composite()(clip, MASKS, behind)
        watch = DefaultCheck().watch(source)
        watch.see(Window(clip, made, made, MASKS, exact, behind))
        assert watch.verdict().figures["residual_motion_share"] == pytest.approx(share, rel=0.1)


def test_plates_that_change_flicker() -> None:
    assert refused(judge(repaint=lambda index: wall(1 + index)), "what is repainted flickers by", redraw=True)


def test_a_single_jump_of_the_plate_is_found() -> None:
    assert refused(judge(repaint=lambda index: wall(1 + index // 12)), "flickers by", redraw=True)


def test_masks_that_are_far_too_large_carry_the_old_scene_along() -> None:
    assert refused(judge(keep=grow(MASKS, 6)), "of what is kept shows the old scene", redraw=False)


def test_what_is_always_kept_belongs_to_the_old_scene() -> None:
    keep = MASKS.copy()
    keep[:, 36:] = True
    verdict = judge(keep=keep)
    assert verdict.reason is None
    assert verdict.figures["old_scene_share"] < 0.1


def test_outlines_that_cut_through_the_old_scene() -> None:
    """On an even wall, whose own texture has no edges."""
    even, other = np.full((HEIGHT, WIDTH, 3), 90, np.uint8), np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    frames = np.where(MASKS[..., None], FRAMES, even)
    lenient = DefaultCheck(max_old_scene=1.0)
    assert judge(frames, MASKS, even, lambda index: other, check=lenient).reason is None
    verdict = judge(frames, grow(MASKS, 6), even, lambda index: other, check=lenient)
    assert refused(verdict, "of the outline has an edge that was not recorded", redraw=True)


def test_a_variant_that_looks_like_its_source() -> None:
    verdict = judge(repaint=lambda index: wall(0))
    assert refused(verdict, "changes by 0.0 grey levels only (< 8.0)", redraw=True)


def resting(top: int) -> tuple[np.ndarray, np.ndarray]:
    """A small square that rests for half of the time and is then carried off, beside the crossing one."""
    lefts = [4] * (LENGTH // 2) + list(range(6, 6 + 4 * (LENGTH // 2), 4))
    return with_square(top, lefts)


@pytest.mark.parametrize(("top", "stands"), [(34, True), (3, False)])
def test_what_rests_stands_on_the_support(top: int, stands: bool) -> None:
    frames, masks = resting(top)
    verdict = judge(frames, MASKS | masks)
    assert verdict.figures["standing_share"] == stands
    if stands:
        assert verdict.reason is None
    else:
        assert refused(verdict, "what rests stands on the support in 0% of moments (< 80%)", redraw=False)


def test_nothing_is_asked_where_no_support_is_known() -> None:
    frames, masks = resting(3)
    verdict = judge(frames, MASKS | masks, support=None)
    assert verdict.reason is None
    assert "standing_share" not in verdict.figures


def test_what_never_moves_may_hang_on_the_wall() -> None:
    frames, masks = with_square(3, [40] * LENGTH)
    assert "standing_share" not in judge(frames, MASKS | masks).figures


def swaying() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Frames, masks, warps and gains of a camera that sways and whose exposure drifts."""
    rng = np.random.default_rng(0)
    warps = np.zeros((LENGTH, 8), np.float32)
    warps[:, :2] = rng.integers(-2, 3, (LENGTH, 2))
    gains = np.repeat(rng.uniform(0.8, 1, (LENGTH, 1)), 3, axis=1).astype(np.float32)
    frames, masks = resting(34)
    masks |= MASKS
    for index, (down, right) in enumerate(warps[:, :2].astype(int)):
        moved = np.pad(frames[index], ((2, 2), (2, 2), (0, 0)), mode="edge")
        moved = moved[2 - down : 2 - down + HEIGHT, 2 - right : 2 - right + WIDTH]
        frames[index] = np.rint(moved * gains[index])
        masks[index] = np.roll(masks[index], (down, right), axis=(0, 1))
    return frames, masks, warps, gains


def test_a_camera_that_sways_is_judged_like_one_that_stands_still() -> None:
    frames, masks, warps, gains = swaying()
    verdict = judge(frames, masks, warps=warps, gains=gains)
    assert verdict.reason is None
    assert verdict.figures["standing_share"] == 1
    assert verdict.figures["residual_motion_share"] == 0
    assert verdict.figures["flicker_grey_levels"] < 1.5
    assert judge(frames, masks).reason is not None, "without its warps and gains it could not pass"


@pytest.mark.parametrize("cuts", [(), (1,), (23,), (5, 6, 13), range(1, LENGTH)])
def test_windows_may_be_cut_anywhere(cuts: Iterable[int]) -> None:
    frames, masks, warps, gains = swaying()
    masks[15] = False
    whole = judge(frames, masks, warps=warps, gains=gains)
    assert whole.reason is not None
    assert judge(frames, masks, warps=warps, gains=gains, cuts=cuts) == whole


def test_places_on_the_plate_follow_the_camera() -> None:
    """What the plate shows at a point, a warped frame shows where `place` says it came from."""
    plate = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    plate[10:13, 50:53] = 255
    warps = np.array([[1.3, -0.7, 0.02, 0.04, -0.04, 0.03, 4e-4, -6e-4]], np.float32)
    frame = warp(plate, warps[0])
    clip = Clip("front", 0, frame[None], np.zeros(1))
    none = np.zeros((1, HEIGHT, WIDTH), bool)
    behind = Backdrop(plate, none[0], plate, warps, np.ones((1, 3), np.float32))
    (view,) = views(Window(clip, clip, clip, none, none, behind))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    weight = (frame[..., 0] - 40.0) / (frame[..., 0] - 40.0).sum()
    place = view.place(float((rows * weight).sum()), float((columns * weight).sum()))
    assert place == pytest.approx((11, 51), abs=0.2)
    assert view.away.max() <= 1, "the clean plate lies on the frame"
