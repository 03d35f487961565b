"""Options that save time or memory: what they change, and what they must not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from augment.errors import RequestError
from augment.generate import Outpaint
from augment.models.painting.base import Canvas, Sampling, Wording
from augment.models.painting.hub import open_hub
from augment.models.painting.painter import LatentPainter
from augment.models.painting.turns import Turns
from augment.models.runtime import Runtime
from tests.flow_pipelines import tiny_flux_fill, tiny_sd3_controlnet, tiny_stable_diffusion_3
from tests.pipelines import tiny_controlnet, tiny_pipeline

WORDS = Wording("a blue wooden table", "a white wall")
BRIEF = Sampling(steps=3, guidance=2.0)
CPU = Runtime("cpu", batch=2)
SQUARE, WIDE = (64, 64), (64, 160)


@pytest.fixture(scope="module", params=["sd", "sd3", "flux"])
def folders(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Path]:
    """Of a family: a base, and where one is known a ControlNet."""
    root = tmp_path_factory.mktemp("pack")
    bases = {"sd": tiny_pipeline, "sd3": tiny_stable_diffusion_3, "flux": tiny_flux_fill}
    controlnets = {"sd": tiny_controlnet, "sd3": tiny_sd3_controlnet}
    folders = {"base": bases[request.param](root / "base")}
    if request.param in controlnets:
        folders["controlnet"] = controlnets[request.param](root / "control")
    return folders


@pytest.fixture(scope="module")
def plain(folders: dict[str, Path]) -> LatentPainter:
    return open_hub(folders, CPU)


def canvas(height: int, width: int) -> Canvas:
    keep = np.zeros((height, width), np.float32)
    keep[height // 4 : height // 2, width // 4 : width // 2] = 1
    return Canvas(np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8), keep)


def steps(painter: LatentPainter) -> list[Any]:
    """Networks of every step."""
    return [painter.base.network, *([painter.control.network] if painter.control else [])]


def first(network: Any) -> Any:
    """A part of a network that runs whenever it does."""
    return next(part for part in network.modules() if not [*part.children()])


def painted(painter: LatentPainter, size: tuple[int, int] = SQUARE, steps: int = 3) -> np.ndarray:
    return painter([canvas(*size)], WORDS, replace(BRIEF, steps=steps), 7)[0].astype(int)


def test_the_layout_changes_nothing_but_rounding(folders: dict[str, Path], plain: LatentPainter) -> None:
    painter = open_hub(folders, replace(CPU, layout="channels_last"))
    for network in (painter.base.vae, *steps(painter)):
        weights = [weight for weight in network.parameters() if weight.dim() == 4 and min(weight.shape) > 1]
        assert weights or not any(weight.dim() == 4 for weight in network.parameters())
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    assert np.abs(painted(painter) - painted(plain)).max() <= 2


@pytest.mark.parametrize(("attention", "kernel"), [("math", "attention_math"), ("flash", "flash_attention_for_cpu")])
def test_attention_is_by_the_kernel_that_is_asked_for(
    folders: dict[str, Path], plain: LatentPainter, attention: str, kernel: str
) -> None:
    """In every family; what comes after is as before."""
    expected, chosen = painted(plain), kernels(plain)
    try:
        painter = open_hub(folders, replace(CPU, attention=attention))
        assert kernels(painter) == {f"aten::_scaled_dot_product_{kernel}"}
        assert np.abs(painted(painter) - expected).max() <= 2
    finally:
        CPU.place()
    assert kernels(plain) == chosen
    assert np.array_equal(painted(plain), expected)


def kernels(painter: LatentPainter) -> set[str]:
    """Of attention, while a picture is painted."""
    with torch.profiler.profile() as profile:
        painted(painter, steps=1)
    return {event.key for event in profile.key_averages() if event.key.startswith("aten::_scaled_dot_product_")}


def test_tiles_change_only_pictures_larger_than_one(folders: dict[str, Path], plain: LatentPainter) -> None:
    painter = open_hub(folders, replace(CPU, tiles=True))
    assert np.array_equal(painted(painter), painted(plain))
    tiled, whole = painted(painter, WIDE), painted(plain, WIDE)
    apart = np.abs(tiled - whole)
    assert 0 < apart.mean() < np.abs(whole - np.roll(whole, WIDE[1] // 2, axis=1)).mean() / 2
    kept = canvas(*WIDE)
    assert np.array_equal(tiled[kept.keep == 1], kept.picture[kept.keep == 1])


def test_networks_take_turns_and_those_of_every_step_stay_together(plain: LatentPainter) -> None:
    turns = Turns(torch.device("cpu"))
    painter = replace(plain, base=replace(plain.base, turns=turns))
    base, readers = painter.base, [reader.encoder for reader in painter.base.readers]
    entries = {network: [first(network)] for network in (*steps(painter), *readers)}
    entries[base.vae] = [base.vae.encoder.conv_in, base.vae.decoder.conv_in]
    expected = painted(plain, steps=6)
    with seen(turns, entries) as visits:
        assert np.array_equal(painted(painter, steps=6), expected)
    assert all(network in here for network, here in visits)
    companies = [here for here, _ in groupby(here for _, here in visits)]
    text, coding = set(readers), {base.vae}
    assert companies == [text, coding, set(steps(painter)), coding]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_turns_on_a_gpu_paint_the_same_in_less_memory(folders: dict[str, Path]) -> None:
    made, peaks = [], []
    for offload in (False, True):
        painter = open_hub(folders, Runtime("cuda", offload=offload))
        torch.cuda.reset_peak_memory_stats()
        made.append(painted(painter))
        peaks.append(torch.cuda.max_memory_allocated())
        del painter
    assert np.array_equal(*made)
    assert peaks[1] < peaks[0]


def test_what_is_compiled_is_what_runs_at_every_step(folders: dict[str, Path], plain: LatentPainter) -> None:
    painter = open_hub(folders, replace(CPU, compile=True))
    with compiler("force_eager"):
        assert np.array_equal(painted(painter), painted(plain))
    with compiler("fail_on_recompile"), pytest.raises(RuntimeError, match="recompile"):
        painted(painter)
    with compiler("fail_on_recompile"):
        painted(plain)
    without = replace(painter, control=None)
    with compiler("fail_on_recompile"), pytest.raises(RuntimeError, match="recompile"):
        painted(without)


@contextmanager
def compiler(stance: str) -> Iterator[None]:
    torch.compiler.set_stance(stance)
    try:
        yield
    finally:
        torch.compiler.set_stance("default")


def test_a_machine_without_a_compiler_is_told_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    with pytest.raises(RequestError, match=r"models\.compile=true, but torch cannot compile here"):
        Runtime("cpu", compile=True).check()


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(RequestError, match=r"models\.offload=true spares a GPU; models\.device=cpu is a CPU"):
        Runtime("cpu", offload=True).check()
    with pytest.raises(
        RequestError, match=r"unknown models\.attention=eager; known: auto, math, flash, efficient, cudnn"
    ):
        Runtime("cpu", attention="eager").check()
    with pytest.raises(
        RequestError, match=r"=cudnn: torch has no such kernel here, on cpu .*; there are auto, math, f"
    ):
        Runtime("cpu", attention="cudnn").check()
    with pytest.raises(RequestError, match=r"unknown models\.layout=rows; known: auto, channels_first, channels_last"):
        Runtime("cpu", layout="rows").check()


def test_options_that_change_pixels_are_of_the_identity_and_others_are_not() -> None:
    def identity(**options: Any) -> dict[str, Any]:
        return Outpaint(runtime=replace(CPU, **options)).identity()

    same = [identity(), identity(attention="auto"), identity(offload=True), identity(layout="channels_first")]
    other = [identity(tiles=True), identity(compile=True), identity(layout="channels_last"), identity(threads=2)]
    other += [identity(attention="math"), identity(attention="flash")]
    assert all(each == same[0] for each in same)
    assert len({str(each) for each in [same[0], *other]}) == 7


@contextmanager
def seen(turns: Turns, entries: dict[Any, list[Any]]) -> Iterator[list[tuple[Any, frozenset[Any]]]]:
    """Which network ran while which were on the device."""
    visits: list[tuple[Any, frozenset[Any]]] = []
    hooks = [
        part.register_forward_pre_hook(lambda *_, network=network: visits.append((network, turns.here)))
        for network, parts in entries.items()
        for part in parts
    ]
    try:
        yield visits
    finally:
        for hook in hooks:
            hook.remove()
