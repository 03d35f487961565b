"""What the camera stands before: stability, registration, exposure, and the clean plate."""

from augment.scene.alpha import find_alpha
from augment.scene.fill import fill_smoothly
from augment.scene.grain import measure_grain
from augment.scene.plate import clean_plate
from augment.scene.samples import Samples
from augment.scene.survey import Survey

__all__ = ["Samples", "Survey", "clean_plate", "fill_smoothly", "find_alpha", "measure_grain"]
