"""Models with weights at random are those whose names they bear."""

from pathlib import Path

import numpy as np
import pytest
import torch

from augment.models.doors import open_painter
from augment.models.painting import untrained
from augment.models.painting.base import Canvas, Sampling, Wording
from augment.models.painting.settling import painter_of
from augment.models.runtime import Runtime

CPU = Runtime("cpu", batch=2)
WORDS = Wording("a wooden table")


@pytest.mark.parametrize(
    ("make", "published"),
    [
        (untrained.published_unet, 859_520_964),
        (untrained.large_unet, 2_567_463_684),
        (untrained.published_autoencoder, 83_653_863),
        (untrained.published_text_encoder, 123_060_480),
        (untrained.large_text_encoder, 694_659_840),
    ],
)
def test_they_are_as_large_as_published(make: object, published: int) -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in make().parameters()) == published


@pytest.mark.parametrize(("name", "side", "width"), [("sd15", 512, 768), ("sdxl", 1024, 2048)])
def test_their_networks_fit_together(name: str, side: int, width: int, tmp_path: Path) -> None:
    base = untrained.untrained(name, tmp_path, [WORDS.prompt], Runtime("meta"))  # shapes without numbers
    assert base.native == side
    with torch.inference_mode():
        words = base.words([WORDS.prompt])
        assert words.hidden.shape == (1, 77, width)
        latents = base.encode(torch.zeros(1, 3, side, side, device="meta"))
        assert latents.shape == (1, 4, side // 8, side // 8)
        assert base.run(latents, 5, words).shape == latents.shape
        assert base.decode(latents).shape == (1, 3, side, side)


def test_what_is_written_is_what_is_made_and_chance_is_left_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    made = painter_of(untrained.untrained("small", tmp_path / "made", [WORDS.prompt], CPU), None, None, CPU)
    written = open_painter(untrained.write_untrained(tmp_path / "written", [WORDS.prompt]), CPU)
    assert torch.equal(before, torch.get_rng_state())
    canvas = Canvas(np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), np.float32))
    pictures = [painter([canvas], WORDS, Sampling(steps=2), 7)[0] for painter in (made, written)]
    assert np.array_equal(*pictures)
    assert pictures[0].std() > 1
    assert untrained.megabytes(made.base) == pytest.approx(
        2
        * untrained.megabytes(
            untrained.untrained("small", tmp_path / "half", [WORDS.prompt], Runtime("cpu", "bfloat16"))
        )
    )
