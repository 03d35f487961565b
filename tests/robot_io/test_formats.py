"""What every format promises, on every name in the registry."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_io import FORMATS, Clip, EpisodeError, Part, Provenance, open_dataset
from robot_io.formats import load_format
from robot_io.formats.base import Dataset
from robot_io.validation import compare, unsound_episodes
from tests.robot_io import hdf5_builder, rlds_builder

BUILDERS: dict[str, Callable[[Path], Path]] = {
    "hdf5": lambda folder: hdf5_builder.build(folder / "demos.hdf5"),
    "rlds": lambda folder: rlds_builder.tiny(folder / "source"),
}
LOSSLESS = {"hdf5"}
CAMERA = "front"


@pytest.fixture(params=FORMATS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    return open_dataset(BUILDERS[request.param](tmp_path))


def make_part(dataset: Dataset, episode_id: str, variant: int, folder: Path) -> Part:
    """A variant in which the front camera is mirrored."""
    episode = dataset.open(episode_id)
    file = folder / f"{episode_id}-{variant}.frames"
    clip = episode.cameras[CAMERA].read(0, episode.length)
    with dataset.frame_writer(episode_id, CAMERA, file) as writer:
        frames = np.ascontiguousarray(clip.frames[:, :, ::-1])
        writer.write(Clip(CAMERA, 0, frames, clip.timestamps))
    fates = {name: "restaged" if name == CAMERA else "as recorded" for name in episode.cameras}
    return Part(episode_id, variant, {CAMERA: file}, Provenance(episode_id, variant, {"id": "p"}, "r", fates, {}))


def all_parts(dataset: Dataset, folder: Path, variants: int = 2) -> list[Part]:
    ids = dict.fromkeys(entry.id for entry in dataset.entries)
    return [make_part(dataset, episode, variant, folder) for episode in ids for variant in range(variants)]


def tree(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(child for child in path.rglob("*") if child.is_file())
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in files}


def test_is_recognised_by_itself_alone(source: Dataset) -> None:
    assert [name for name in FORMATS if load_format(name).recognises(source.path)] == [source.format]


def test_a_dataset_travels(source: Dataset) -> None:
    again = pickle.loads(pickle.dumps(source))
    assert again.entries == source.entries
    assert again.open(source.entries[0].id).length == source.entries[0].length


def test_frames_decode_in_any_window(source: Dataset) -> None:
    for entry in source.entries:
        for frames in source.open(entry.id).cameras.values():
            whole = frames.read(0, len(frames))
            assert whole.frames.shape == (entry.length, frames.height, frames.width, 3)
            pieces = [frames.read(start, min(start + 3, len(frames))) for start in range(0, len(frames), 3)]
            np.testing.assert_array_equal(np.concatenate([piece.frames for piece in pieces]), whole.frames)
            np.testing.assert_array_equal(np.concatenate([piece.timestamps for piece in pieces]), whole.timestamps)


def test_identity_rewrite_changes_nothing(source: Dataset, tmp_path: Path) -> None:
    source.assemble([], tmp_path / "out", keep_originals=True)
    again = open_dataset(tmp_path / "out")
    assert again.entries == source.entries
    for entry in source.entries:
        assert list(again.fields(entry.name)) == list(source.fields(entry.name))
    assert not compare(source, again).violations


def test_variants_carry_over_everything_else(source: Dataset, tmp_path: Path) -> None:
    source.assemble(all_parts(source, tmp_path), tmp_path / "out", keep_originals=True)
    output = open_dataset(tmp_path / "out")
    assert not list(unsound_episodes(output))
    assert not output.problems()
    assert len(output.entries) == 3 * len(source.entries)
    comparison = compare(source, output)
    assert not comparison.violations
    assert not comparison.notes
    assert comparison.episodes == len(output.entries)
    for split in {split for entry in source.entries for split in entry.splits}:
        before, after = (sum(split in entry.splits for entry in dataset.entries) for dataset in (source, output))
        assert after == 3 * before, "a variant belongs to the splits of its source"


def test_variants_hold_the_frames_that_were_written(source: Dataset, tmp_path: Path) -> None:
    source.assemble(all_parts(source, tmp_path, 1), tmp_path / "out", keep_originals=False)
    output = open_dataset(tmp_path / "out")
    assert len(output.entries) == len(source.entries)
    for entry in output.entries:
        provenance = output.provenance(entry.name)
        assert provenance is not None
        assert provenance.restaged == (CAMERA,)
        recorded, made = source.open(provenance.source), output.open(entry.id)
        assert (made.language, made.length) == (recorded.language, recorded.length)
        expected = recorded.cameras[CAMERA].read(0, made.length).frames[:, :, ::-1].astype(int)
        error = np.abs(made.cameras[CAMERA].read(0, made.length).frames - expected)
        assert error.max() == 0 if source.format in LOSSLESS else error.mean() < 6
        for name in set(made.signals):
            np.testing.assert_array_equal(made.signals[name], recorded.signals[name])


def test_what_is_written_is_what_is_decoded(source: Dataset, tmp_path: Path) -> None:
    entry = source.entries[0]
    clip = source.open(entry.id).cameras[CAMERA].read(0, entry.length)
    with source.frame_writer(entry.id, CAMERA, tmp_path / "x.frames") as writer:
        decoded = writer.write(Clip(CAMERA, 0, 255 - clip.frames, clip.timestamps))
    again = source.frame_reader(entry.id, CAMERA, tmp_path / "x.frames")
    assert len(again) == entry.length
    np.testing.assert_array_equal(again.read(1, entry.length).frames, decoded.frames[1:])
    provenance = Provenance(entry.id, 0, {}, "r", {CAMERA: "restaged"}, {})
    source.assemble([Part(entry.id, 0, {CAMERA: tmp_path / "x.frames"}, provenance)], tmp_path / "out", False)
    output = open_dataset(tmp_path / "out")
    read = output.open(output.entries[0].id).cameras[CAMERA].read(0, entry.length)
    np.testing.assert_array_equal(read.frames, decoded.frames)


def test_bytes_do_not_depend_on_the_order_of_parts(source: Dataset, tmp_path: Path) -> None:
    parts = all_parts(source, tmp_path)
    source.assemble(parts, tmp_path / "out", keep_originals=True)
    first = tree(tmp_path / "out")
    source.assemble(parts[::-1], tmp_path / "out", keep_originals=True)
    assert tree(tmp_path / "out") == first
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".") or "tmp" in path.name]


def test_a_selection_is_a_smaller_dataset(source: Dataset, tmp_path: Path) -> None:
    chosen = source.entries[1]
    part = source.select({chosen.name})
    assert part.entries == (chosen,)
    part.assemble(all_parts(part, tmp_path, 1), tmp_path / "out", keep_originals=True)
    output = open_dataset(tmp_path / "out")
    assert output.entries[0].id == chosen.id
    assert len(output.entries) == 2


def test_a_restaged_dataset_can_be_restaged(source: Dataset, tmp_path: Path) -> None:
    source.assemble(all_parts(source, tmp_path, 1), tmp_path / "once", keep_originals=True)
    once = open_dataset(tmp_path / "once")
    once.assemble(all_parts(once, tmp_path, 1), tmp_path / "twice", keep_originals=True)
    twice = open_dataset(tmp_path / "twice")
    assert len(twice.entries) == 4 * len(source.entries)
    assert not compare(once, twice).violations


def test_comparison_finds_what_was_changed(source: Dataset, tmp_path: Path) -> None:
    source.assemble(all_parts(source, tmp_path, 1), tmp_path / "out", keep_originals=True)
    output = open_dataset(tmp_path / "out")
    stranger = source.select({source.entries[0].name})
    violations = compare(stranger, output).violations
    assert any("neither in the source nor marked as a variant" in violation for violation in violations)
    assert any("is not in the source" in violation for violation in violations)


def test_unknown_episodes(source: Dataset) -> None:
    with pytest.raises((KeyError, EpisodeError)):
        source.open("0" * 16)
