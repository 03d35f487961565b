"""Is a restaged camera fit to train on? Ways to judge, by name."""

from augment.check.base import CameraCheck, Check, Verdict, Window
from augment.check.default import DefaultCheck
from augment.check.none import NoCheck

CHECKS: dict[str, type[Check]] = {"default": DefaultCheck, "none": NoCheck}

__all__ = ["CHECKS", "CameraCheck", "Check", "DefaultCheck", "NoCheck", "Verdict", "Window"]
