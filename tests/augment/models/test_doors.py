"""Networks are opened once a process, through the implementation that their files need, and never fetched."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest

from augment.errors import RequestError
from augment.models import doors
from augment.models.packs import Component
from augment.models.runtime import Runtime
from tests.weight_files import COMMIT, cached, network

RUNTIME = Runtime(device="cpu", batch=2)
ENCODER = Component("bert", "owner/bert", COMMIT)
HUB = {
    "detector": Component("grounding_dino", "owner/detector", COMMIT),
    "segmenter": Component("hq_sam", "owner/segmenter", COMMIT),
    "tracker": Component("sam2", "owner/tracker", COMMIT),
    "matcher": Component("dinov2", "owner/matcher", COMMIT),
}
OPEN: dict[str, Callable[..., Any]] = {role: getattr(doors, f"open_{role}") for role in HUB}


class Opened:
    """What a door gave; in the form of all protocols."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        time.sleep(0.01)  # long enough that others could come in

    def __call__(self) -> None: ...

    def embed(self) -> None: ...
    def propagate(self) -> None: ...
    def describe(self) -> None: ...
    def dense(self) -> None: ...


@pytest.fixture(autouse=True)
def implementations(monkeypatch: pytest.MonkeyPatch) -> list[Opened]:
    """In the place of the real ones, which need real weights; gives all that was opened, in order."""
    opened: list[Opened] = []

    def door(*arguments: object) -> Opened:
        opened.append(Opened(*arguments))
        return opened[-1]

    for name in ("grounding_dino.hub", "hq_sam.hub", "sam2", "dinov2", "grounding_dino.original", "hq_sam.original"):
        module = ModuleType(name)
        module.open_original = module.open_hub = door  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"augment.models.{name}", module)
    for function in OPEN.values():
        function.forget()
    return opened


@pytest.mark.parametrize("role", HUB)
def test_a_folder_is_opened_once_a_process(cache: Path, implementations: list[Opened], role: str) -> None:
    folder = network(cached(cache, HUB[role].source), "any")
    first = OPEN[role](HUB[role], RUNTIME)
    assert first.arguments == (folder, RUNTIME)
    assert OPEN[role](replace(HUB[role]), Runtime(device="cpu", batch=2)) is first
    assert OPEN[role](HUB[role], replace(RUNTIME, batch=3)) is not first
    assert len(implementations) == 2


@pytest.mark.parametrize("share", [doors.share_detector, doors.share_segmenter])
def test_threads_that_come_together_get_the_same_network(
    cache: Path, implementations: list[Opened], share: Callable[..., Any]
) -> None:
    for role in HUB:
        network(cached(cache, HUB[role].source), "any")
    component = HUB[share.__name__.removeprefix("share_")]
    share.forget()
    together = Barrier(8, timeout=30)

    def come(_: int) -> Any:
        together.wait()
        return share(component, RUNTIME)

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(come, range(8), timeout=60))) == 1
    assert len(implementations) == 1


def test_original_checkpoints(cache: Path) -> None:
    encoder = network(cached(cache, "owner/bert"), "bert")
    for role in ("detector", "segmenter"):
        cached(cache, f"owner/{role}").mkdir(parents=True)
        (cached(cache, f"owner/{role}") / "x.pth").touch()
    detector = replace(HUB["detector"], file="x.pth", architecture="swint_ogc", text_encoder=ENCODER)
    segmenter = replace(HUB["segmenter"], file="x.pth", architecture="vit_b")
    path = cached(cache, "owner/detector") / "x.pth"
    assert doors.open_detector(detector, RUNTIME).arguments == (path, "swint_ogc", encoder, RUNTIME)
    path = cached(cache, "owner/segmenter") / "x.pth"
    assert doors.open_segmenter(segmenter, RUNTIME).arguments == (path, "vit_b", RUNTIME)


@pytest.mark.parametrize("role", HUB)
def test_what_is_not_there_is_neither_fetched_nor_opened(cache: Path, implementations: list, role: str) -> None:
    with pytest.raises(RequestError, match=f"owner/{role} .*: not in the Hub cache; get it: restage models"):
        OPEN[role](HUB[role], RUNTIME)
    assert not implementations


@pytest.mark.parametrize("role", HUB)
def test_a_network_of_another_kind(cache: Path, role: str) -> None:
    with pytest.raises(RequestError, match="kind=bert cannot do this; known: "):
        OPEN[role](ENCODER, RUNTIME)


def test_without_the_libraries(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network(cached(cache, "owner/matcher"), "dinov2")
    monkeypatch.setitem(sys.modules, "augment.models.dinov2", None)
    with pytest.raises(RequestError, match=r"pip install 'restage\[models\]'"):
        doors.open_matcher(HUB["matcher"], RUNTIME)
