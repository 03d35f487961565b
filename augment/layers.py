"""The store of layers: all that is known of a recorded camera, in files that a person can open and edit.

    <root>/<episode id>/<camera>/<key>/
        about.json          what this is, and what it was made from
        plate.png           the clean plate; filled by a guess where hole.png is white
        hole.png            white where the background was never seen
        frames.csv          dy, dx, yy, yx, xy, xx, zy, zx: how to move the plate to lie on that frame
                            (docs/layers.md); red, green, blue: its exposure
        masks/00-robot.zip  one PNG a frame, 000000.png ..., white = the thing; a single .png where nothing moves
        alpha/00-robot.zip  likewise, of the frames that have any: share of the foreground (augment/alphas.py)

The key is a hash of what the layers were computed from, so they are found again as long as that is the same. Edited
files are used as they are, and variants made from the unedited ones are made anew.
"""

import csv
import json
import shutil
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from augment.alphas import StoredAlpha, find_stored, write_alpha
from augment.images import Warp, unwarp, warp
from augment.pngs import Archive, add, check_size, decode, encode
from augment.types import AlphaTrack, Backdrop, Background, MaskTrack, Role, Stability

WINDOW = 32
PER_FRAME = ("dy", "dx", "yy", "yx", "xy", "xx", "zy", "zx", "red", "green", "blue")


@dataclass(frozen=True)
class StoredTrack:
    """A MaskTrack in a layers folder: a zip of PNGs, or one PNG for every frame."""

    path: Path
    role: Role
    label: str
    shape: tuple[int, int, int]
    share: float
    """Of the picture that it covered, on average, when it was stored; 0..1."""
    confidence: float | None = None

    @property
    def title(self) -> str:
        """For people: its role, what it is called, and how sure its maker was."""
        sure = "" if self.confidence is None else f", confidence {self.confidence:.2f}"
        return f"{self.role} ({self.label}{sure})"

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        stop = min(stop, len(self))
        if self.path.suffix == ".png":
            return np.broadcast_to(self._decode(self.path.read_bytes()), (stop - start, *self.shape[1:])).copy()
        frames = [self._decode(self._archive.read(frame)) for frame in range(start, stop)]
        return np.stack(frames) if frames else np.zeros((0, *self.shape[1:]), dtype=np.bool_)

    @cached_property
    def _archive(self) -> Archive:
        return Archive(self.path)

    def _decode(self, png: bytes) -> Bool[np.ndarray, "h w"]:
        mask = decode(png, self.shape[1:], f"a mask in {self.path}")
        return mask if mask.dtype == np.bool_ else mask > 127


@dataclass(frozen=True)
class Layers:
    """One camera's layers, read in windows."""

    folder: Path
    camera: str
    length: int
    height: int
    width: int
    stability: Stability
    unrest: float
    """Fraction of the height: how far parts of registered frames typically lie from where the plate has them."""
    moves: tuple[tuple[int, int], ...]
    """Frames `start:stop` in which a moving camera moves."""
    tracks: tuple[StoredTrack, ...]
    grain: tuple[float, float, float]
    """Standard deviation of the recording's noise, grey levels per channel."""
    problem: str | None
    """Why what has to stay could not be found, where that is so."""

    def backdrop(
        self, new: UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "t h w 3"], start: int, stop: int
    ) -> Backdrop:
        """A new plate, or new backgrounds, behind frames `start:stop`."""
        window = slice(start, stop)
        grain = np.array(self.grain, dtype=np.float32)
        return Backdrop(self.plate, self.hole, new, self.warps[window], self.gains[window], grain)

    @cached_property
    def plate(self) -> UInt8[np.ndarray, "h w 3"]:
        return self._picture("plate.png", "RGB")

    @cached_property
    def hole(self) -> Bool[np.ndarray, "h w"]:
        return self._picture("hole.png", "L") > 127

    def _picture(self, name: str, mode: str) -> np.ndarray:
        with Image.open(self.folder / name) as image:
            picture = np.asarray(image.convert(mode))
        check_size(picture, (self.height, self.width), str(self.folder / name))
        return picture

    @property
    def warps(self) -> Float32[Warp, "t"]:
        """How the plate is moved to lie on each frame."""
        return self._per_frame[:, :8]

    @property
    def gains(self) -> Float32[np.ndarray, "t 3"]:
        """Exposure of each frame, per channel, relative to the plate."""
        return self._per_frame[:, 8:]

    @cached_property
    def _per_frame(self) -> Float32[np.ndarray, "t 11"]:
        with (self.folder / "frames.csv").open(newline="") as file:
            rows = [[float(row[name]) for name in PER_FRAME] for row in csv.DictReader(file)]
        return np.array(rows, dtype=np.float32).reshape(-1, len(PER_FRAME))

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(track.role for track in self.tracks)

    @property
    def shares(self) -> Mapping[str, float]:
        """Role -> share of the picture, 0..1, that its tracks covered when they were stored, at most."""
        return {role: sum(track.share for track in self.tracks if track.role == role) for role in sorted(self.roles)}

    def keep(self, preserve: Iterable[Role], start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        """Union of the tracks of the preserved roles."""
        return self._union(frozenset(preserve), start, stop)

    def alpha(self, preserve: Iterable[Role], start: int, stop: int) -> UInt8[np.ndarray, "t h w"]:
        """Share of the foreground, 1..255, where more is known than the masks of the preserved roles say; else 0.

        Of every role; where another one is preserved, its masks decide.
        """
        stop, roles = min(stop, self.length), frozenset(preserve)
        said = np.zeros((stop - start, self.height, self.width), dtype=np.uint8)
        for alpha in self._alphas:
            if alpha.role in roles:
                found = alpha.read(start, stop)
                found[self._union(roles - {alpha.role}, start, stop)] = 0
                np.maximum(said, found, out=said)
        return said

    @cached_property
    def _alphas(self) -> tuple[StoredAlpha, ...]:
        return find_stored(self.folder / "alpha", (self.length, self.height, self.width))

    def masks(self, start: int, stop: int) -> dict[Role, Bool[np.ndarray, "t h w"]]:
        """Every role's mask."""
        return {role: self.mask(role, start, stop) for role in sorted(self.roles)}

    def mask(self, role: Role, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        """Union of a role's tracks; empty masks where it has none."""
        return self._union({role}, start, stop)

    def region(self, role: Role) -> Bool[np.ndarray, "h w"]:
        seen = np.zeros((self.height, self.width), dtype=np.bool_)
        for start in range(0, self.length if role in self.roles else 0, WINDOW):
            for index, mask in enumerate(self.mask(role, start, start + WINDOW), start):
                seen |= warp(mask, unwarp(self.warps[index]))
        return seen

    def _union(self, roles: Collection[Role], start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        stop = min(stop, self.length)
        union = np.zeros((stop - start, self.height, self.width), dtype=np.bool_)
        for track in self.tracks:
            if track.role in roles:
                union |= track.read(start, stop)
        return union

    @cached_property
    def digest(self) -> str:
        """Hash of every file's content: changes when a person edits one."""
        digest = blake2b(digest_size=8)
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            digest.update(str(path.relative_to(self.folder)).encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


def layers_key(made_from: Mapping[str, Any]) -> str:
    """Name of the folder for layers computed from `made_from` (JSON values)."""
    return blake2b(json.dumps(made_from, sort_keys=True).encode(), digest_size=8).hexdigest()


def file_name(camera: str) -> str:
    """A camera's name as a file name: `/` and the like are percent-encoded."""
    return quote(camera, safe=" @+=,")


def layers_folder(root: Path, episode: str, camera: str, key: str) -> Path:
    return root / episode / file_name(camera) / key


def has_layers(folder: Path) -> bool:
    return (folder / "about.json").is_file()


def open_layers(folder: Path) -> Layers:
    """The layers in a folder that has them."""
    about = json.loads((folder / "about.json").read_text())
    shape = (about["length"], about["height"], about["width"])
    tracks = tuple(
        StoredTrack(
            folder / track["file"], Role(track["role"]), track["label"], shape, track["share"], track["confidence"]
        )
        for track in about["tracks"]
    )
    moves = tuple((start, stop) for start, stop in about["moves"])
    stability, grain = Stability(about["stability"]), tuple(about["grain"])
    return Layers(folder, about["camera"], *shape, stability, about["unrest"], moves, tracks, grain, about["problem"])


def write_layers(
    folder: Path,
    made_from: Mapping[str, Any],
    camera: str,
    background: Background,
    plate: UInt8[np.ndarray, "h w 3"],
    hole: Bool[np.ndarray, "h w"],
    tracks: Sequence[MaskTrack],
    problem: str | None = None,
) -> Layers:
    """Store layers; the folder appears by one rename, when it is whole."""
    with LayersWriter(folder, camera, (len(background.warps), *hole.shape)) as writer:
        writer.store(tracks)
        return writer.finish(made_from, background, plate, hole, problem)


class LayersWriter:
    """Layers in the making: masks are stored first, so that the plate can be found from them.

    A context manager; nothing is left of what was not finished.
    """

    def __init__(self, folder: Path, camera: str, shape: tuple[int, int, int]) -> None:
        """`shape`: the recording's length, height and width."""
        self._folder, self._camera, self._shape = folder, camera, shape
        self._unfinished = folder.with_name(f".{folder.name}.{uuid4().hex}")
        self._tracks: list[dict[str, Any]] = []
        (self._unfinished / "masks").mkdir(parents=True)

    def __enter__(self) -> "LayersWriter":
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def store(self, tracks: Sequence[MaskTrack]) -> tuple[StoredTrack, ...]:
        """All masks of some tracks; returns the tracks as they are stored, which are quick to read."""
        stored = []
        for number, track in enumerate(tracks, len(self._tracks)):
            written = _write_track(self._unfinished, f"{number:02d}-{track.role}", track)
            self._tracks.append({**written, "role": track.role, "label": track.label, "confidence": track.confidence})
            path = self._unfinished / written["file"]
            stored.append(StoredTrack(path, track.role, track.label, self._shape, written["share"], track.confidence))
        return tuple(stored)

    def store_alpha(self, alphas: Iterable[AlphaTrack]) -> None:
        """Likewise of alpha, as far as there is any."""
        folder = self._unfinished / "alpha"
        folder.mkdir()
        for number, alpha in enumerate(alphas):
            write_alpha(folder / f"{number:02d}-{alpha.role}.zip", alpha)
        if not any(folder.iterdir()):
            folder.rmdir()

    def finish(
        self,
        made_from: Mapping[str, Any],
        background: Background,
        plate: UInt8[np.ndarray, "h w 3"],
        hole: Bool[np.ndarray, "h w"],
        problem: str | None = None,
    ) -> Layers:
        """The folder appears by one rename, when it is whole."""
        (self._unfinished / "plate.png").write_bytes(encode(plate))
        (self._unfinished / "hole.png").write_bytes(encode(hole))
        _write_per_frame(self._unfinished / "frames.csv", background)
        (self._unfinished / "about.json").write_text(self._about(made_from, background, problem))
        try:
            self._unfinished.rename(self._folder)
        except OSError:
            if not has_layers(self._folder):  # else another worker was faster, with the same content
                raise
        return open_layers(self._folder)

    def _about(self, made_from: Mapping[str, Any], background: Background, problem: str | None) -> str:
        length, height, width = self._shape
        about = {
            "camera": self._camera,
            "length": length,
            "height": height,
            "width": width,
            "stability": background.stability,
            "moves": background.moves,
            "unrest": round(background.unrest, 5),
            "grain": [round(float(value), 3) for value in background.grain],
            "tracks": self._tracks,
            "problem": problem,
            "made_from": dict(made_from),
        }
        return json.dumps(about, indent=2, sort_keys=True) + "\n"


def _write_per_frame(path: Path, background: Background) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", *PER_FRAME])
        for index, (by, gain) in enumerate(zip(background.warps, background.gains, strict=True)):
            rows.writerow([index, *map(str, by), *(f"{value:.6f}" for value in gain)])


def _write_track(root: Path, name: str, track: MaskTrack) -> dict[str, Any]:
    """Write a track below `root`; returns the file's path relative to it, and the share of the picture it covers."""
    archive_path, picture_path = root / "masks" / f"{name}.zip", root / "masks" / f"{name}.png"
    first: bytes | None = None
    last: np.ndarray | None = None
    png, still = b"", True
    covered = 0.0
    with zipfile.ZipFile(archive_path, "w", zipfile.ZIP_STORED) as archive:
        for start in range(0, len(track), WINDOW):
            for offset, mask in enumerate(track.read(start, start + WINDOW)):
                png = png if last is not None and np.array_equal(mask, last) else encode(mask)
                first, last = first or png, mask
                still &= png == first
                covered += np.count_nonzero(mask) / mask.size
                add(archive, start + offset, png)
    share = round(covered / max(1, len(track)), 5)
    if not still or first is None:
        return {"file": f"masks/{archive_path.name}", "share": share}
    archive_path.unlink()
    picture_path.write_bytes(first)
    return {"file": f"masks/{picture_path.name}", "share": share}
