"""A training that is killed and started again leaves what it would have left anyway, byte by byte."""

import multiprocessing
import signal
from pathlib import Path

import pytest
import torch

from augment.errors import RequestError
from augment.training.checkpoint import CHECKPOINT
from augment.training.journal import LOGS
from tests.augment.training.kills import run
from tests.augment.training.worlds import tiny_model


def left(folder: Path) -> dict[str, bytes]:
    """All but curves, which have times in them, and the checkpoint, whose archive depends on who shares what."""
    files = [path for path in folder.rglob("*") if path.is_file() and LOGS not in path.parts and path.suffix != ".pt"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["controlnet", "initialization_policy"])
def test_killed_and_resumed_is_as_uninterrupted(name: str, tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    processes = multiprocessing.get_context("forkserver")  # a clean process, without this one's threads
    processes.set_forkserver_preload(["tests.augment.training.kills"])
    for killed_at in (-1, 3):
        process = processes.Process(target=run, args=(name, base, killed, killed_at))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert (killed / CHECKPOINT).exists()
    run(name, base, killed)
    run(name, base, whole)
    assert left(killed) == left(whole)
    states = [torch.load(folder / CHECKPOINT, weights_only=True) for folder in (killed, whole)]
    torch.testing.assert_close(*[state["network"] for state in states], rtol=0, atol=0)
    torch.testing.assert_close(*[state["optimizer"]["state"] for state in states], rtol=0, atol=0)
    assert {path.name for path in (whole / "sheets").iterdir()} == {"0000003.png"}


def test_a_checkpoint_over_other_networks_is_refused(tmp_path: Path) -> None:
    run("controlnet", tiny_model(tmp_path / "base"), tmp_path / "out")
    other = tiny_model(tmp_path / "other", prediction_type="epsilon", rescale_betas_zero_snr=False)
    with pytest.raises(RequestError, match=r"of another training \(.*model="):
        run("controlnet", other, tmp_path / "out")
