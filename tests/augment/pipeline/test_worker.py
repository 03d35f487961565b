"""Jobs on a real, tiny dataset."""

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from augment.check import CameraCheck, Check, DefaultCheck, Verdict, Window
from augment.compose import Composite
from augment.generate import Generator, Texture
from augment.layers import Layers
from augment.pipeline import Flow, Job, Ledger, Perception, Receipt, Schedule, Serial, Status, Worker
from augment.plan import Recipe, Step
from augment.prompts import PromptBank, draw_prompt
from augment.scene import Survey
from augment.segment import Recorded
from augment.types import Deals, Role, SceneView
from robot_io import FrameWriter, open_dataset
from robot_io.errors import EpisodeError
from robot_io.formats.base import Dataset
from robot_io.types import Clip, Episode, FrameSource
from tests.robot_io.hdf5_builder import build


def make_flow(generator: Generator | None = None, check: Check | None = None, keep_always: Path | None = None) -> Flow:
    step = Step("background", "texture", generator or Texture())
    return Flow(
        perception=Perception(Survey(), Recorded(keep_always=str(keep_always) if keep_always else None)),
        recipe=Recipe(2, tuple(Role)[:4], (step,)),
        composite=Composite(),
        check=check or DefaultCheck(),
        seed=3,
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return open_dataset(build(tmp_path / "demos.hdf5"))


def make_worker(dataset: Dataset, work: Path, flow: Flow | None = None) -> Worker:
    return Worker(flow or make_flow(), dataset, work, work / "layers", "0")


def run(worker: Worker, dataset: Dataset) -> list[Receipt]:
    schedule = Schedule([entry.id for entry in dataset.entries], worker.flow.recipe.variants)
    Serial().run(worker, schedule, lambda receipt: None)
    return schedule.receipts


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_variant_becomes_a_part(dataset: Dataset, tmp_path: Path) -> None:
    receipts = run(make_worker(dataset, tmp_path / "work"), dataset)
    assert len(receipts) == 3 * (1 + 2)
    assert all(receipt.failure is None for receipt in receipts)
    parts = list(Ledger(tmp_path / "work").parts([entry.id for entry in dataset.entries], 2))
    assert len(parts) == 6
    for part in parts:
        assert part.provenance.cameras == {"front": "restaged", "wrist": "as recorded: the camera moves all the time"}
        assert list(part.files) == ["front"]
        recorded = dataset.open(part.episode)
        with h5py.File(part.files["front"]) as file:
            frames = file["frames"][()]
        mask = recorded.masks["front"][0].read(0, 8)
        np.testing.assert_array_equal(frames[mask], recorded.cameras["front"].read(0, 8).frames[mask])
        assert (frames[~mask] != recorded.cameras["front"].read(0, 8).frames[~mask]).mean() > 0.8


def test_again_costs_nothing_and_changes_nothing(dataset: Dataset, tmp_path: Path) -> None:
    worker = make_worker(dataset, tmp_path / "work")
    run(worker, dataset)
    before = tree(tmp_path / "work")
    assert all(receipt.reused for receipt in run(worker, dataset))
    assert tree(tmp_path / "work") == before


def test_two_runs_give_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(make_worker(dataset, tmp_path / name), dataset)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_grown_dataset_costs_only_its_new_episodes(tmp_path: Path) -> None:
    path = build(tmp_path / "demos.hdf5", demos=2)
    dataset = open_dataset(path)
    run(make_worker(dataset, tmp_path / "work"), dataset)
    with h5py.File(path, "r+") as file, h5py.File(build(tmp_path / "more.hdf5", demos=1, seed=50)) as more:
        more.copy("data/demo_0", file["data"], "demo_2")
    grown = open_dataset(path)
    receipts = run(make_worker(grown, tmp_path / "work"), grown)
    new = grown.entries[2].id
    assert {receipt.job.episode for receipt in receipts if not receipt.reused} == {new}


def test_an_edited_mask_redoes_its_variants_alone(dataset: Dataset, tmp_path: Path) -> None:
    worker = make_worker(dataset, tmp_path / "work")
    run(worker, dataset)
    edited = dataset.entries[1].id
    (plate,) = (tmp_path / "work/layers" / edited / "front").glob("*/plate.png")
    Image.new("RGB", (64, 48), "red").save(plate)
    receipts = run(worker, dataset)
    redone = {receipt.job for receipt in receipts if not receipt.reused}
    assert redone == {Job(edited, 0), Job(edited, 1)}


def test_painting_a_part_makes_new_layers(dataset: Dataset, tmp_path: Path) -> None:
    run(make_worker(dataset, tmp_path / "work"), dataset)
    (tmp_path / "painted").mkdir()
    mask = np.zeros((48, 64), np.uint8)
    mask[40:] = 255
    Image.fromarray(mask).save(tmp_path / "painted" / "front.png")
    worker = make_worker(dataset, tmp_path / "work", make_flow(keep_always=tmp_path / "painted"))
    assert not any(receipt.reused for receipt in run(worker, dataset) if receipt.job.variant is not None)
    (part, *_) = Ledger(tmp_path / "work").parts([dataset.entries[0].id], 1)
    with h5py.File(part.files["front"]) as file:
        recorded = dataset.open(part.episode).cameras["front"].read(0, 8).frames
        np.testing.assert_array_equal(file["frames"][()][:, 41:], recorded[:, 41:])  # its rim is matted


@dataclass(frozen=True)
class Fussy(Check):
    """Accepts the attempt with this number."""

    accept: int = 1

    def watch(self, frames: FrameSource, moves: bool = False) -> CameraCheck:
        seen = Fussy.seen
        Fussy.seen += 1
        return Fixed(Verdict(None if seen == self.accept else f"attempt {seen} refused", redraw=True))


Fussy.seen = 0


@dataclass(frozen=True)
class Fixed(CameraCheck):
    outcome: Verdict

    def see(self, *windows: object) -> None:
        pass

    def verdict(self) -> Verdict:
        return self.outcome


@pytest.mark.parametrize(("accept", "status", "attempts"), [(1, Status.DONE, 2), (9, Status.REJECTED, 3)])
def test_a_refused_variant_is_drawn_again(
    dataset: Dataset, tmp_path: Path, accept: int, status: Status, attempts: int
) -> None:
    Fussy.seen = 0
    worker = make_worker(dataset, tmp_path / "work", make_flow(check=Fussy(attempts=3, accept=accept)))
    job = Job(dataset.entries[0].id, 0)
    outcome = worker(job).outcome
    assert (outcome.status, outcome.attempts) == (status, attempts)
    parts = list(Ledger(tmp_path / "work").parts([job.episode], 1))
    if status == Status.DONE:
        assert parts[0].provenance.plan["attempt"] == 1
    else:
        assert not parts
        assert outcome.reason == "front: attempt 2 refused"
        assert worker(job).reused, "what was rejected is not tried again"
    assert not list((tmp_path / "work").glob("parts/*/.*"))


def test_masks_that_keep_nothing_are_refused_once(tmp_path: Path) -> None:
    path = build(tmp_path / "demos.hdf5", demos=1)
    with h5py.File(path, "r+") as file:
        file["data/demo_0/masks/front/robot"][...] = False
    dataset = open_dataset(path)
    outcome = make_worker(dataset, tmp_path / "work")(Job(dataset.entries[0].id, 0)).outcome
    assert (outcome.status, outcome.attempts) == (Status.REJECTED, 1)
    assert "keep mask is empty" in outcome.reason


def test_no_masks_at_all_is_not_left_in_silence(tmp_path: Path) -> None:
    path = build(tmp_path / "demos.hdf5", demos=1)
    with h5py.File(path, "r+") as file:
        del file["data/demo_0/masks"]
    dataset = open_dataset(path)
    outcome = make_worker(dataset, tmp_path / "work")(Job(dataset.entries[0].id, 0)).outcome
    assert outcome.status == Status.REJECTED
    assert outcome.reason == "front: nothing says what to keep"


@dataclass(frozen=True)
class Failing(Generator):
    """Cannot paint variant 0."""

    def draw(self, rng: np.random.Generator, deal: Deals) -> dict[str, Any]:
        return {"value": int(rng.integers(2))}

    def __call__(self, choices: Mapping[str, Any], scene: SceneView, picture: np.ndarray) -> np.ndarray:
        if choices["value"]:
            raise ZeroDivisionError("of no use")
        return 255 - picture


@dataclass(frozen=True)
class Supported(Check):
    """Refuses, and says how much support the new plate shows."""

    def watch(self, frames: FrameSource, moves: bool = False) -> CameraCheck:
        return Measure()


class Measure(CameraCheck):
    def see(self, window: Window) -> None:
        self.support = window.support

    def verdict(self) -> Verdict:
        return Verdict(None if self.support is None else f"rows {self.support[:, 0].argmax()} to {len(self.support)}")


@pytest.mark.parametrize(("generator", "reason"), [(Texture(), "front: rows 20 to 48"), (Failing(), None)])
def test_checks_learn_where_the_new_support_is(
    dataset: Dataset, tmp_path: Path, generator: Generator, reason: str | None
) -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[20:] = 255
    Image.fromarray(mask).save(tmp_path / "front.support.png")
    flow = make_flow(generator, Supported(attempts=1), keep_always=tmp_path)
    outcomes = [make_worker(dataset, tmp_path / "w", flow)(Job(entry.id, 0)).outcome for entry in dataset.entries]
    assert {outcome.reason for outcome in outcomes if outcome} == {reason}


@dataclass(frozen=True)
class Told:
    """A dataset whose episodes come with an instruction."""

    dataset: Dataset

    def open(self, episode_id: str) -> Episode:
        return replace(self.dataset.open(episode_id), language=("put the red cube on the plate",))

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        return self.dataset.frame_writer(episode_id, camera, path)


@dataclass(frozen=True)
class Listening(Generator):
    """Inverts the picture, and remembers what it was told."""

    def draw(self, rng: np.random.Generator, deal: Deals) -> dict[str, Any]:
        return draw_prompt(PromptBank(), deal)

    def __call__(self, choices: Mapping[str, Any], scene: SceneView, picture: np.ndarray) -> np.ndarray:
        return 255 - picture


def test_generators_learn_the_instruction(dataset: Dataset, tmp_path: Path) -> None:
    worker = replace(make_worker(dataset, tmp_path / "work", make_flow(Listening())), source=Told(dataset))
    episode = dataset.entries[0].id
    assert worker(Job(episode, 0)).outcome.status == Status.DONE
    (part,) = Ledger(tmp_path / "work").parts([episode], 1)
    choices = part.provenance.plan["steps"][0]["choices"]
    assert choices["protected"] == ["cube", "plate", "red"]
    assert choices["prompt"].startswith("photo of an empty table")


def test_an_exception_fails_its_variant_only(dataset: Dataset, tmp_path: Path) -> None:
    receipts = run(make_worker(dataset, tmp_path / "work", make_flow(Failing())), dataset)
    variants = [receipt for receipt in receipts if receipt.job.variant is not None]
    failed = [receipt for receipt in variants if receipt.failure]
    assert 0 < len(failed) < len(variants) == 6
    assert all("ZeroDivisionError: of no use (test_worker.py:" in receipt.failure for receipt in failed)
    assert not list((tmp_path / "work").glob("parts/*/.*"))


@dataclass(frozen=True)
class Flooded:
    """A dataset on a disk that is full."""

    dataset: Dataset
    error: OSError

    def open(self, episode_id: str) -> Episode:
        return self.dataset.open(episode_id)

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Can't write data (file write failed: errno = 28, error message = 'No space left on device')"),
    ],
)
def test_a_full_disk_is_nobodys_episode(dataset: Dataset, tmp_path: Path, error: OSError) -> None:
    worker = replace(make_worker(dataset, tmp_path / "work"), source=Flooded(dataset, error))
    receipt = worker(Job(dataset.entries[0].id, 0))
    assert receipt.fatal
    assert "No space left on device" in receipt.failure


def test_provenance_tells_the_whole_plan(dataset: Dataset, tmp_path: Path) -> None:
    worker = make_worker(dataset, tmp_path / "work")
    run(worker, dataset)
    (part, *_) = Ledger(tmp_path / "work").parts([dataset.entries[0].id], 1)
    text = json.dumps(part.provenance.to_json())
    assert part.provenance.plan["steps"][0]["choices"]["wall"]["family"] in text
    assert part.provenance.recipe_hash == worker.flow.recipe_hash
    assert str(tmp_path) not in text


def test_where_things_lie_does_not_change_the_recipe(tmp_path: Path) -> None:
    assert make_flow().recipe_hash == make_flow(keep_always=tmp_path).recipe_hash
    assert make_flow().recipe_hash != make_flow(check=DefaultCheck(max_keep=0.5)).recipe_hash


def test_layers_know_what_they_are_of(dataset: Dataset, tmp_path: Path) -> None:
    run(make_worker(dataset, tmp_path / "work"), dataset)
    (about,) = (tmp_path / "work/layers" / dataset.entries[0].id / "front").glob("*/about.json")
    record = json.loads(about.read_text())
    assert record["made_from"]["episode"] == dataset.entries[0].id
    assert {track["role"] for track in record["tracks"]} == {"robot"}
    assert Layers.__dataclass_fields__.keys() >= {"folder", "camera"}


@dataclass(frozen=True)
class Undecodable:
    """A camera whose file is damaged where its pictures lie."""

    frames: FrameSource

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frames, name)

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, start: int, stop: int) -> Clip:
        raise EpisodeError("frame 3 cannot be decoded")


@dataclass(frozen=True)
class Damaged:
    """A dataset in which one episode opens, but cannot be decoded."""

    dataset: Dataset
    bad: str

    def open(self, episode_id: str) -> Episode:
        episode = self.dataset.open(episode_id)
        if episode_id != self.bad:
            return episode
        return replace(episode, cameras={name: Undecodable(frames) for name, frames in episode.cameras.items()})

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        return self.dataset.frame_writer(episode_id, camera, path)


def test_a_bad_companion_fails_itself_alone(dataset: Dataset, tmp_path: Path) -> None:
    bad = dataset.entries[1].id
    flow = make_flow()
    flow = replace(flow, perception=replace(flow.perception, companions=(bad, "0" * 16)))
    worker = replace(make_worker(dataset, tmp_path / "work", flow), source=Damaged(dataset, bad))
    failed = {receipt.job: receipt.failure for receipt in run(worker, dataset) if receipt.failure}
    assert failed == {Job(bad): "frame 3 cannot be decoded"}
