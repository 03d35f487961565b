"""The recordings that come with the package: six episodes, 128 pixels, with masks.

`python -m robot_io.tabletop.samples` renders them anew.
"""

from pathlib import Path

from robot_io.tabletop.spec import TabletopSpec

SPEC = TabletopSpec(episodes=6, size=128, seed=106)


def samples_path() -> Path:
    """The HDF5 file. Raises FileNotFoundError where the package was installed without it."""
    path = Path(__file__).with_name("samples.hdf5")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; render it with `python -m robot_io.tabletop.samples`")
    return path


def main() -> None:
    from robot_io.tabletop.episodes import render_dataset  # needs MuJoCo, which finding the samples does not

    render_dataset(SPEC, Path(__file__).with_name("samples.hdf5"))


if __name__ == "__main__":
    main()
