from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from augment.compose import Composite, Light
from augment.compose.light import GAMMA
from augment.images import planes
from augment.types import Backdrop
from robot_io.types import Clip
from tests.scenes import HEIGHT, WIDTH, wall

RNG = np.random.default_rng(0)
LENGTH = 3
NOTHING = np.zeros((LENGTH, HEIGHT, WIDTH), bool)
SWAY = (1, 1, 0.01, 0.01, 0.01, 0.01, 1e-4, 1e-4)
UNSHADED = Composite(light=Light(shadows=False))


def clip_of(frames: np.ndarray) -> Clip:
    return Clip("front", 0, frames.astype(np.uint8), np.arange(len(frames), dtype=np.float64))


def noise() -> Clip:
    return clip_of(RNG.integers(0, 256, (LENGTH, HEIGHT, WIDTH, 3)))


def backdrop(new: np.ndarray, warps: np.ndarray | None = None, gains: np.ndarray | None = None) -> Backdrop:
    warps, gains = (given if given is not None else usual for given, usual in zip((warps, gains), still(), strict=True))
    return Backdrop(wall(0), NOTHING[0], new, warps.astype(np.float32), gains.astype(np.float32))


def still() -> tuple[np.ndarray, np.ndarray]:
    """Warps and gains of a camera that stands still."""
    return np.zeros((LENGTH, 8), np.float32), np.ones((LENGTH, 3), np.float32)


def disc(radius: int, y: int, x: int) -> np.ndarray:
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)[None].repeat(LENGTH, 0)


def ratio(seen: np.ndarray, background: np.ndarray, light: Light | None = None) -> np.ndarray:
    """Of linear light, (h, w, 3), in a picture of the wall, known on the background."""
    recorded = planes(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
    left = (light or Light()).left(recorded, planes(wall(0)), background, 1)
    return (left / 255) ** GAMMA


def shadow(depth: float) -> np.ndarray:
    """A soft ratio of linear light, 1 outside a disc and 1 - depth in its middle."""
    return 1 - depth * ndimage.gaussian_filter(disc(10, 24, 40)[0].astype(np.float32), 2.0)


@given(radius=st.integers(0, 30), y=st.integers(0, 47), x=st.integers(0, 63), band=st.sampled_from([0.01, 0.05, 0.1]))
def test_kept_pixels_are_the_recorded_ones(radius: int, y: int, x: int, band: float) -> None:
    keep, composite, recorded = disc(radius, y, x), Composite(band=band), noise()
    gains = RNG.uniform(0.8, 1.2, (LENGTH, 3))
    composed, exact = composite(recorded, keep, backdrop(wall(1), RNG.normal(size=(LENGTH, 8)) * SWAY, gains))
    np.testing.assert_array_equal(composed.frames[exact], recorded.frames[exact])
    inside = ndimage.binary_erosion(keep, np.ones((1, 3, 3)), border_value=1)
    assert exact[inside].all()
    assert not exact[~keep].any()


def test_beyond_the_band_all_is_new() -> None:
    composite, keep = Composite(band=0.05, light=Light(shadows=False)), disc(6, 20, 30)
    composed, _ = composite(noise(), keep, backdrop(wall(1)))
    beyond = ~disc(6 + 4, 20, 30)
    np.testing.assert_array_equal(composed.frames[beyond], np.broadcast_to(wall(1), composed.frames.shape)[beyond])


def test_plate_follows_camera_and_exposure() -> None:
    warps, gains = np.array([8 * [0], [2] + 7 * [0], [0, -3] + 6 * [0]]), np.ones((LENGTH, 3))
    gains[0] = (0.5, 1.0, 0.8)
    composed = UNSHADED(noise(), NOTHING, backdrop(wall(1), warps, gains))[0].frames
    np.testing.assert_array_equal(composed[0], np.floor(wall(1) * gains[0].astype(np.float32) + 0.5))
    np.testing.assert_array_equal(composed[1, 2:], wall(1)[:-2])
    np.testing.assert_array_equal(composed[2, :, :-3], wall(1)[:, 3:])


def test_the_old_plate_behind_gives_back_the_recording() -> None:
    shade = shadow(0.6) ** (1 / GAMMA)
    frames = np.repeat((wall(0) * shade[..., None])[None], LENGTH, axis=0)
    keep = disc(5, 10, 10)
    frames[keep] = (250, 30, 30)
    composed, _ = Composite()(clip_of(frames), keep, backdrop(wall(0)))
    assert np.abs(composed.frames.astype(int) - frames.astype(np.uint8)).mean() < 2


@pytest.mark.parametrize("depth", [0.3, 0.6, 0.9])
def test_a_shadow_is_measured(depth: float) -> None:
    truth = shadow(depth)
    seen = wall(0) * (truth ** (1 / GAMMA))[..., None]
    found = ratio(seen, ~NOTHING[0])
    assert np.abs(found - truth[..., None]).mean() < 0.03
    assert np.abs(found[24, 40] - truth[24, 40]).max() < 0.08


def test_a_shadow_has_a_colour() -> None:
    lost = (1 - shadow(0.6))[..., None] * np.array([1.15, 1.0, 0.85])
    seen = wall(0) * (1 - lost) ** (1 / GAMMA)
    found = ratio(seen, ~NOTHING[0])
    assert np.abs(found - (1 - lost)).mean() < 0.03
    assert np.abs(found[24, 40] - (1 - lost)[24, 40]).max() < 0.06


def test_a_shadow_carries_no_texture_of_the_old_plate() -> None:
    truth, old = shadow(0.5), wall(0).astype(np.float32)
    found = ratio(old * (truth ** (1 / GAMMA))[..., None] + RNG.normal(0, 2, old.shape), ~NOTHING[0])
    slope = np.hypot(*np.gradient(old.mean(axis=2)))
    assert abs(np.corrcoef((found.mean(axis=-1) - truth).ravel(), slope.ravel())[0, 1]) < 0.2


def test_light_is_interpolated_where_something_stands_before_the_wall() -> None:
    truth = shadow(0.5)
    seen = wall(0) * (truth ** (1 / GAMMA))[..., None]
    hidden = disc(4, 24, 40)[0]
    seen[hidden] = (255, 255, 0)
    assert np.abs(ratio(seen, ~hidden) - truth[..., None])[hidden].mean() < 0.15


def test_without_shadows_light_is_even() -> None:
    assert (ratio(wall(0) * 0.5, ~NOTHING[0], Light(shadows=False)) == 1).all()


def test_softer_light_makes_lighter_shadows() -> None:
    seen = wall(0) * (shadow(0.6) ** (1 / GAMMA))[..., None]
    hard, soft = (ratio(seen, ~NOTHING[0], Light(softness=softness)) for softness in (1.0, 0.5))
    assert (soft[24, 40] > hard[24, 40] + 0.1).all()


def test_no_rim_of_the_old_scene() -> None:
    """A mask that is right to the pixel leaves nothing of the old wall beside the object."""
    old = np.full((HEIGHT, WIDTH, 3), 230, np.uint8)
    new = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    keep = disc(8, 24, 30)
    frames = np.where(keep[..., None], np.uint8([200, 20, 20]), old)
    scene = Backdrop(old, NOTHING[0], new, *still())
    composed = Composite(band=0.06)(clip_of(frames), keep, scene)[0].frames
    assert composed[~keep].max() < 40


def test_a_mixed_edge_is_mixed_with_the_new_scene() -> None:
    """An antialiased edge pixel outside the exact mask keeps its share of the object's colour."""
    old, new, red = np.float32([230, 230, 230]), np.float32([20, 60, 20]), np.float32([200, 20, 20])
    share = np.zeros((HEIGHT, WIDTH), np.float32)
    share[:, :20] = 1
    share[:, 20] = 0.4
    frame = share[..., None] * red + (1 - share[..., None]) * old
    expected = share[..., None] * red + (1 - share[..., None]) * new
    keep = np.repeat((share == 1)[None], LENGTH, axis=0)
    ones = np.ones((HEIGHT, WIDTH, 1), np.float32)
    scene = Backdrop(
        (ones * old).astype(np.uint8),
        NOTHING[0],
        (ones * new).astype(np.uint8),
        *still(),
    )
    composite = Composite(band=0.05, light=Light(shadows=False))
    composed = composite(clip_of(np.repeat(np.rint(frame)[None], LENGTH, 0)), keep, scene)[0].frames
    assert np.abs(composed[0] - expected).max() < 12


@pytest.mark.parametrize(("height", "width"), [(480, 64), (481, 65), (721, 67)])
def test_edges_of_large_pictures_are_mixed_likewise(height: int, width: int) -> None:
    """There the foreground's colour is found at a lower resolution."""
    old, new, red = np.float32([230, 230, 230]), np.float32([20, 60, 20]), np.float32([200, 20, 20])
    share = np.zeros((height, width, 1), np.float32)
    share[101:-101, 21:-21] = 1
    share[101:-101, [20, -21]] = 0.4
    frame, expected = (share * red + (1 - share) * behind for behind in (old, new))
    plates = (np.broadcast_to(colour, frame.shape).astype(np.uint8) for colour in (old, new))
    scene = Backdrop(next(plates), np.zeros((height, width), bool), next(plates), *(part[:1] for part in still()))
    composed = UNSHADED(clip_of(np.rint(frame)[None]), share[None, ..., 0] == 1, scene)[0].frames[0]
    assert np.abs(composed - expected).max() < 12


def test_margin_keeps_more() -> None:
    keep = disc(3, 20, 30)
    kept = [Composite(margin=margin)(noise(), keep, backdrop(wall(1)))[1].sum() for margin in (0.0, 0.05)]
    assert kept[1] > kept[0]


def test_what_is_too_thin_for_a_rim_is_kept_exactly() -> None:
    keep = np.zeros_like(NOTHING)
    keep[:, 10:30, 20:22] = True  # a cable
    keep[:, 30:44, 14:28] = True  # on a box
    _, exact = Composite()(noise(), keep, backdrop(wall(1)))
    assert exact[:, 10:29, 20:22].all()
    assert exact[:, 31:43, 15:27].all()
    assert not exact[:, 43].any()


def test_an_outline_that_holds_some_of_the_old_scene_loses_it() -> None:
    """Mixed pixels inside the mask: the object stays, the old background's share becomes the new one's."""
    old, new, red = np.float32([230, 230, 230]), np.float32([20, 60, 20]), np.float32([200, 20, 20])
    share = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    share[:, :20] = 1
    share[:, 20] = 0.6
    frame, expected = (share * red + (1 - share) * behind for behind in (old, new))
    keep = np.repeat((share[..., 0] > 0.5)[None], LENGTH, axis=0)
    plates = (np.broadcast_to(colour, frame.shape).astype(np.uint8) for colour in (old, new))
    scene = Backdrop(next(plates), NOTHING[0], next(plates), *still())
    composite = Composite(band=0.05, light=Light(shadows=False))
    composed = composite(clip_of(np.repeat(np.rint(frame)[None], LENGTH, 0)), keep, scene)[0].frames
    assert np.abs(composed[0] - expected).max() < 12


def grainy(sigma: float) -> Backdrop:
    return replace(backdrop(np.full_like(wall(1), 120)), grain=np.full(3, sigma, np.float32))


def test_what_is_new_is_as_noisy_as_the_recording() -> None:
    keep = disc(8, 24, 30)
    recorded = noise()
    composed, exact = UNSHADED(recorded, keep, grainy(3.0))
    new = composed.frames[:, :, 45:].astype(float)
    assert new.std(axis=(0, 1, 2)) == pytest.approx(np.full(3, 3.0), abs=0.15)
    assert np.abs(new[1] - new[0]).mean() > 2  # another noise in every frame
    np.testing.assert_array_equal(composed.frames[exact], recorded.frames[exact])
    quiet, _ = replace(UNSHADED, grain=0.0)(recorded, keep, grainy(3.0))
    assert (quiet.frames[:, :, 45:] == 120).all()


def test_noise_belongs_to_a_frame_not_to_a_window() -> None:
    recorded, scene = noise(), grainy(2.0)
    whole, _ = UNSHADED(recorded, NOTHING, scene)
    last = Clip("front", 2, recorded.frames[2:], recorded.timestamps[2:])
    alone, _ = UNSHADED(last, NOTHING[2:], replace(scene, warps=scene.warps[2:], gains=scene.gains[2:]))
    np.testing.assert_array_equal(alone.frames[0], whole.frames[2])


def test_a_new_plate_comes_closer_to_the_recording_in_level_and_cast() -> None:
    clean, new = np.full((HEIGHT, WIDTH, 3), (150, 120, 100), np.uint8), np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    toned = Composite(tone=0.15).toned(new, clean, NOTHING[0])
    brightest = 120 * 1.15 ** (1 / GAMMA)
    assert toned[0, 0, 0] == round(brightest)  # as far as allowed
    assert toned[0, 0, 1] == 120
    assert toned[0, 0, 2] == round(120 / 1.15 ** (1 / GAMMA))
    np.testing.assert_array_equal(Composite(tone=1.0).toned(new, clean, NOTHING[0]), clean)
    np.testing.assert_array_equal(Composite(tone=0.0).toned(wall(1), wall(0), NOTHING[0]), wall(1))
    np.testing.assert_array_equal(Composite().toned(wall(1), wall(1), ~NOTHING[0]), wall(1))


def test_shadows_can_be_looked_at() -> None:
    lost = (1 - shadow(0.6))[..., None]
    seen = clip_of(np.repeat((wall(0) * (1 - lost) ** (1 / GAMMA))[None], LENGTH, axis=0))
    left = Composite().light_left(seen, NOTHING, backdrop(wall(1)))
    assert left.shape == seen.frames.shape
    assert np.abs(left / 255 - (1 - lost) ** (1 / GAMMA)).mean() < 0.03
    assert (left[:, :6, :6] == 255).all()


def test_a_deep_shadow_that_touches_what_is_kept_is_carried_up_to_it() -> None:
    """Neither a halo of too much light beside it nor a line where the band ends."""
    plate = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    keep = np.zeros((1, HEIGHT, WIDTH), np.bool_)
    keep[:, 12:36, 20:40] = True
    away = np.clip(np.arange(WIDTH) - 39, 0, None)  # of the thing's right side
    light = np.where(away > 0, 1 - 0.6 * np.exp(-away / 6), 1.0)
    seen = np.where(keep[0, ..., None], np.array([60, 40, 160]), np.rint(plate * light[None, :, None]))
    old, new = replace(backdrop(np.full_like(plate, 120)), clean=plate), 120 * light
    composed, _ = Composite(band=0.08)(
        clip_of(seen[None]), keep, replace(old, warps=old.warps[:1], gains=old.gains[:1])
    )
    made = composed.frames[0, 20:28, 40:60].astype(float)
    assert np.abs(made - new[None, 40:60, None]).max() < 5


def test_what_the_light_cannot_explain_beside_what_is_kept_does_not_stay() -> None:
    """As a bright tile of the old scene in the band, whose plate is wrong there."""
    plate = wall(0)
    keep, seen = disc(8, 24, 30), plate.copy()
    seen[disc(8, 24, 30)[0]] = (60, 40, 160)
    stray = disc(11, 24, 30)[0] & ~disc(9, 24, 30)[0]
    seen[stray] = 255
    composed, _ = Composite(band=0.08, light=Light(shadows=False))(
        clip_of(seen[None].repeat(LENGTH, 0)), keep, backdrop(np.full_like(plate, 90))
    )
    assert np.median(composed.frames[:, stray]) < 100


def test_where_the_plate_is_a_right_guess_no_rim_of_the_old_scene_is_left() -> None:
    """Behind what never moves."""
    plate = np.full((HEIGHT, WIDTH, 3), (60, 160, 60), np.uint8)
    keep, seen = disc(8, 24, 30), plate.copy()
    seen[keep[0]] = (40, 40, 40)
    known = replace(backdrop(np.full_like(plate, (150, 90, 60))), clean=plate, hole=disc(14, 24, 30)[0])
    composed, _ = UNSHADED(clip_of(seen[None].repeat(LENGTH, 0)), keep, known)
    np.testing.assert_array_equal(composed.frames[~keep], np.broadcast_to((150, 90, 60), composed.frames.shape)[~keep])
