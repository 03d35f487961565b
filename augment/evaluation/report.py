"""A run as one HTML file that needs nothing else: what was recorded, what was made of it, and why not more."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from jinja2 import Environment, FileSystemLoader
from PIL import Image

JPEG_QUALITY = 85
MOMENT = 120  # ms: how long an animation shows a frame

BINS = 8
WIDEST = 240  # pixels


@dataclass(frozen=True, eq=False)
class Story:
    """One camera of one episode."""

    title: str
    sheet: UInt8[np.ndarray, "h w 3"]
    """Recorded, masks, plate, shadows, variants."""
    animation: Sequence[UInt8[np.ndarray, "frame_height frame_width 3"]]
    """Recorded and variants side by side, frame by frame; may be empty."""


def render_report(
    title: str, summary: Mapping[str, Any], figures: Mapping[str, Sequence[float]], stories: Iterable[Story]
) -> str:
    """HTML without references to anything outside it. `figures`: name -> values that the checks measured."""
    pictures = [
        {"title": story.title, "sheet": _jpeg(story.sheet), "animation": _webp(story.animation)} for story in stories
    ]
    return (
        Environment(autoescape=True, loader=FileSystemLoader(Path(__file__).parent))
        .get_template("report.html.j2")
        .render(
            title=title,
            summary=summary,
            histograms=[row for name, values in sorted(figures.items()) for row in histogram(name, values)],
            troubles=[*summary["quarantined"], *summary["failed"], *summary["rejected"]],
            stories=pictures,
        )
    )


def histogram(name: str, values: Sequence[float]) -> list[dict[str, Any]]:
    """Rows of a histogram: name, from, to, count, and width in pixels of the bar."""
    if min(values) == max(values):
        counts, edges = np.array([len(values)]), np.array([values[0], values[0]])
    else:
        counts, edges = np.histogram(values, bins=BINS)
    return [
        {
            "name": name,
            "start": f"{start:.4g}",
            "stop": f"{stop:.4g}",
            "count": int(count),
            "width": int(WIDEST * count / max(1, counts.max())),
        }
        for count, start, stop in zip(counts, edges[:-1], edges[1:], strict=True)
        if count
    ]


def _jpeg(picture: UInt8[np.ndarray, "h w 3"]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return _embedded("image/jpeg", buffer)


def _webp(frames: Sequence[UInt8[np.ndarray, "h w 3"]]) -> str | None:
    if not frames:
        return None
    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "WEBP", save_all=True, append_images=rest, duration=MOMENT, loop=0, quality=JPEG_QUALITY)
    return _embedded("image/webp", buffer)


def _embedded(kind: str, buffer: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
