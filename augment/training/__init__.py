"""How networks are trained: one file a method, one loop for all."""

from augment.training.autoencoder import Autoencoder
from augment.training.base import Base
from augment.training.blended_pixel import BlendedPixel
from augment.training.controlnet import ControlNet
from augment.training.detector import Detector
from augment.training.examples import Examples
from augment.training.image_folder import open_image_folder
from augment.training.initialization_policy import Policy
from augment.training.loop import train
from augment.training.machine import open_machine
from augment.training.method import Data, Method, Workshop
from augment.training.scenes import CaptionedScene, Scenes, caption_episodes, hold_out
from augment.training.segmenter import Segmenter

METHODS: dict[str, type[Method]] = {
    "detector": Detector,
    "segmenter": Segmenter,
    "autoencoder": Autoencoder,
    "base": Base,
    "controlnet": ControlNet,
    "initialization_policy": Policy,
    "blended_pixel": BlendedPixel,
}

__all__ = [
    "METHODS",
    "CaptionedScene",
    "Data",
    "Examples",
    "Method",
    "Scenes",
    "Workshop",
    "caption_episodes",
    "hold_out",
    "open_image_folder",
    "open_machine",
    "train",
]
