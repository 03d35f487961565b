"""The real classes together: small networks with random weights, and those that ship with Restage."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import GroundingDinoForObjectDetection, SamHQModel

from augment.models.packs import Component, Pack
from augment.models.runtime import Runtime
from augment.models.small import small_detector, small_segmenter, write_tokenizer
from augment.scene import Survey
from augment.segment.grounded import Grounded
from augment.types import Background, MaskTrack, Role
from robot_io import open_dataset
from robot_io.memory import ArrayFrames
from robot_io.tabletop.samples import samples_path
from robot_io.types import Episode
from tests.augment.models import tiny

CAMERA = "agentview_image"


@pytest.fixture(scope="module")
def episode() -> Episode:
    dataset = open_dataset(samples_path())
    return dataset.open(dataset.entries[0].id)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    words = ["robot", "arm", "red", "purple", "cube", "coaster"]
    torch.manual_seed(3)
    write_tokenizer(words, folder / "detector")
    GroundingDinoForObjectDetection(small_detector(queries=8)).save_pretrained(folder / "detector")
    SamHQModel(small_segmenter(64, layers=2)).save_pretrained(folder / "segmenter")
    return Pack(
        "untrained",
        None,
        Component("grounding_dino", str(folder / "detector")),
        Component("hq_sam", str(folder / "segmenter")),
        Component("sam2", str(tiny.sam2(folder / "tracker"))),
    )


def first_frames(episode: Episode, count: int) -> Episode:
    frames = episode.cameras[CAMERA].read(0, count)
    signals = {name: values[:count] for name, values in episode.signals.items()}
    return replace(episode, length=count, cameras={CAMERA: ArrayFrames(CAMERA, frames.frames, 10.0)}, signals=signals)


@pytest.mark.parametrize("follow", ["every frame", "memory", "difference"])
def test_every_way_to_follow_gives_a_mask_a_frame_and_the_same_ones_again(
    episode: Episode, untrained: Pack, follow: str
) -> None:
    short = first_frames(episode, 5)
    segment = Grounded(
        pack=untrained, runtime=Runtime("cpu"), follow=follow, robot_score=0.0, thing_score=0.0, goal_score=0.0, every=3
    )
    segment.check()
    background = Background.still(short.cameras[CAMERA].read(0, 1).frames[0], 5)
    found = [segment.find(short, CAMERA, background) for _ in range(2)]
    assert {track.role for track in found[0]} == {Role.ROBOT, Role.OBJECT, Role.GOAL}
    for one, other in zip(*found, strict=True):
        masks = one.read(0, 5)
        assert masks.shape == (5, 128, 128)
        np.testing.assert_array_equal(masks, other.read(0, 5))


def test_the_pack_that_ships_finds_the_robot_and_what_it_moves(episode: Episode) -> None:
    detector = Component("grounding_dino", "package:tabletop/detector")
    segmenter = Component("hq_sam", "package:tabletop/segmenter")
    segment = Grounded(pack=Pack("tabletop", None, detector, segmenter), runtime=Runtime("cpu"))
    background, _ = Survey()(episode.cameras[CAMERA])
    found = {track.role: track for track in segment.find(episode, CAMERA, background)}
    truth = {track.role: track for track in episode.masks[CAMERA]}
    for role, least in ((Role.ROBOT, 0.9), (Role.OBJECT, 0.7), (Role.GOAL, 0.7)):
        assert overlap(found[role], truth[role]) > least, role


def overlap(found: MaskTrack, truth: MaskTrack) -> float:
    one, other = found.read(0, len(found)), truth.read(0, len(truth))
    return float((one & other).sum() / (one | other).sum())
