"""Looking at results, and measuring them."""

from augment.evaluation.sheet import ROLE_COLOURS, contact_sheet, overlay

__all__ = ["ROLE_COLOURS", "contact_sheet", "overlay"]
