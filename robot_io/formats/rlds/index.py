"""The table of contents: one pass over every record of every shard, each thread holding one record at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from xxhash import xxh3_64_hexdigest

from robot_io.errors import DatasetError
from robot_io.formats.base import refuse_lfs_pointer
from robot_io.formats.rlds.contents import Contents, Location
from robot_io.formats.rlds.examine import Finding, examine
from robot_io.formats.rlds.features import Feature, cameras, leaves
from robot_io.formats.rlds.info import FEATURES, INFO, Info, read_info, read_json
from robot_io.formats.rlds.soundness import read_sidecar, stray_provenance, stray_shards, wrong_sizes
from robot_io.formats.rlds.tfrecord import Record, scan
from robot_io.types import EpisodeEntry

THREADS = 4


@dataclass(frozen=True)
class _Surveyed:
    offset: int
    size: int
    identity: str
    """Empty where the record cannot be read."""
    finding: Finding


def index(path: Path) -> Contents:
    """Read the version folder `path`. Raises DatasetError where it is unsound as a whole."""
    info = read_info(path)
    features = _read_features(path)
    shards = _declared_shards(path, info)
    with ThreadPoolExecutor(THREADS) as pool:
        surveys = list(pool.map(lambda shard: _survey(path / shard[1], shard[2], features), shards))
    _refuse_absent(path, [record.finding for survey in surveys for record in survey])
    entries, locations = list[EpisodeEntry](), list[Location]()
    records = Counter[str]()
    for shard, ((split, _, _), survey) in enumerate(zip(shards, surveys, strict=True)):
        for record in survey:
            name, problem = f"{split}/{records[split]}", record.finding.problem
            records[split] += 1
            identity = record.identity or _identity(f"{name}: {problem}".encode())
            entries.append(EpisodeEntry(name, identity, record.finding.length, (split,), problem))
            locations.append(Location(shard, record.offset, record.size))
    files = tuple((split, file) for split, file, _ in shards)
    sidecar, unsound = read_sidecar(path)
    unsound += wrong_sizes(info, entries, locations)
    unsound += stray_shards(path, [file for _, file in files])
    unsound += stray_provenance(sidecar, entries)
    return Contents(path, info, features, files, tuple(entries), tuple(locations), sidecar, tuple(unsound))


def _declared_shards(path: Path, info: Info) -> list[tuple[str, str, int]]:
    """Split, file name and number of records of each shard, in order."""
    shards = [
        (split.name, file, length)
        for split in info.splits
        for file, length in zip(info.shards(split, len(split.shard_lengths)), split.shard_lengths, strict=True)
    ]
    for split, file, _ in shards:
        if not (path / file).is_file():
            raise DatasetError(
                f"{path} has no {file}, which {INFO} declares for split {split}; fetch it or build the dataset again"
            )
        refuse_lfs_pointer(path / file)
    return shards


def _survey(path: Path, declared: int, features: Sequence[Feature]) -> list[_Surveyed]:
    return [
        _Surveyed(record.offset, 0, "", Finding(0, record.problem))
        if record.problem
        else _Surveyed(record.offset, len(record.payload), _identity(record.payload), examine(record.payload, features))
        for record in _records(path, declared)
    ]


def _identity(content: bytes) -> str:
    return xxh3_64_hexdigest(content)


def _read_features(path: Path) -> tuple[Feature, ...]:
    way_out = "build the dataset again, or fetch the file from where it came"
    _, content = read_json(path / FEATURES, way_out)
    try:
        features = leaves(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path / FEATURES} does not describe features ({type(error).__name__}: {error}); {way_out}"
        ) from error
    if not cameras(features):
        raise DatasetError(
            f"{path / FEATURES} declares no camera: expected an Image of uint8 and 3 channels within `steps`, found "
            f"{', '.join(feature.key for feature in features) or 'nothing'}; there is nothing to restage here"
        )
    return features


def _records(path: Path, declared: int) -> Iterator[Record]:
    """Every record that the shard should hold, those that cannot be reached as problems."""
    count, hidden = 0, False
    for record in scan(path):
        yield record
        count, hidden = count + 1, record.last
    if not hidden and count != declared:
        raise DatasetError(
            f"{path} holds {count} records, but {INFO} declares {declared} in shardLengths; correct it, or fetch both "
            "from where they came"
        )
    for _ in range(count, declared):
        yield Record(0, problem="it cannot be reached: the record before it in its shard is corrupt or cut off")


def _refuse_absent(path: Path, findings: Iterable[Finding]) -> None:
    readable = [finding for finding in findings if finding.is_example]
    absent = Counter(key for finding in readable for key in finding.absent)
    missing = [key for key, count in absent.items() if count == len(readable)]
    if missing:
        raise DatasetError(
            f"{path / FEATURES} declares {', '.join(missing)}, which not one of {len(readable)} records holds; the "
            "file belongs to another version of the dataset: fetch the right one, or remove these features from it"
        )
