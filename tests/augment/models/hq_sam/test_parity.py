"""One network, two implementations, one truth."""

import numpy as np
import pytest
import torch

from augment.models.base import PromptedSegmenter
from augment.models.hq_sam import hub, original
from augment.models.hq_sam.convert import TIED, config_of, to_hub, to_original
from tests.augment.models.hq_sam.networks import CPU, boxes_in, pictures, small, twin

SIZES = [(96, 128), (64, 40), (300, 200), (128, 128), (1, 90)]


@pytest.mark.parametrize(("size", "window", "whole"), [(128, 5, (1,)), (128, 4, (0, 2)), (88, 7, (2,))])
@pytest.mark.parametrize("hq_token_only", [False, True])
def test_both_implementations_give_the_same_masks(
    size: int, window: int, whole: tuple[int, ...], hq_token_only: bool
) -> None:
    sam = small(size, window, whole)
    ours, theirs = original.prompted(sam, CPU, hq_token_only), hub.prompted(twin(sam), CPU, hq_token_only)
    assert isinstance(ours, PromptedSegmenter)
    rng = np.random.default_rng(0)
    several = pictures(*SIZES)
    for picture, one, other in zip(several, ours.embed(several), theirs.embed(several), strict=True):
        torch.testing.assert_close(one.embeddings, other.embeddings, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one.early, other.early, atol=1e-5, rtol=1e-5)
        boxes = boxes_in(picture)
        points = (rng.random((3, 2, 2)) * picture.shape[1::-1]).astype(np.float32)
        for prompts in [(boxes,), (boxes, points), (boxes, points, rng.random((3, 2)) < 0.5)]:
            logits, others = ours.logits(one, *prompts), theirs.logits(other, *prompts)
            assert logits.shape == (3, *picture.shape[:2])
            torch.testing.assert_close(logits, others, atol=1e-4 * float(logits.std()), rtol=1e-4)
            masks, twins = ours(one, *prompts), theirs(other, *prompts)
            assert (masks.masks != twins.masks).mean() < 1e-3
            np.testing.assert_allclose(masks.stability, twins.stability, atol=1e-3)


def test_prompts_and_tokens_decide_masks() -> None:
    """Parity of masks that are all alike would prove nothing."""
    sam = small()
    picture = pictures((96, 128))[0]
    both, alone = original.prompted(sam, CPU), original.prompted(sam, CPU, hq_token_only=True)
    known, boxes = both.embed([picture])[0], boxes_in(picture)
    points = np.full((3, 1, 2), 40, np.float32)
    plain = both.logits(known, boxes)
    others = [
        alone.logits(known, boxes),
        both.logits(known, boxes[::-1].copy()),
        both.logits(known, boxes, points),
        both.logits(known, boxes, points, np.zeros((3, 1), bool)),
    ]
    assert plain.std() > 1
    assert all((other - plain).std() > 0.05 * plain.std() for other in others)
    assert not torch.allclose(others[2], others[3])


@pytest.mark.parametrize("picture", pictures(*SIZES[:4]), ids=lambda picture: str(picture.shape))
def test_masks_are_those_of_the_authors_predictor(picture: np.ndarray) -> None:
    sam = small()
    ours = original.prompted(sam, CPU)
    predictor = original.segment_anything_hq.SamPredictor(sam)
    predictor.set_image(picture)
    points = np.array([[3, 5], [20, 30]], np.float32)
    boxes = boxes_in(picture)
    logits = ours.logits(ours.embed([picture])[0], boxes, np.stack([points] * 3), np.array([[True, False]] * 3))
    for box, ours_of_it in zip(boxes, logits, strict=True):
        theirs, _, _ = predictor.predict(points, np.array([1, 0]), box, multimask_output=False, return_logits=True)
        torch.testing.assert_close(ours_of_it, torch.from_numpy(theirs[0]), atol=1e-3, rtol=1e-4)


def test_names_go_there_and_back() -> None:
    state = small(whole=(0, 2)).state_dict()
    back = to_original(to_hub(state))
    assert back.keys() == state.keys()
    assert all(back[name] is state[name] for name in state)
    model = twin(small(whole=(0, 2)))
    names = {name for name in model.state_dict() if not name.startswith(TIED)}
    assert to_hub(to_original(model.state_dict())).keys() == names


def test_the_configuration_is_read_off_the_weights() -> None:
    config = config_of(small(88, 7, (0, 2)).state_dict())
    vision = config.vision_config
    assert (vision.image_size, vision.window_size, list(vision.global_attn_indexes)) == (88, 7, [0, 2])
    assert (vision.num_attention_heads, vision.num_hidden_layers, vision.hidden_size) == (2, 3, 32)
    assert config.prompt_encoder_config.image_embedding_size == 11


def test_the_hub_network_can_be_trained() -> None:
    """All that decides a mask gets a gradient; the heads of SAM's other masks and its rating do not."""
    model = twin(small())
    known = model.vision_encoder(torch.rand(1, 3, 128, 128))
    boxes = torch.tensor([[10.0, 10, 60, 60], [0, 0, 128, 96]])
    points, labels = torch.full((2, 2, 2), 30.0), torch.tensor([[1.0, 0], [0, 1]])
    early = known.intermediate_embeddings[0]
    hub.mask_logits(model, known.last_hidden_state, early, boxes, points, labels).square().mean().backward()
    idle = {name for name, value in model.named_parameters() if value.grad is None}
    others = ("mask_decoder.output_hypernetworks_mlps.", "mask_decoder.iou_prediction_head.", "prompt_encoder.")
    assert all(name.startswith(others) for name in idle)
    assert not any(name.startswith("mask_decoder.output_hypernetworks_mlps.0") for name in idle)
    assert model.prompt_encoder.point_embed[0].weight.grad.abs().sum() > 0
