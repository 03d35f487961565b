"""Video files, through PyAV."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from robot_io.errors import DatasetError


def write_video(path: Path, windows: Iterable[UInt8[np.ndarray, "t h w 3"]], fps: float) -> None:
    """Write frames to an H.264 file that any player opens; an odd last row or column is dropped."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "18"}
        for frames in windows:
            for frame in frames:
                even = np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
                if not stream.codec_context.is_open:
                    stream.height, stream.width = even.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())


def read_video(path: Path) -> tuple[UInt8[np.ndarray, "t h w 3"], float | None]:
    """All frames of a video file's first stream, in memory, and their rate per second if the file knows it.

    Raises DatasetError where it cannot be decoded.
    """
    try:
        with av.open(str(path)) as container:
            rate = container.streams.video[0].average_rate if container.streams.video else None
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DatasetError(f"{path} cannot be read as a video: {error}; give a file that ffmpeg decodes") from error
    if not frames:
        raise DatasetError(f"{path} cannot be read as a video: it has no frames; give a file that ffmpeg decodes")
    return np.stack(frames), None if rate is None else float(rate)
