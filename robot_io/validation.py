"""Is a dataset sound, and is what it took over from its source really the same?"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from robot_io.errors import EpisodeError
from robot_io.formats.base import Dataset
from robot_io.types import EpisodeEntry, Field, Provenance

WINDOW = 64


def unsound_episodes(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Name of and reason for every episode that a loader would stumble over; decodes every frame."""
    for entry in dataset.entries:
        reason = entry.problem or _undecodable(dataset, entry)
        if reason:
            yield entry.name, reason


@dataclass
class Comparison:
    """An output held against its source, field by field."""

    episodes: int = 0
    """Compared: originals and variants."""
    proven: int = 0
    """Fields found byte-identical; an original counts once, its id being a hash of all of it."""
    violations: list[str] = field(default_factory=list)
    exceptions: Counter[str] = field(default_factory=Counter)
    """What may differ, and how often it was met."""
    notes: list[str] = field(default_factory=list)

    def hold(self, where: str, source: Iterable[Field], output: Iterable[Field], restaged: Iterable[str] = ()) -> None:
        """Compare two sets of fields; pictures of the cameras in `restaged` and bookkeeping may differ."""
        before, after = ({item.name: item for item in fields} for fields in (source, output))
        cameras = set(restaged)
        for name in sorted(before.keys() | after.keys()):
            known = before.get(name) or after[name]
            if known.camera in cameras and name in before and name in after:
                self.exceptions[f"{name}: pictures of a restaged camera"] += 1
            elif known.bookkeeping:
                self.exceptions[f"{name}: bookkeeping"] += 1
            elif name not in after:
                self.violations.append(f"{where}: {name} is missing")
            elif name not in before:
                self.violations.append(f"{where}: {name} is not in the source")
            elif before[name].digest != after[name].digest:
                self.violations.append(f"{where}: {name} differs from the source")
            else:
                self.proven += 1


def compare(source: Dataset, output: Dataset) -> Comparison:
    """Prove that `output` carries over from `source` all that is not a restaged camera."""
    result = Comparison()
    origins: dict[str, list[EpisodeEntry]] = {}
    for entry in source.entries:
        if not entry.problem:
            origins.setdefault(entry.id, []).append(entry)
    originals = set()
    for entry in output.entries:
        if entry.problem:
            continue
        provenance = output.provenance(entry.name)
        result.episodes += 1
        if entry.id in origins:
            originals.add(entry.id)
            result.proven += 1
        elif provenance is None:
            result.violations.append(f"{entry.name}: is neither in the source nor marked as a variant")
        elif provenance.source not in origins:
            result.violations.append(f"{entry.name}: its source episode {provenance.source} is not in the source")
        else:
            _compare_variant(source, output, origins[provenance.source], entry, provenance, result)
    missing = len(origins) - len(originals)
    if missing:
        result.notes.append(f"{missing} of {len(origins)} source episodes are not in the output as recorded")
    unusable = [entry for entry in source.entries if entry.problem]
    result.notes += [f"{entry.name} was left out: {entry.problem}" for entry in unusable]
    result.hold("dataset", source.dataset_fields(), output.dataset_fields())
    return result


def _compare_variant(
    source: Dataset,
    output: Dataset,
    origins: list[EpisodeEntry],
    entry: EpisodeEntry,
    provenance: Provenance,
    result: Comparison,
) -> None:
    origin = next((candidate for candidate in origins if candidate.splits == entry.splits), None)
    if origin is None:
        result.violations.append(f"{entry.name}: in {entry.splits}, its source in {origins[0].splits}")
        return
    recorded, restaged = source.open(origin.id), output.open(entry.id)
    for camera in provenance.restaged:
        sizes = [
            (len(frames), frames.height, frames.width)
            for frames in (recorded.cameras[camera], restaged.cameras[camera])
        ]
        if sizes[0] != sizes[1]:
            result.violations.append(f"{entry.name}: {camera} is {sizes[1]}, recorded as {sizes[0]}")
    result.hold(entry.name, source.fields(origin.name), output.fields(entry.name), provenance.restaged)


def _undecodable(dataset: Dataset, entry: EpisodeEntry) -> str | None:
    try:
        episode = dataset.open(entry.id)
        for frames in episode.cameras.values():
            for start in range(0, len(frames), WINDOW):
                frames.read(start, min(start + WINDOW, len(frames)))
    except EpisodeError as error:
        return str(error)
    return None
