"""What can go wrong beyond a single episode. Messages say the value, the rule and the way out."""


class RequestError(Exception):
    """What was asked for cannot be done; nothing was started."""


class RunError(Exception):
    """The run cannot go on; what is finished stays finished, and the same command resumes."""
