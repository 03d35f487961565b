"""One network, two implementations: what the authors' package answers, transformers answers with converted weights."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from augment.errors import RequestError
from augment.models.grounding_dino.architectures import UNUSED
from augment.models.grounding_dino.convert import to_original, to_transformers
from augment.models.grounding_dino.detector import Preprocessing
from augment.models.grounding_dino.hub import open_hub
from augment.models.grounding_dino.original import open_original
from augment.models.grounding_dino.phrases import prompts
from augment.models.runtime import Runtime
from tests.augment.models.grounding_dino.conftest import Files
from tests.augment.models.grounding_dino.networks import CONFIGURATION

CPU = Runtime(device="cpu")
SIZES = [(60, 80), (90, 40), (33, 33)]


@pytest.mark.parametrize("phrases", [["cube"], ["Robot arm", "red cubes", "the gripper of a blue robot"]])
def test_boxes_and_logits_are_those_of_the_original(files: Files, phrases: list[str]) -> None:
    original = open_original(files.checkpoint, CONFIGURATION, files.texts, CPU)
    hub = open_hub(files.hub, CPU)
    draw = np.random.default_rng(0)
    pictures = [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
    values, mask = Preprocessing(96, 160)(pictures, torch.device("cpu"))
    assert not mask.all()  # pictures of different sizes, padded
    (prompt,) = prompts(phrases, hub.vocabulary)
    with torch.inference_mode():
        logits, boxes = original.network(values, mask, prompt)
        same_logits, same_boxes = hub.network(values, mask, prompt)
    # Nearer than 0.001 to the borders the two clamp coordinates differently; here none is.
    assert boxes.min() > 0.001
    assert boxes.max() < 0.999
    torch.testing.assert_close(boxes, same_boxes, rtol=0, atol=1e-5)
    asked = torch.arange(logits.shape[-1]) < len(prompt.tokens)
    torch.testing.assert_close(logits[..., asked], same_logits[..., asked], rtol=1e-5, atol=1e-3)
    assert torch.isneginf(logits[..., ~asked]).all()
    assert torch.isneginf(same_logits[..., ~asked]).all()
    assert logits[..., asked].std() > 1  # or else there was nothing to get wrong


def test_conversion_there_and_back_changes_no_bit(files: Files) -> None:
    own = files.network.state_dict()
    back = to_original(to_transformers(own))
    assert set(back) <= set(own)
    assert all(torch.equal(back[name], own[name]) for name in back)
    lost = set(own) - set(back)
    assert lost == {name for name in own if name.startswith("bert.pooler.") or name.endswith("relative_position_index")}


def test_conversion_back_and_there_changes_no_bit(files: Files) -> None:
    own = load_file(files.hub / "model.safetensors")
    shared = {name: value for name, value in own.items() if not name.startswith("bbox_embed.1.")}  # as the Hub has it
    again = to_transformers(to_original(shared))
    assert set(again) == set(own)
    assert all(torch.equal(again[name], own[name]) for name in own)


@pytest.mark.parametrize("convert", [to_transformers, to_original])
def test_tensors_of_another_network_are_refused(files: Files, convert: object) -> None:
    assert callable(convert)
    with pytest.raises(RequestError, match=r"1 tensors are none of a Grounding DINO's: image_encoder\.weight"):
        convert({"image_encoder.weight": torch.zeros(1)})
    assert convert({UNUSED[0]: torch.zeros(1)} if convert is to_transformers else {}) == {}
