"""Named in words, found by GroundingDINO, cut out by HQ-SAM, followed through time."""

from augment.segment.grounded.grounded import Grounded

__all__ = ["Grounded"]
