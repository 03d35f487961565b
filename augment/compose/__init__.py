"""Recorded frames + what stays + a new plate -> restaged frames."""

from augment.compose.composite import Composite

__all__ = ["Composite"]
