"""Who must stay: ways to find mask tracks, by name."""

from augment.segment.base import Segmenter
from augment.segment.motion import Motion
from augment.segment.recorded import Recorded

SEGMENTERS: dict[str, type[Segmenter]] = {"recorded": Recorded, "motion": Motion}

__all__ = ["SEGMENTERS", "Motion", "Recorded", "Segmenter"]
