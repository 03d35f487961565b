"""What can go wrong beyond a single episode. Messages say the value, the rule and the way out."""


class RequestError(Exception):
    """What was asked for cannot be done; nothing was started."""


class RunError(Exception):
    """The run cannot go on; what is finished stays finished, and the same command resumes."""


class UnseenError(Exception):
    """What has to stay, or is to be edited, cannot be found on a camera, which is left as recorded for this reason."""


class PaintError(Exception):
    """Networks could not make a picture: numbers that are none, or not enough memory. The variant is turned down."""
