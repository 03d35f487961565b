"""Where weights lie on this machine. Never touches the internet."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from xxhash import xxh3_128

from augment.errors import RequestError

PACKAGE = "package:"  # a source that begins so ships with this package
LOCAL = ("/", ".", "~")  # a source that begins so is a folder of one's own
PACKAGE_FOLDER = Path(__file__).parent / "packs"
SUFFIXES = (".json", ".txt", ".safetensors", ".bin")  # of what is read of a transformers folder
COMMIT = re.compile(r"[0-9a-f]{40}")


def is_hub_id(source: str) -> bool:
    """Whether a source is to be found on the Hub, rather than in a folder or in this package."""
    return not source.startswith((PACKAGE, *LOCAL))


def places(source: str, file: str | None, config: str, revision: str | None, shelf: str | None) -> Iterator[Path]:
    """Where a source's folder, or a file of it, may lie, in the order in which to look.

    `config`: a file that a folder of it has; `shelf`: a folder in which people keep weights. Raises RequestError where
    huggingface_hub is not installed.
    """
    if source.startswith(PACKAGE):
        yield PACKAGE_FOLDER / source.removeprefix(PACKAGE) / (file or "")
    elif not is_hub_id(source):
        yield Path(source).expanduser() / (file or "")
    else:
        if shelf:
            yield from _on_shelf(Path(shelf).expanduser(), source, file)
        yield from _in_cache(source, file, config, revision)


def commit_of(place: Path) -> str | None:
    """Repository and commit of which a place in the Hub cache is a snapshot; None for other places."""
    for folder in (place, *place.parents):
        if folder.parent.name == "snapshots" and COMMIT.fullmatch(folder.name):
            return f"{folder.parent.parent.name}/{folder.name}"
    return None


@cache
def content_of(place: Path) -> str:
    """Hash of a checkpoint, or of a folder's weights and of all that says how to read them."""
    files = [path for path in place.rglob("*") if path.suffix in SUFFIXES] if place.is_dir() else [place]
    total = xxh3_128()
    for path in sorted(files):
        total.update(f"{path.relative_to(place) if place.is_dir() else ''} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                total.update(block)
    return total.hexdigest()


def _on_shelf(shelf: Path, source: str, file: str | None) -> Iterator[Path]:
    for name in (source, source.rpartition("/")[2]):
        yield shelf / name / (file or "")
    if file:
        yield shelf / file


def _in_cache(source: str, file: str | None, config: str, revision: str | None) -> Iterator[Path]:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise RequestError(f"the Hub cache needs huggingface_hub ({error}); pip install 'restage[models]'") from error
    found = try_to_load_from_cache(source, file or config, revision=revision)
    if isinstance(found, str):
        yield Path(found) if file else Path(found).parent
