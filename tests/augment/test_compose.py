import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.compose import Composite
from robot_io.types import Clip
from tests.scenes import HEIGHT, WIDTH, wall

RNG = np.random.default_rng(0)


def clip(length: int = 3) -> Clip:
    frames = RNG.integers(0, 256, (length, HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Clip("front", 0, frames, np.arange(length, dtype=np.float64))


def disc(radius: int, y: int, x: int) -> np.ndarray:
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)[None].repeat(3, 0)


@given(radius=st.integers(0, 30), y=st.integers(0, 47), x=st.integers(0, 63), band=st.sampled_from([0.01, 0.05, 0.1]))
def test_kept_pixels_are_the_recorded_ones(radius: int, y: int, x: int, band: float) -> None:
    keep, composite, recorded = disc(radius, y, x), Composite(band=band), clip()
    shifts = RNG.normal(size=(3, 2)).astype(np.float32)
    composed = composite(recorded, composite.exact(keep), wall(1), shifts)
    np.testing.assert_array_equal(composed.frames[keep], recorded.frames[keep])


def test_beyond_the_band_all_is_new() -> None:
    composite, keep = Composite(band=0.05), disc(6, 20, 30)
    composed = composite(clip(), keep, wall(1), np.zeros((3, 2), np.float32))
    beyond = ~disc(6 + 4, 20, 30)
    np.testing.assert_array_equal(composed.frames[beyond], np.broadcast_to(wall(1), composed.frames.shape)[beyond])


def test_alpha_falls_from_the_mask_outwards() -> None:
    composite = Composite(band=0.1)
    keep = np.zeros((1, HEIGHT, WIDTH), bool)
    keep[:, :, :20] = True
    profile = composite.alpha(keep)[0, 24, 15:32]
    assert (profile[:5] == 1).all()
    assert (np.diff(profile[4:11]) < 0).all()
    assert (profile[10:] == 0).all()


def test_plate_follows_the_camera() -> None:
    nothing = np.zeros((3, HEIGHT, WIDTH), bool)
    shifts = np.array([[0, 0], [2, 0], [0, -3]], np.float32)
    composed = Composite()(clip(), nothing, wall(1), shifts)
    np.testing.assert_array_equal(composed.frames[1, 2:], wall(1)[:-2])
    np.testing.assert_array_equal(composed.frames[2, :, :-3], wall(1)[:, 3:])


def test_margin_keeps_more() -> None:
    keep = disc(3, 20, 30)
    assert Composite(margin=0.05).exact(keep).sum() > keep.sum()
    assert Composite().exact(keep).sum() == pytest.approx(keep.sum())
