"""What stands still behind the robot: how the camera moves, and the clean plate."""

from augment.scene.fill import fill_smoothly
from augment.scene.plate import clean_plate, take_samples
from augment.scene.survey import Survey

__all__ = ["Survey", "clean_plate", "fill_smoothly", "take_samples"]
