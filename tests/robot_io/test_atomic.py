from pathlib import Path

import pytest

from robot_io.atomic import replacing


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_old_stays_until_the_new_is_whole(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "below" / "out"

    def make(place: Path, text: str) -> None:
        if kind == "folder":
            place.mkdir()
            place = place / "inside"
        place.write_text(text)

    def read() -> str:
        return (out / "inside" if kind == "folder" else out).read_text()

    with replacing(out) as unfinished:
        make(unfinished, "first")
        assert not out.exists()
    assert read() == "first"
    with pytest.raises(FileExistsError), replacing(out) as unfinished:  # noqa: PT012
        make(unfinished, "second")
        (tmp_path / "below").mkdir()
    assert read() == "first"
    with replacing(out) as unfinished:
        make(unfinished, "third")
        assert read() == "first"
    assert read() == "third"
    assert list(out.parent.iterdir()) == [out]


def test_leftovers_of_a_killed_run_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "half").write_text("x")
    with replacing(tmp_path / "out") as unfinished:
        unfinished.mkdir()
    assert list((tmp_path / "out").iterdir()) == []
