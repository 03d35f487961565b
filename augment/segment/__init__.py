"""Who must stay: ways to find mask tracks, by name."""

from augment.segment.base import Segmenter
from augment.segment.grounded import Grounded
from augment.segment.motion import Motion
from augment.segment.recorded import Recorded

SEGMENTERS: dict[str, type[Segmenter]] = {"recorded": Recorded, "motion": Motion, "grounded": Grounded}

__all__ = ["SEGMENTERS", "Grounded", "Motion", "Recorded", "Segmenter"]
