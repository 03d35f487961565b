"""`restage extend`: narrow photos for wide cameras."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipelines import tiny_pipeline
from workflows.cli import main


def extend(*overrides: str) -> int:
    return main(["extend", "models=sd21", "models.device=cpu", "steps=2", "candidates=2", *overrides])


def test_a_folder_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tiny_pipeline(tmp_path / "base")
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (32, 24, 3)).astype(np.uint8)).save(photos / f"{name}.png")
    words = [f"pictures.path={photos}", f"models.base.source={base}", "prompt=a wooden table"]
    assert extend(*words, f"output.path={tmp_path / 'wide'}") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"2/2 {tmp_path / 'wide' / 'b.png'}"
    made = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "wide").iterdir()}
    assert {name: picture.shape for name, picture in made.items()} == {"a": (32, 36, 3), "b": (32, 36, 3)}
    for name, picture in made.items():
        assert np.array_equal(picture[:, 6:30], np.asarray(Image.open(photos / f"{name}.png")))
    (tmp_path / "wide" / "b.png").unlink()
    assert extend(*words, f"output.path={tmp_path / 'wide'}") == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "wide" / "b.png")), made["b"])


def test_what_cannot_be_extended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*words: str) -> str:
        assert extend(f"pictures.path={tmp_path}", f"output.path={tmp_path / 'out'}", *words) == 2
        return capsys.readouterr().err

    assert "prompt" in refused()
    assert "holds no picture" in refused("prompt=a wall")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    assert "a.jpg, a.png would be written to one file" in refused("prompt=a wall")
    (tmp_path / "a.jpg").unlink()
    assert "at least 0, and one above 0" in refused("prompt=a wall", "margins.left=-1")
    assert "candidates=0" in refused("prompt=a wall", "candidates=0")
    assert "choose another" in refused("prompt=a wall", f"output.path={tmp_path}")
    (tmp_path / "a.png").write_bytes(b"no picture")
    base = tiny_pipeline(tmp_path / "base")
    assert "a.png cannot be read" in refused("prompt=a wall", f"models.base.source={base}")
