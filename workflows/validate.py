"""`restage validate`: check a dataset; with a source, prove what was carried over from it."""

import sys
from typing import Any

from robot_io import open_dataset
from robot_io.validation import compare, unsound_episodes
from workflows import _config
from workflows._dataset import open_configured

EXIT_UNSOUND, EXIT_BAD_EPISODES = 2, 3


def main(config: Any) -> int:
    """Returns 0 if all is well, 2 if the dataset is unsound or differs from its source, 3 if only episodes are bad."""
    dataset = open_configured(config)
    problems = dataset.problems()
    bad = dict(unsound_episodes(dataset))
    lines = [f"{dataset.path}: {len(dataset.entries)} episodes, {len(bad)} bad"]
    lines += [f"  bad episode {name}: {reason}" for name, reason in bad.items()]
    source = _config.text(config, "source.path")
    if source:
        result = compare(open_dataset(source, _config.text(config, "source.format") or "auto"), dataset)
        problems += result.violations
        lines.append(f"against {source}: {result.episodes} episodes compared, {result.proven} fields byte-identical")
        lines += [f"  may differ: {name} ({count} times)" for name, count in sorted(result.exceptions.items())]
        lines += [f"  note: {note}" for note in result.notes]
    lines += [f"  PROBLEM: {problem}" for problem in problems]
    lines.append("unsound" if problems else "sound, but for bad episodes" if bad else "sound")
    sys.stdout.write("\n".join(lines) + "\n")
    if problems:
        return EXIT_UNSOUND
    return EXIT_BAD_EPISODES if bad else 0
