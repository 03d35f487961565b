"""How networks are trained: one file a method, one loop for all."""

from augment.training.detector import build as detector
from augment.training.examples import Examples
from augment.training.loop import Training, train
from augment.training.method import Method
from augment.training.segmenter import build as segmenter

METHODS: dict[str, Method] = {"detector": detector, "segmenter": segmenter}

__all__ = ["METHODS", "Examples", "Method", "Training", "train"]
