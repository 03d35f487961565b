"""Blended Diffusion in pixels, on the real networks at a tiny size: methods.md 4.8."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from augment.diffusion.levels import Levels
from augment.diffusion.noise import Noise
from augment.diffusion.predictions import Reverse
from augment.errors import PaintError, RequestError
from augment.models import clip as clips
from augment.models.doors import open_pixel_painter
from augment.models.guided_diffusion import hub
from augment.models.guided_diffusion.hub import PixelDiffusion
from augment.models.packs import Component, Pack
from augment.models.painting.base import Canvas, Painter, Sampler, Sampling, Start, Steering, Wording
from augment.models.painting.energy import EditEnergy, beside, out_of_range
from augment.models.painting.pixels import PixelPainter, edited, open_pixels
from augment.models.painting.views import extended
from augment.models.runtime import Runtime
from tests.pipelines import tiny_clip, tiny_pixels

WORDS = Wording("a blue wooden table")
STEERING = Steering(views=3)
BRIEF = Sampling(Sampler.ANCESTRAL, steps=3, guidance=1000.0, level=0.75, blur=0.0, steering=STEERING)
CPU = Runtime("cpu", batch=2)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    root = tmp_path_factory.mktemp("pack")
    pixels, clip = (str(write(root / name)) for name, write in (("pixels", tiny_pixels), ("clip", tiny_clip)))
    return Pack("mine", pixels=Component("guided_diffusion", pixels), clip=Component("clip", clip))


@pytest.fixture(scope="module")
def painter(pack: Pack) -> PixelPainter:
    return open_pixel_painter(pack, CPU)


def canvas(height: int = 32, width: int = 32, number: int = 0) -> Canvas:
    rng = np.random.default_rng(3)
    keep = np.ones((height, width), np.float32)
    keep[height // 4 : -height // 4, width // 8 : -width // 4] = 0
    keep[height // 2] = 0.5
    return Canvas(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), keep, number)


def energy(
    painter: PixelPainter, sampling: Sampling = BRIEF, region: float | None = None, count: int = 2
) -> EditEnergy:
    """Of pictures whose middle is painted, or all of them the same."""
    source = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    mask = torch.zeros(count, 1, 32, 32)
    mask[..., 8:24, 4:24] = 1
    mask = mask if region is None else torch.full_like(mask, region)
    words = painter.clip.read(WORDS.prompt)
    return EditEnergy(painter.clip, words, source, mask, sampling, Noise(7, tuple(range(count))))


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize(("height", "width"), [(32, 32), (23, 45)])
def test_what_is_kept_stays_exactly(painter: PixelPainter, sampler: Sampler, height: int, width: int) -> None:
    asked = canvas(height, width)
    (made,) = painter([asked], WORDS, replace(BRIEF, sampler=sampler), 7)
    saved = BytesIO()
    Image.fromarray(made).save(saved, "png")
    kept = asked.keep == 1
    assert np.array_equal(np.asarray(Image.open(saved))[kept], asked.picture[kept])
    assert np.abs(made[asked.keep == 0].astype(int) - asked.picture[asked.keep == 0]).mean() > 5


@pytest.mark.parametrize("sampler", list(Sampler))
@torch.no_grad()
def test_outside_is_exact_before_any_paste(painter: PixelPainter, sampler: Sampler) -> None:
    asked = energy(painter, replace(BRIEF, sampler=sampler))
    made, outside = edited(painter.network, asked), (asked.region == 0).expand(-1, 3, -1, -1)
    assert torch.equal(made[outside], asked.source[outside])
    baseline = edited(painter.network, replace(asked, sampling=replace(asked.sampling, blend=False)))
    assert (baseline - asked.source)[outside].abs().mean() > 0.1


@torch.no_grad()
def test_with_nothing_to_paint_the_source_comes_back(painter: PixelPainter) -> None:
    asked = energy(painter, region=0.0)
    assert torch.equal(edited(painter.network, asked), asked.source)
    whole = replace(canvas(), keep=np.ones((32, 32), np.float32))
    assert np.array_equal(painter([whole], WORDS, BRIEF, 7)[0], whole.picture)


@torch.no_grad()
def test_with_all_to_paint_blending_changes_nothing(painter: PixelPainter) -> None:
    asked = energy(painter, region=1.0)
    unblended = edited(painter.network, replace(asked, sampling=replace(BRIEF, blend=False)))
    assert torch.equal(edited(painter.network, asked), unblended)


class Knowing(torch.nn.Module):
    """A network that knows of one batch what it is."""

    def __init__(self, levels: Levels, x0: torch.Tensor) -> None:
        super().__init__()
        self.levels = levels
        self.x0 = torch.nn.Parameter(x0, requires_grad=False)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        signal, noise = self.levels.of(t, x)
        return torch.cat([(x - signal * self.x0) / noise, torch.zeros_like(x)], dim=1)


@torch.no_grad()
def test_without_guidance_what_the_network_would_draw_is_left_alone(painter: PixelPainter) -> None:
    plain = replace(BRIEF, guidance=0.0, steps=10)
    asked, levels = energy(painter, plain), painter.network.levels
    made = edited(PixelDiffusion(Knowing(levels, asked.source), levels), asked)
    assert torch.allclose(made, asked.source, atol=1e-4)


@pytest.mark.parametrize("through", [True, False])
@torch.no_grad()
def test_guidance_descends(painter: PixelPainter, through: bool) -> None:
    """In expectation, over pictures; the other sign climbs."""

    def distance(weight: float) -> float:
        steering = replace(STEERING, through=through)
        asked = energy(painter, replace(BRIEF, guidance=weight, steps=6, level=0.5, steering=steering), count=4)
        made = edited(painter.network, asked)
        plain = replace(asked, sampling=replace(BRIEF, steering=Steering(views=1)))
        return float(plain.distance(made.clamp(-1, 1), 0).mean())

    assert distance(3000.0) < distance(0.0) < distance(-3000.0)


def test_the_gradient_over_views_is_the_mean_of_those_pulled_back(painter: PixelPainter) -> None:
    asked = energy(painter)
    seen = asked.source.clone().requires_grad_()
    (whole,) = torch.autograd.grad(asked.distance(seen, 500).sum(), seen)
    mean = torch.zeros_like(whole)
    for number in range(STEERING.views):
        views = extended(asked.noise, 500, painter.clip.fitted(seen * asked.region), STEERING.views)
        far = clips.spherical(painter.clip.look(views[:, number]), asked.words)
        mean += torch.autograd.grad(far.sum(), seen)[0] / STEERING.views
    assert whole.abs().max() > 0
    assert torch.allclose(whole, mean, rtol=1e-4, atol=1e-4 * float(whole.abs().max()))
    assert (whole[(asked.region == 0).expand_as(whole)] == 0).all()


def test_one_view_is_plain_guidance(painter: PixelPainter) -> None:
    asked = energy(painter, replace(BRIEF, steering=Steering(views=1)))
    shown = painter.clip.fitted(asked.source * asked.region)
    plain = clips.spherical(painter.clip.look(shown), asked.words)
    assert torch.allclose(asked.distance(asked.source, 500), plain, atol=1e-6)


def test_guidance_ends_where_the_judge_begins(painter: PixelPainter) -> None:
    """Candidates are ranked by the distance that they descended, without augmentations."""
    asked = canvas()
    pixels = torch.from_numpy(asked.picture.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    region = torch.from_numpy(asked.keep < 1)[None, None].float()
    single = replace(BRIEF, steering=Steering(views=1))
    of = EditEnergy(painter.clip, painter.clip.read(WORDS.prompt), pixels, region, single, Noise(7, (0,)))
    judged = painter.clip.distances([asked.picture], WORDS.prompt, [asked.keep < 1])
    assert float(of.distance(pixels, 0)) == pytest.approx(float(judged[0]), abs=1e-5)


def test_terms_of_the_energy(painter: PixelPainter) -> None:
    asked = energy(painter, replace(BRIEF, guidance=0.0))
    seen = asked.source + 0.5
    assert torch.allclose(asked(seen, 500), 50 * out_of_range(seen))
    baseline = replace(asked, sampling=replace(asked.sampling, blend=False))
    outside = 1 - asked.region.mean(dim=(1, 2, 3))
    assert torch.allclose(beside(seen, asked.source, asked.region), 0.25 * outside)
    assert torch.allclose(baseline(seen, 500), 50 * out_of_range(seen) + 10000 * 0.25 * outside)
    inside = torch.where(asked.region == 1, seen, asked.source)
    assert (beside(inside, asked.source, asked.region) == 0).all()
    assert (out_of_range(asked.source) == 0).all()


@torch.no_grad()
def test_the_baseline_keeps_the_background_by_its_loss(painter: PixelPainter) -> None:
    def off(weight: float) -> float:
        steering = Steering(views=1, background=weight)
        sampling = replace(BRIEF, guidance=0.0, blend=False, steps=10, level=0.3, steering=steering)
        asked = energy(painter, sampling)
        return float(beside(edited(painter.network, asked), asked.source, asked.region).mean())

    assert off(3000.0) < 0.8 * off(0.0)


def test_a_canvas_is_painted_alike_whatever_else_is_asked(painter: PixelPainter) -> None:
    asked = [canvas(number=number) for number in range(3)]
    together = painter(asked, WORDS, BRIEF, 7)
    alone = replace(painter, batch=1)(asked, WORDS, BRIEF, 7)
    assert np.array_equal(together[2], alone[2])
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 2  # sums of other lengths round otherwise
    assert not np.array_equal(together[0], together[1])
    assert np.array_equal(together[0], painter(asked, WORDS, BRIEF, 7)[0])


def test_what_decides_the_picture(painter: PixelPainter) -> None:
    (made,) = painter([canvas()], WORDS, BRIEF, 7)
    for words, sampling, key in (
        (WORDS, BRIEF, 8),
        (Wording("a white wall"), BRIEF, 7),
        (WORDS, replace(BRIEF, steering=Steering(views=4)), 7),
        (WORDS, replace(BRIEF, steering=replace(STEERING, through=False)), 7),
        (WORDS, replace(BRIEF, start=Start.NOISE), 7),
        (WORDS, replace(BRIEF, blur=0.1), 7),
    ):
        assert not np.array_equal(made, painter([canvas()], words, sampling, key)[0])
    assert np.array_equal(made, painter([canvas()], replace(WORDS, negative="a wall"), BRIEF, 7)[0])


def test_the_starting_level_is_that_of_the_source(painter: PixelPainter) -> None:
    """Few levels up, little is changed; never does it start from noise alone."""

    def change(level: float) -> float:
        whole = replace(canvas(), keep=np.zeros((32, 32), np.float32))
        made = painter([whole], WORDS, replace(BRIEF, level=level, guidance=0.0), 7)[0]
        return float(np.abs(made.astype(int) - whole.picture).mean())

    assert change(0.002) < 3 < change(0.9)


def test_what_it_cannot_do_is_said(painter: PixelPainter, pack: Pack) -> None:
    with pytest.raises(RequestError, match="start=policy is of latent networks"):
        painter([canvas()], WORDS, replace(BRIEF, start=Start.POLICY), 7)
    with pytest.raises(RequestError, match="views=0"):
        painter([canvas()], WORDS, replace(BRIEF, steering=Steering(views=0)), 7)
    for lacking in (replace(pack, clip=None), replace(pack, pixels=None)):
        with pytest.raises(RequestError, match="needs pixels and clip"):
            open_pixel_painter(lacking, CPU)


def test_a_pack_is_opened_once(pack: Pack, painter: PixelPainter) -> None:
    pack.check()
    assert isinstance(painter, Painter)
    assert open_pixel_painter(pack, CPU) is painter


def test_original_checkpoints_are_opened_with_their_architecture(
    pack: Pack, painter: PixelPainter, tmp_path: Path
) -> None:
    torch.save(painter.network.network.state_dict(), tmp_path / "uncond.pt")
    original = Component("guided_diffusion", str(tmp_path), file="uncond.pt", architecture="tiny_32")
    opened = open_pixel_painter(replace(pack, pixels=original), CPU)
    assert np.array_equal(opened([canvas()], WORDS, BRIEF, 7)[0], painter([canvas()], WORDS, BRIEF, 7)[0])
    wrong = replace(original, architecture="huge")
    with pytest.raises(RequestError, match=r"architecture=huge; .* read as: uncond_256, small_64, tiny_32"):
        replace(pack, pixels=wrong).check()


def test_values_that_are_no_numbers_are_turned_down_after_float32(pack: Pack, painter: PixelPainter) -> None:
    place = Path(str(pack.pixels and pack.pixels.source))
    broken = open_pixels(place, None, painter.clip, replace(CPU, precision="bfloat16"))
    with torch.no_grad():
        broken.network.network.out[2].bias.fill_(float("nan"))
    with pytest.raises(PaintError, match="in float32 too"):
        broken([canvas()], WORDS, BRIEF, 7)


def test_halves_that_overflow_are_done_again_in_float32(pack: Pack, painter: PixelPainter) -> None:
    place = Path(str(pack.pixels and pack.pixels.source))
    halves = open_pixels(place, None, painter.clip, replace(CPU, precision="float16"))
    with torch.no_grad():
        first = halves.network.network.input_blocks[0][0].weight
        first.copy_(first.float() * 6e4 / first.float().abs().max())
    plain = replace(BRIEF, guidance=0.0, steering=Steering(views=1, through=False))
    (made,) = halves([canvas()], WORDS, plain, 7)
    assert np.array_equal(made, replace(halves, network=halves.network.in_float32())([canvas()], WORDS, plain, 7)[0])


def test_too_little_memory_halves_the_batch(painter: PixelPainter, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [canvas(number=number) for number in range(2)]
    expected = painter(asked, WORDS, BRIEF, 7)
    run = hub.PixelDiffusion.__call__

    def scarce(self: PixelDiffusion, x: torch.Tensor, t: int) -> Reverse:
        if len(x) > 1:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return run(self, x, t)

    monkeypatch.setattr(hub.PixelDiffusion, "__call__", scarce)
    for one, other in zip(painter(asked, WORDS, BRIEF, 7), expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 2
