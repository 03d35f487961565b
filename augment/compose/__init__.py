"""Recorded frames + what stays + a new plate -> restaged frames."""

from augment.compose.composite import Backdrop, Composite
from augment.compose.light import Light

__all__ = ["Backdrop", "Composite", "Light"]
