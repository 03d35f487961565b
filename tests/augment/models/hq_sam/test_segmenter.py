"""What HqSam promises, whichever implementation runs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from augment.models.hq_sam import hub, original
from augment.models.hq_sam.segmenter import HqSam
from augment.models.runtime import Runtime
from tests.augment.models.hq_sam.networks import CPU, boxes_in, pictures, small, small_tiny_vit, twin


@pytest.fixture(params=["original", "hub"])
def network(request: pytest.FixtureRequest) -> HqSam:
    sam = small()
    return original.prompted(sam, CPU) if request.param == "original" else hub.prompted(twin(sam), CPU)


class Counted:
    """A callable, and how often it was called."""

    def __init__(self, call: Any) -> None:
        self.call, self.times = call, 0

    def __call__(self, *args: Any) -> Any:
        self.times += 1
        return self.call(*args)


def test_a_picture_is_embedded_once_and_its_boxes_asked_for_together(network: HqSam) -> None:
    encode, decode = Counted(network.encode), Counted(network.decode)
    counted = replace(network, encode=encode, decode=decode)
    several = pictures((96, 128), (64, 40), (128, 128))
    embedded = counted.embed(several)
    assert encode.times == 2  # three pictures, two at a time
    masks = [counted(known, boxes_in(picture)).masks for known, picture in zip(embedded, several, strict=True)]
    assert (encode.times, decode.times) == (2, 3)
    again = [counted(known, boxes_in(picture)).masks for known, picture in zip(embedded, several, strict=True)]
    assert all(np.array_equal(one, other) for one, other in zip(masks, again, strict=True))


def test_neither_the_batch_nor_other_boxes_change_a_mask(network: HqSam) -> None:
    several = pictures((96, 128), (64, 40), (128, 128))
    for picture, known in zip(several, network.embed(several), strict=True):
        alone = network.embed([picture])[0]
        torch.testing.assert_close(known.embeddings, alone.embeddings, atol=1e-5, rtol=1e-5)
        boxes = boxes_in(picture)
        together = network.logits(known, boxes)
        one_by_one = torch.cat([network.logits(alone, boxes[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(together, one_by_one, atol=1e-4 * float(together.std()), rtol=1e-4)


@pytest.mark.parametrize("made", ["original", "original, TinyViT", "hub"])
def test_neighbours_do_not_change_a_single_bit(made: str) -> None:
    """As long as the batch is of one size."""
    sam, runtime = small_tiny_vit() if "TinyViT" in made else small(), replace(CPU, batch=3)
    network = hub.prompted(twin(sam), runtime) if made == "hub" else original.prompted(sam, runtime)
    mine, *others = pictures((96, 128), (64, 40), (128, 128))
    alone = network.embed([mine] * 3)[0]
    for place in range(3):
        found = network.embed([*others[:place], mine, *others[place:]])[place]
        assert torch.equal(found.embeddings, alone.embeddings)
        assert torch.equal(found.early, alone.early)


def test_masks_are_cut_at_zero_and_rated_by_how_little_the_cut_matters(network: HqSam) -> None:
    picture = pictures((96, 128))[0]
    known, boxes = network.embed([picture])[0], boxes_in(picture)
    found, logits = network(known, boxes), network.logits(known, boxes).numpy()
    assert found.masks.shape == (3, 96, 128)
    assert np.array_equal(found.masks, logits > 0)
    assert 0.05 < found.masks.mean() < 0.95
    for rate, own in zip(found.stability, logits, strict=True):
        assert rate == pytest.approx(((own > 1) & (own > -1)).sum() / ((own > 1) | (own > -1)).sum(), abs=1e-6)
        assert 0 < rate < 1


def test_nothing_asked_is_nothing_found(network: HqSam) -> None:
    assert network.embed([]) == []
    known = network.embed(pictures((64, 40)))[0]
    found = network(known, np.zeros((0, 4), np.float32))
    assert found.masks.shape == (0, 64, 40)
    assert found.stability.shape == (0,)


def test_boxes_are_clipped_and_those_without_area_get_empty_masks(network: HqSam) -> None:
    known = network.embed(pictures((64, 40)))[0]
    inside = np.array([[0, 10, 40, 64], [5, 5, 20, 30]], np.float32)
    beyond = np.array([[-50, 10, 400, np.inf], [5, 5, 20, 30]], np.float32)
    points = np.array([[[0, 0], [40, 64]], [[7, 7], [8, 8]]], np.float32)
    outside = points * np.array([[[1, 1], [9, 9]], [[1, 1], [1, 1]]], np.float32) - np.float32(1) * (points == 0)
    one, other = network(known, inside, points), network(known, beyond, outside)
    assert np.array_equal(one.masks, other.masks)
    nothing = np.array([[10, 10, 10, 20], [30, 20, 10, 40], [50, 0, 90, 20], [np.nan, 0, 9, 9]], np.float32)
    mixed = network(known, np.concatenate([nothing, inside]), np.concatenate([points, points, points]))
    assert not mixed.masks[:4].any()
    assert not mixed.stability[:4].any()
    assert (mixed.masks[4:] == one.masks).mean() > 0.999
    assert not network(known, nothing).masks.any()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("door", ["original", "hub"])
def test_half_precision_gives_nearly_the_same_masks(precision: str, door: str) -> None:
    picture = pictures((96, 128))[0]
    found = []
    for runtime in (CPU, Runtime(device="cpu", precision=precision)):
        sam = small()
        network = original.prompted(sam, runtime) if door == "original" else hub.prompted(twin(sam), runtime)
        known = network.embed([picture])[0]
        assert known.embeddings.dtype == known.early.dtype == runtime.place()[1]
        found.append(network(known, boxes_in(picture), np.full((3, 1, 2), 40, np.float32)))
    full, half = found
    assert (full.masks == half.masks).mean() > 0.99
    np.testing.assert_allclose(full.stability, half.stability, atol=0.02)


def test_a_picture_that_is_kept_keeps_no_batch(network: HqSam) -> None:
    known = network.embed(pictures((96, 128), (64, 40)))[0]
    for tensor in (known.embeddings, known.early):
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
