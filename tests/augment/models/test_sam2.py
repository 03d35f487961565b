"""Following masks through clips: what holds whatever the weights."""

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Sam2VideoInferenceSession, Sam2VideoVideoProcessor

from augment.errors import RequestError
from augment.models import sam2
from augment.models.base import Tracked, VideoTracker
from augment.models.runtime import Runtime
from augment.models.sam2 import Sam2Tracker
from augment.models.tensors import normalised
from tests.augment.models import tiny

LENGTH, SIZE = 20, (40, 56)
CLIP = np.random.default_rng(0).integers(0, 256, (LENGTH, *SIZE, 3), dtype=np.uint8)


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


CUP, ARM = box(5, 8, 20, 24), box(22, 30, 38, 50)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.sam2(tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="module")
def tracker(folder: Path) -> Sam2Tracker:
    return replace(sam2.open_hub(folder, Runtime(device="cpu")), window=4)


def follow(
    tracker: Sam2Tracker,
    prompts: dict[int, dict[int, np.ndarray]],
    clip: np.ndarray = CLIP,
    reverse: bool = False,
) -> list[Tracked]:
    return list(tracker.propagate(lambda start, stop: clip[start:stop], len(clip), prompts, reverse))


def same(one: Tracked, other: Tracked, track: int = 1) -> bool:
    return np.array_equal(one.masks[track], other.masks[track]) and one.scores[track] == other.scores[track]


def test_every_frame_comes_once_and_in_order(tracker: Sam2Tracker) -> None:
    assert isinstance(tracker, VideoTracker)
    prompts = {3: {1: CUP}, 15: {1: ARM}}
    assert [found.frame for found in follow(tracker, prompts)] == list(range(3, LENGTH))
    assert [found.frame for found in follow(tracker, prompts, reverse=True)] == list(range(15, -1, -1))


def test_tracks_keep_their_numbers_from_their_first_prompt_on(tracker: Sam2Tracker) -> None:
    found = follow(tracker, {2: {7: CUP}, 6: {3: ARM}})
    assert [sorted(each.masks) for each in found] == [[7]] * 4 + [[3, 7]] * (LENGTH - 6)
    for each in found:
        assert set(each.scores) == set(each.masks)
        assert all(mask.shape == SIZE and mask.dtype == np.bool_ for mask in each.masks.values())
        assert all(0 <= score <= 1 for score in each.scores.values())
    assert any(0 < each.masks[7].mean() < 1 for each in found[1:])


def test_a_prompt_is_returned_as_it_was_given(tracker: Sam2Tracker) -> None:
    thin = box(10, 0, 11, 56)  # lost at the network's size
    found = follow(tracker, {0: {1: CUP}, 9: {1: thin}})
    assert np.array_equal(found[0].masks[1], CUP)
    assert np.array_equal(found[9].masks[1], thin)
    assert found[0].scores[1] == found[9].scores[1] == 1


def test_tracks_do_not_influence_each_other(tracker: Sam2Tracker) -> None:
    for reverse in (False, True):
        together = follow(tracker, {0: {1: CUP}, 8: {2: ARM}, 12: {2: CUP}, 19: {1: CUP}}, reverse=reverse)
        alone = follow(tracker, {0: {1: CUP}, 19: {1: CUP}}, reverse=reverse)
        assert all(same(one, other) for one, other in zip(together, alone, strict=True))


def test_it_matters_what_is_prompted(tracker: Sam2Tracker) -> None:
    found = follow(tracker, {0: {1: CUP, 2: ARM}})
    assert any(not np.array_equal(each.masks[1], each.masks[2]) for each in found[1:])


def test_the_same_clip_gives_the_same_bytes_however_it_is_read(tracker: Sam2Tracker) -> None:
    reads: list[tuple[int, int]] = []

    def read(start: int, stop: int) -> np.ndarray:
        reads.append((start, stop))
        return CLIP[start:stop]

    for reverse in (False, True):
        prompts = {4: {1: CUP}, 17: {1: ARM}}
        expected = follow(Sam2Tracker(tracker.network, 100), prompts, reverse=reverse)
        found = list(tracker.propagate(read, LENGTH, prompts, reverse))
        assert all(same(one, other) for one, other in zip(found, expected, strict=True))
    asked = [index for start, stop in reads for index in range(start, stop)]
    assert sorted(asked) == sorted([*range(4, LENGTH), *range(18)])
    assert max(stop - start for start, stop in reads) == 4


def test_backwards_is_forwards_through_the_reversed_clip(tracker: Sam2Tracker) -> None:
    back = follow(tracker, {2: {1: ARM}, 15: {1: CUP}}, reverse=True)
    forth = follow(tracker, {LENGTH - 1 - 15: {1: CUP}, LENGTH - 1 - 2: {1: ARM}}, CLIP[::-1].copy())
    assert all(same(one, other) for one, other in zip(back, forth, strict=False))


def test_what_comes_later_in_the_clip_does_not_matter(tracker: Sam2Tracker) -> None:
    whole, cut = follow(tracker, {0: {1: CUP}}), follow(tracker, {0: {1: CUP}}, CLIP[:9])
    assert all(same(one, other) for one, other in zip(whole, cut, strict=False))


def test_a_further_prompt_corrects_what_follows_it(tracker: Sam2Tracker) -> None:
    plain, corrected = follow(tracker, {0: {1: CUP}}), follow(tracker, {0: {1: CUP}, 10: {1: ARM}})
    assert all(same(one, other) for one, other in zip(plain[:10], corrected[:10], strict=True))
    assert any(not same(one, other) for one, other in zip(plain[11:], corrected[11:], strict=True))


def test_a_prompt_forgets_what_was_followed_since_the_last_one(tracker: Sam2Tracker) -> None:
    prompts, other = {0: {1: CUP}, 10: {1: ARM}}, CLIP.copy()
    other[1:10] = CLIP[9:0:-1]
    whole, changed = follow(tracker, prompts), follow(tracker, prompts, other)
    assert any(not same(*pair) for pair in zip(whole[1:10], changed[1:10], strict=True))
    assert all(same(*pair) for pair in zip(whole[10:], changed[10:], strict=True))


def test_the_latest_four_prompts_are_remembered(tracker: Sam2Tracker) -> None:
    for further, forgotten in (([2, 4, 6], False), ([2, 4, 6, 8], True)):
        later = {index: {1: CUP} for index in further}
        one, other = follow(tracker, {0: {1: CUP}, **later}), follow(tracker, {0: {1: ARM}, **later})
        after = slice(further[-1] + 1, None)
        assert all(same(*pair) for pair in zip(one[after], other[after], strict=True)) == forgotten


def test_prompts_may_be_added_while_it_runs(tracker: Sam2Tracker) -> None:
    prompts = {0: {1: CUP}}
    found = []
    for each in tracker.propagate(lambda start, stop: CLIP[start:stop], LENGTH, prompts):
        found.append(each)
        if each.frame == 9:
            prompts[10] = {1: ARM}
    expected = follow(tracker, {0: {1: CUP}, 10: {1: ARM}})
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("reverse", [False, True])
def test_masks_are_those_of_the_library_on_a_whole_clip(tracker: Sam2Tracker, reverse: bool) -> None:
    """Streaming and forgetting lose nothing: the library holds all frames and remembers everything."""
    network, prompted = tracker.network, LENGTH - 1 if reverse else 0
    weight = next(network.parameters())
    clip = torch.cat([normalised(frame, 64, 64, weight) for frame in CLIP])
    session = Sam2VideoInferenceSession(clip, dtype=weight.dtype)
    large = torch.nn.functional.interpolate(
        torch.from_numpy(CUP)[None, None].float(), (64, 64), mode="bilinear", antialias=True
    )
    session.add_mask_inputs(session.obj_id_to_idx(1), prompted, (large >= 0.5).float())
    session.obj_with_new_inputs = [1]
    network(session, frame_idx=prompted)
    theirs = {seen.frame_idx: seen for seen in network.propagate_in_video_iterator(session, prompted, reverse=reverse)}
    for each in follow(tracker, {prompted: {1: CUP}}, reverse=reverse)[1:]:
        logits = torch.nn.functional.interpolate(theirs[each.frame].pred_masks, SIZE, mode="bilinear")[0, 0]
        assert np.array_equal(each.masks[1], logits.numpy() > 0)


def test_frames_are_prepared_as_by_the_library() -> None:
    theirs = Sam2VideoVideoProcessor(size={"height": 64, "width": 64})(videos=[CLIP], return_tensors="pt")
    ours = normalised(CLIP[3], 64, 64, torch.zeros(1))
    grey_level = 1 / 255 / 0.224
    assert torch.allclose(ours, theirs["pixel_values_videos"][0, 3:4], atol=grey_level)


def test_memory_does_not_grow_with_the_clip(tracker: Sam2Tracker) -> None:
    prompts = {index: {1: CUP, 2: ARM} for index in range(0, 100, 3)}
    held = []
    for each in tracker.propagate(lambda start, stop: CLIP[[i % LENGTH for i in range(start, stop)]], 100, prompts):
        if each.frame in (40, 70, 97):  # each the first frame after a prompt
            gc.collect()
            held.append(sum(thing.nbytes for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)))
    assert held[0] == held[1] == held[2]


def test_a_clip_of_one_frame(tracker: Sam2Tracker) -> None:
    for reverse in (False, True):
        (found,) = follow(tracker, {0: {1: CUP}}, CLIP[:1], reverse)
        assert found.frame == 0
        assert np.array_equal(found.masks[1], CUP)


@pytest.mark.parametrize("size", [(3, 5), (700, 900)])
def test_tiny_and_large_pictures(tracker: Sam2Tracker, size: tuple[int, int]) -> None:
    clip = np.random.default_rng(1).integers(0, 256, (4, *size, 3), dtype=np.uint8)
    clip.setflags(write=False)
    one, other = np.zeros((2, *size), dtype=np.bool_)
    one[0, 0] = other[-1, -1] = True  # at 700 rows far less than a pixel of the network
    found = follow(tracker, {0: {1: one, 2: other}}, clip)[1:]
    assert all(each.masks[1].shape == size for each in found)
    assert any(each.scores[1] != each.scores[2] for each in found)


def test_half_precision(folder: Path, tracker: Sam2Tracker) -> None:
    half = sam2.open_hub(folder, Runtime(device="cpu", precision="bfloat16"))
    assert half.network.dtype == torch.bfloat16
    pairs = zip(follow(half, {0: {1: CUP}})[1:], follow(tracker, {0: {1: CUP}})[1:], strict=True)
    assert np.mean([(one.masks[1] == other.masks[1]).mean() for one, other in pairs]) > 0.95


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ({}, "no mask to follow"),
        ({0: {}}, "no mask to follow"),
        ({LENGTH: {1: CUP}}, "frames 0..19"),
        ({-1: {1: CUP}}, "frames 0..19"),
    ],
)
def test_prompts_that_cannot_be_followed_are_refused_at_once(
    tracker: Sam2Tracker, prompts: dict[int, dict[int, np.ndarray]], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        tracker.propagate(lambda start, stop: CLIP[start:stop], LENGTH, prompts)


@pytest.mark.parametrize(
    ("mask", "said"), [(np.zeros(SIZE, dtype=np.bool_), "has no pixel"), (CUP[:-1], "must be of one size")]
)
def test_masks_that_cannot_be_followed_are_refused(tracker: Sam2Tracker, mask: np.ndarray, said: str) -> None:
    with pytest.raises(RequestError, match=f"track 2 in frame 1 .*{said}"):
        follow(tracker, {0: {1: CUP}, 1: {2: mask}})
