"""Recorded frames + what stays + a new plate -> restaged frames."""

from augment.compose.composite import Composite
from augment.compose.light import Light

__all__ = ["Composite", "Light"]
