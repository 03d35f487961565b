"""Noise: a function of key, stream, step and number, and of nothing else."""

import pytest
import torch

from augment.diffusion.noise import Noise
from augment.errors import RequestError

LIKE = torch.zeros(1, 4, 16, 16)


def draw(key=7, number=0, stream="start", step=800, like=LIKE):
    return Noise(key, (number,))(stream, step, like)


def test_the_same_key_gives_the_same_bytes():
    assert torch.equal(draw(), draw())
    first = draw().flatten()[:3]
    assert first.tolist() == pytest.approx([1.086638, -1.87201, 0.86801], abs=1e-6)


@pytest.mark.parametrize(
    "other", [{"key": 8}, {"key": 7 + 2**64}, {"number": 1}, {"stream": "step"}, {"step": 799}, {"step": -1}]
)
def test_anything_else_is_other_noise(other):
    one, two = draw().flatten(), draw(**other).flatten()
    assert abs(torch.corrcoef(torch.stack([one, two]))[0, 1]) < 0.1
    assert not torch.isin(one, two).any()


def test_who_else_is_in_the_batch_does_not_matter():
    together = Noise(7, (3, 0, 5))("step", 10, LIKE.expand(3, -1, -1, -1))
    for place, number in enumerate((3, 0, 5)):
        assert torch.equal(together[place], draw(number=number, stream="step", step=10)[0])


def test_what_was_drawn_before_does_not_matter_nor_is_torchs_state_touched():
    state = torch.random.get_rng_state()
    noise = Noise(7, (0,))
    noise("start", 3, LIKE)
    assert torch.equal(noise("start", 800, LIKE), draw())
    assert torch.equal(state, torch.random.get_rng_state())


def test_frames_of_a_clip_share_their_noise():
    clip = Noise(7, (2,) * 5)("start", 800, LIKE.expand(5, -1, -1, -1))
    assert all(torch.equal(frame, clip[0]) for frame in clip)
    assert torch.equal(clip[0], draw(number=2)[0])


def test_precision_rounds_and_does_not_change_it():
    assert torch.equal(draw(like=LIKE.double()), draw().double())
    assert torch.equal(draw(like=LIKE.bfloat16()), draw())
    assert draw(like=LIKE.bfloat16()).dtype == torch.float32


def test_it_is_standard_normal():
    values = Noise(1, (0, 1))("start", 0, torch.zeros(2, 3, 256, 256, dtype=torch.float64))
    count = values.numel()
    assert abs(values.mean()) < 5 / count**0.5
    assert abs(values.var() - 1) < 5 * (2 / count) ** 0.5
    assert abs((values**4).mean() - 3) < 5 * (96 / count) ** 0.5
    assert abs((values[..., 1:] * values[..., :-1]).mean()) < 5 / count**0.5


def test_a_batch_of_another_length_is_refused():
    with pytest.raises(RequestError, match="noise for 2 pictures was asked for 1"):
        Noise(7, (0, 1))("start", 0, LIKE)


@pytest.mark.parametrize("key", [-1, 2**128])
def test_keys_out_of_range_are_refused(key):
    with pytest.raises(RequestError, match="below 2"):
        Noise(key, (0,))
