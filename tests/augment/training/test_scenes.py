"""Captioned pictures are the same wherever they come from, and what is wrong with them is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.errors import RequestError
from augment.training.crops import Crops
from augment.training.image_folder import open_image_folder
from augment.training.scenes import CaptionedScene, Scenes, caption_episodes, hold_out
from tests.augment.training.worlds import COLOURS, SHOWN, SIZE, episode, image_folder, scenes


def test_an_image_folder_and_episodes_give_the_same_scenes(tmp_path: Path) -> None:
    captions = {name: f"a robot before a {name} wall" for name in COLOURS}
    of_episodes = Scenes.of_episodes(episode, captions, ["front", "wrist"])
    parts = open_image_folder(image_folder(tmp_path), 0.25)
    assert [len(part) for part in parts] == [6, 2]
    assert sorted({caption for part in parts for caption in part.captions}) == of_episodes.captions
    of_folder = [part[number] for part in parts for number in range(len(part))]
    wanted = [of_episodes[number] for number in range(len(of_episodes))]

    def key(scene: CaptionedScene) -> tuple[str, bytes]:
        return scene.caption, scene.keep.tobytes()

    for one, other in zip(sorted(of_folder, key=key), sorted(wanted, key=key), strict=True):
        assert one.caption == other.caption
        np.testing.assert_array_equal(one.picture, other.picture)
        np.testing.assert_array_equal(one.keep, other.keep)


def test_identities_tell_pictures_apart(tmp_path: Path) -> None:
    folder = image_folder(tmp_path)
    first = open_image_folder(folder, 0.25)[0].identity
    assert open_image_folder(folder, 0.25)[0].identity == first
    assert open_image_folder(folder, 0.5)[0].identity != first
    text = (folder / "metadata.jsonl").read_text()
    (folder / "metadata.jsonl").write_text(text.replace("wall", "door"))
    assert open_image_folder(folder, 0.25)[0].identity != first


def test_crops_stay_the_same_and_keep_masks_on_things() -> None:
    crops = Crops(scenes(), SIZE, 3, 0)
    assert len(crops) == 3 * len(SHOWN)
    for number in range(len(crops)):
        one, other = crops[number], Crops(scenes(), SIZE, 3, 0)[number]
        np.testing.assert_array_equal(one.picture, other.picture)
        assert one.caption == SHOWN[number // 3].caption
        assert one.keep.any()
        inside, outside = (one.picture[where].max(axis=-1).mean() for where in (one.keep, ~one.keep))
        assert inside < 90 < outside
    assert not np.array_equal(crops[0].picture, crops[1].picture)


def test_what_is_held_out_stays_so() -> None:
    names = [f"e{number}" for number in range(40)]
    learnt, held = hold_out(names, 0.1)
    assert len(held) == 4
    assert sorted([*learnt, *held]) == sorted(names)
    assert hold_out(names[::-1], 0.1)[1] == held[::-1]
    assert len(hold_out(names[:2], 0.01)[1]) == 1
    for few, share in ((names[:1], 0.5), (names, 0.0), (names, 1.0)):
        with pytest.raises(RequestError, match="held_out="):
            hold_out(few, share)


def test_captions_are_found_by_id_or_name() -> None:
    assert caption_episodes({"1a": "demo_0", "2b": "demo_1"}, {"1a": "x", "demo_1": "y"}) == {"1a": "x", "2b": "y"}
    with pytest.raises(RequestError, match=r"1 of 2 episodes have no caption \(demo_1\)"):
        caption_episodes({"1a": "demo_0", "2b": "demo_1"}, {"1a": "x", "demo_1": " "})


def _spoil(folder: Path, fault: str) -> None:
    metadata = folder / "metadata.jsonl"
    lines = metadata.read_text().splitlines()
    if fault == "size":
        Image.new("L", (9, 9)).save(folder / "masks/0.png")
    elif fault == "mask":
        (folder / "masks/3.png").unlink()
    elif fault == "cut":
        (folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:50])
    elif fault == "metadata":
        metadata.unlink()
    elif fault == "json":
        metadata.write_text("\n".join([lines[0], "{", *lines[1:]]))
    else:
        metadata.write_text("\n".join([lines[0], json.dumps({**json.loads(lines[1]), "text": ""}), *lines[2:]]))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("size", r"masks/0.png: a picture of 24x24 pixels with a mask of 9x9"),
        ("mask", r"masks/3.png is missing, which .*metadata.jsonl names"),
        ("cut", r"0.png is no picture that can be read"),
        ("metadata", r"metadata.jsonl is missing"),
        ("json", r"metadata.jsonl:2 is not JSON"),
        ("caption", r"metadata.jsonl:2 has no text"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(fault: str, message: str, tmp_path: Path) -> None:
    _spoil(image_folder(tmp_path), fault)
    with pytest.raises(RequestError, match=message):
        [part[number] for part in open_image_folder(tmp_path, 0.2) for number in range(len(part))]


def test_episodes_without_masks_are_refused() -> None:
    with pytest.raises(RequestError, match="set cameras="):
        Scenes.of_episodes(episode, {"red": "a wall"}, ["wrist"])
