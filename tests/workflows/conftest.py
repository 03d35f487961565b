from pathlib import Path

import pytest

from tests.robot_io.hdf5_builder import build


@pytest.fixture
def demos(tmp_path: Path) -> Path:
    return build(tmp_path / "demos.hdf5")
