"""Reading a TFDS directory, and writing single frames."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robot_io.errors import DatasetError
from robot_io.formats import open_dataset, rlds
from robot_io.formats.base import Dataset
from robot_io.formats.rlds.tfrecord import scan
from robot_io.types import Clip, Episode, FrameSource, FrameWriter
from tests.robot_io.rlds_builder import HEIGHT, NAME, VERSION, WIDTH, episode, jpeg, payload, tiny, write_dataset

CAMERAS = ["front", "side", "wrist"]


def open_tiny(root: Path) -> rlds.RldsDataset:
    return rlds.open(tiny(root))


def first(dataset: Dataset) -> Episode:
    return dataset.open(dataset.entries[0].id)


def test_entries_are_numbered_over_the_shards_of_a_split(tmp_path):
    dataset = open_tiny(tmp_path)
    assert isinstance(dataset, Dataset)
    assert dataset.format == "rlds"
    assert dataset.path == (tmp_path / NAME / VERSION).resolve()
    assert [(e.name, e.length, e.splits) for e in dataset.entries] == [
        ("train/0", 4, ("train",)),
        ("train/1", 3, ("train",)),
        ("train/2", 5, ("train",)),
        ("val/0", 3, ("val",)),
    ]
    assert not any(entry.problem for entry in dataset.entries)
    assert dataset.problems() == []


def test_a_record_has_one_id_wherever_it_stands(tmp_path):
    ids = [entry.id for entry in open_tiny(tmp_path / "a").entries]
    assert ids[1] == ids[3]
    assert len(set(ids)) == 3
    assert all(len(id) == 16 and int(id, 16) >= 0 for id in ids)
    second, third = payload(episode(2, 3)), payload(episode(3, 5))
    again = rlds.open(write_dataset(tmp_path / "b", {"all": [[third], [second]]}, name="other"))
    assert [entry.id for entry in again.entries] == [ids[2], ids[1]]


def test_cameras_decode_as_pillow_does(tmp_path):
    found, stored = first(open_tiny(tmp_path)), episode(1)
    assert list(found.cameras) == CAMERAS  # depth has one channel
    for name, frames in found.cameras.items():
        assert isinstance(frames, FrameSource)
        assert (len(frames), frames.height, frames.width) == (4, HEIGHT, WIDTH)
        clip = frames.read(1, 9)
        assert (clip.start, clip.stop) == (1, 4)
        blobs = stored[f"steps/observation/{name}"][1:]
        assert np.array_equal(clip.frames, [np.asarray(Image.open(io.BytesIO(blob))) for blob in blobs])
        assert clip.timestamps.tolist() == [1.0, 2.0, 3.0]


def test_signals_have_their_declared_type_and_shape(tmp_path):
    found, stored = first(open_tiny(tmp_path)), episode(1)
    assert {name: (array.dtype.name, array.shape) for name, array in found.signals.items()} == {
        "observation/state": ("float64", (4, 2, 2)),
        "action": ("float32", (4, 3)),
        "is_last": ("bool", (4,)),
        "count": ("int32", (4,)),
        "token": ("uint64", (4,)),
    }
    assert np.array_equal(found.signals["action"].ravel(), stored["steps/action"])
    assert np.array_equal(found.signals["observation/state"].ravel(), stored["steps/observation/state"])
    assert found.signals["is_last"].tolist() == [False, False, False, True]
    assert np.array_equal(found.signals["count"], stored["steps/count"])
    assert np.array_equal(found.signals["token"].view(np.int64), stored["steps/token"])


def test_language_is_each_instruction_once(tmp_path):
    values = episode(1)
    values["steps/language_instruction"] = [b"lift", b"", "Heb den Würfel".encode(), b"lift"]
    dataset = rlds.open(write_dataset(tmp_path, {"train": [[payload(values)]]}))
    found = first(dataset)
    assert found.language == ("lift", "Heb den Würfel")
    assert found.fps is None
    assert found.provenance is None


def test_a_dataset_survives_pickling(tmp_path):
    dataset = open_tiny(tmp_path)
    first(dataset)
    again = pickle.loads(pickle.dumps(dataset))
    assert again.entries == dataset.entries
    assert np.array_equal(first(again).signals["action"], first(dataset).signals["action"])


def test_unknown_id_is_a_key_error(tmp_path):
    with pytest.raises(KeyError):
        open_tiny(tmp_path).open("0123456789abcdef")


@pytest.mark.parametrize("config", [None, "large"])
def test_the_version_folder_is_found_from_above(tmp_path, config):
    folder = tiny(tmp_path / "data", config=config)
    (tmp_path / "data" / f".{NAME}.unfinished" / NAME / VERSION).mkdir(parents=True)
    (tmp_path / "data" / f".{NAME}.unfinished" / NAME / VERSION / "features.json").touch()
    for above in (folder, folder.parent, tmp_path / "data"):
        assert open_dataset(above).path == folder.resolve()
    assert not rlds.recognises(tmp_path.joinpath("data", "nothing"))


def test_several_version_folders_are_listed(tmp_path):
    for name in ("one", "two"):
        tiny(tmp_path, name=name)
    with pytest.raises(DatasetError, match=r"2 TFDS version folders \(one/1.0.0, two/1.0.0\)"):
        open_dataset(tmp_path)
    (tmp_path / "three").symlink_to(tmp_path / "one")
    assert open_dataset(tmp_path / "three").path.parent.name == "one"


def test_select_leaves_the_chosen_entries(tmp_path):
    dataset = open_tiny(tmp_path)
    chosen = dataset.select({"train/2", "val/0"})
    assert chosen.entries == dataset.entries[2:]
    assert first(chosen).name == "train/2"
    assert list(chosen.fields("val/0")) == list(dataset.fields("val/0"))
    with pytest.raises(KeyError):
        chosen.open(dataset.entries[0].id)


def test_padding_is_black_and_stays_padding(tmp_path):
    values = episode(1)
    values["steps/observation/front"][2] = b""
    dataset = rlds.open(write_dataset(tmp_path, {"train": [[payload(values)]]}))
    frames = first(dataset).cameras["front"]
    assert not frames.read(2, 3).frames.any()
    with dataset.frame_writer(dataset.entries[0].id, "front", tmp_path / "part") as writer:
        written = writer.write(Clip("front", 0, np.full((4, HEIGHT, WIDTH, 3), 99, np.uint8), np.arange(4.0)))
    assert [written.frames[step].any() for step in range(4)] == [True, True, False, True]
    assert [len(record.payload) > 0 for record in scan(tmp_path / "part")] == [True, True, False, True]


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_frame_writer_returns_what_a_reader_will_see(tmp_path, camera):
    dataset = open_tiny(tmp_path)
    recorded = first(dataset).cameras[camera].read(0, 4)
    with dataset.frame_writer(dataset.entries[0].id, camera, tmp_path / "part") as writer:
        assert isinstance(writer, FrameWriter)
        pieces = [
            writer.write(Clip(camera, start, 255 - recorded.frames[start:stop], recorded.timestamps[start:stop]))
            for start, stop in ((0, 1), (1, 4))
        ]
    written = np.concatenate([piece.frames for piece in pieces])
    blobs = [record.payload for record in scan(tmp_path / "part")]
    assert np.array_equal(written, [np.asarray(Image.open(io.BytesIO(blob))) for blob in blobs])
    lossless = np.array_equal(written, 255 - recorded.frames)
    assert lossless == (camera == "wrist")
    assert [piece.start for piece in pieces] == [0, 1]


def clip(start: int, steps: int, height: int = HEIGHT) -> Clip:
    return Clip("front", start, np.zeros((steps, height, WIDTH, 3), np.uint8), np.zeros(steps))


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([clip(0, 3)], "3 frames written for camera front, but the recording has 4"),
        ([clip(0, 5)], "frames 0:5 of camera front came after 0 of 4"),
        ([clip(0, 2), clip(3, 1)], "frames 3:4 of camera front came after 2 of 4"),
        ([clip(0, 4, height=HEIGHT + 1)], f"are {WIDTH}x{HEIGHT + 1}, but the recording's are {WIDTH}x{HEIGHT}"),
    ],
)
def test_wrong_frames_are_refused(tmp_path, clips, message):
    dataset = open_tiny(tmp_path)

    def write() -> None:
        with dataset.frame_writer(dataset.entries[0].id, "front", tmp_path / "part") as writer:
            for piece in clips:
                writer.write(piece)

    with pytest.raises(ValueError, match=message):
        write()


def test_an_unknown_camera_is_refused(tmp_path):
    dataset = open_tiny(tmp_path)
    with pytest.raises(ValueError, match="no camera 'depth'; it has front, side, wrist"):
        dataset.frame_writer(dataset.entries[0].id, "depth", tmp_path / "part")


def test_fields_are_the_features_of_the_record(tmp_path):
    values = episode(1)
    one = rlds.open(write_dataset(tmp_path / "a", {"train": [[payload(values)]]}))
    values["steps/observation/side"][0] = jpeg(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    values["steps/count"] = values["steps/count"] + 1
    other = rlds.open(write_dataset(tmp_path / "b", {"train": [[payload(values)]]}))
    before, after = ({field.name: field for field in dataset.fields("train/0")} for dataset in (one, other))
    assert set(before) == set(after) == set(values)
    assert {name for name in before if before[name] != after[name]} == {"steps/observation/side", "steps/count"}
    assert before["steps/observation/side"].camera == "side"
    assert before["steps/count"].camera is None
    assert before["steps/observation/depth"].camera is None
    assert not any(field.bookkeeping for field in before.values())


def test_dataset_fields_cover_every_file_but_a_loaders_cache(tmp_path):
    folder = tiny(tmp_path)
    (folder / "labels").mkdir()
    (folder / "labels" / "task.labels.txt").write_text("lift\n")
    (folder / "dataset_statistics_0a1b.json").write_text("{}")
    found = {field.name: field for field in rlds.open(folder).dataset_fields()}
    keys = ("description", "fileFormat", "moduleName", "name", "splits", "version")
    assert set(found) == {"features.json", "labels/task.labels.txt", *(f"dataset_info.json/{key}" for key in keys)}
    assert [name for name, field in found.items() if field.bookkeeping] == ["dataset_info.json/splits"]
    (folder / "labels" / "task.labels.txt").write_text("drop\n")
    changed = {field.name for field in rlds.open(folder).dataset_fields() if field != found[field.name]}
    assert changed == {"labels/task.labels.txt"}
