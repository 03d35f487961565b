"""Pictures and phrases in, boxes and scores out, through both doors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from augment.models.base import Detector
from augment.models.grounding_dino.detector import GroundingDino, Preprocessing
from augment.models.grounding_dino.hub import open_hub
from augment.models.grounding_dino.original import detector_of, open_original
from augment.models.grounding_dino.phrases import Prompt, prompts
from augment.models.runtime import Runtime
from tests.augment.models.grounding_dino import networks
from tests.augment.models.grounding_dino.conftest import Files

CPU = Runtime(device="cpu", batch=8)
SMALL = Preprocessing(96, 160)


@pytest.fixture(scope="module", params=["original", "hub"])
def detector(request: pytest.FixtureRequest, files: Files) -> GroundingDino:
    if request.param == "hub":
        return replace(open_hub(files.hub, CPU), preprocessing=SMALL)
    door = open_original(files.checkpoint, networks.CONFIGURATION, files.texts, CPU)
    return replace(door, preprocessing=SMALL)


def picture(height: int, width: int) -> Any:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_every_query_has_a_box_within_its_picture(detector: GroundingDino) -> None:
    assert isinstance(detector, Detector)
    sizes = [(48, 64), (90, 40), (1, 300), (7, 5)]
    found = detector([picture(*size) for size in sizes], ["robot arm", "red cubes", "table"])
    for (height, width), one in zip(sizes, found, strict=True):
        assert one.boxes.shape == (30, 4)
        assert one.scores.shape == (30, 3)
        assert one.boxes.dtype == one.scores.dtype == np.float32
        assert (one.boxes >= 0).all()
        assert (one.boxes <= [width, height, width, height]).all()
        assert (one.boxes[:, :2] <= one.boxes[:, 2:]).all()
        assert (one.scores >= 0).all()
        assert (one.scores <= 1).all()
        assert one.scores.std() > 0.01


def test_batches_do_not_change_what_is_found(detector: GroundingDino) -> None:
    pictures = [picture(48, 64), picture(48, 64)[::-1].copy(), picture(48, 64)[:, ::-1].copy()]
    together = detector(pictures, ["cube"])
    apart = replace(detector, runtime=Runtime(device="cpu", batch=1))(pictures, ["cube"])
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-3)
    assert detector([], ["cube"]) == []


def test_neighbours_do_not_change_a_single_bit(detector: GroundingDino) -> None:
    """As long as the batch is of one size."""
    rng = np.random.default_rng(0)
    mine, *others = [rng.integers(0, level, (48, 64, 3), dtype=np.uint8) for level in (256, 40, 256, 120)]
    alone = detector([mine] * 4, ["red cube", "table"])[0]
    for place in range(4):
        found = detector([*others[:place], mine, *others[place:]], ["red cube", "table"])[place]
        np.testing.assert_array_equal(found.boxes, alone.boxes)
        np.testing.assert_array_equal(found.scores, alone.scores)


def test_more_phrases_than_fit_one_call_have_boxes_each(detector: GroundingDino) -> None:
    phrases = [f"{colour} {thing}" for colour in ("red", "blue", "a", "the", "b") for thing in ("cube", "table")]
    (found,) = detector([picture(48, 64)], phrases)
    (first,), (second,) = detector([picture(48, 64)], phrases[:8]), detector([picture(48, 64)], phrases[8:])
    assert found.scores.shape == (60, 10)
    np.testing.assert_array_equal(found.boxes, np.concatenate([first.boxes, second.boxes]))
    np.testing.assert_array_equal(found.scores[:30, :8], first.scores)
    np.testing.assert_array_equal(found.scores[30:, 8:], second.scores)
    assert not found.scores[:30, 8:].any()
    assert not found.scores[30:, :8].any()


def test_captions_are_the_tokens_that_they_are_said_to_be(files: Files, detector: GroundingDino) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(files.texts))
    (prompt,) = prompts(["Robot arm", "red-cubes", "gripper of the  robots"], replace(detector.vocabulary, unknown=-1))
    assert tuple(tokenizer(prompt.caption)["input_ids"]) == prompt.tokens


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_leaves_coordinates_exact(files: Files, precision: str) -> None:
    net = networks.network(files.texts)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "bbox_embed" in name:
                parameter.zero_()  # boxes stay where the network first looks: at the centres of cells
    half = detector_of(net, Runtime(device="cpu", precision=precision))
    (found,) = replace(half, preprocessing=Preprocessing(128, 192))([picture(128, 192)], ["robot arm"])
    inside = ((found.boxes > 0) & (found.boxes < [192, 128, 192, 128])).all(axis=1)
    centres = (found.boxes[inside, :2] + found.boxes[inside, 2:]) / 2
    assert inside.sum() > 10
    np.testing.assert_allclose(centres, np.round(centres / 4) * 4, atol=1e-3)


def test_pictures_are_scaled_as_by_the_original() -> None:
    assert Preprocessing().size(480, 640) == (800, 1066)
    assert Preprocessing().size(640, 480) == (1066, 800)
    assert Preprocessing().size(720, 1280) == (750, 1333)
    assert Preprocessing().size(800, 1000) == (800, 1000)
    assert Preprocessing().size(1, 5000) == (66, 1333)


def test_pixels_are_normalised_and_padding_is_zero() -> None:
    pictures = [np.full((10, 20, 3), 255, dtype=np.uint8), np.zeros((20, 10, 3), dtype=np.uint8)]
    values, mask = Preprocessing(10, 20)(pictures, torch.device("cpu"))
    assert values.shape == (2, 3, 20, 20)
    assert mask.sum(dim=(1, 2)).tolist() == [200, 200]
    white, black = torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]), torch.tensor([-0.485 / 0.229])
    torch.testing.assert_close(values[0, :, 9, 19], white)
    torch.testing.assert_close(values[1, :1, 19, 9], black)
    assert not values[0, :, 10:].any()
    assert not values[1, :, :, 10:].any()


def test_an_answer_that_is_not_finite_is_an_error(detector: GroundingDino) -> None:
    def overflown(values: torch.Tensor, mask: torch.Tensor, prompt: Prompt) -> tuple[torch.Tensor, torch.Tensor]:
        logits, boxes = detector.network(values, mask, prompt)
        return logits, boxes * torch.inf

    with pytest.raises(FloatingPointError, match=r"models\.precision=float32"):
        replace(detector, network=overflown)([picture(48, 64)], ["cube"])
