"""Looking at results, and measuring them."""

from augment.evaluation.report import Story, render_report
from augment.evaluation.sheet import ROLE_COLOURS, contact_sheet, overlay
from augment.evaluation.variety import variety

__all__ = ["ROLE_COLOURS", "Story", "contact_sheet", "overlay", "render_report", "variety"]
