"""Two ways in which a dataset can be bad. Both messages say the value, the rule and the way out."""


class DatasetError(Exception):
    """The dataset as a whole cannot be used; nothing was done."""


class EpisodeError(Exception):
    """One episode cannot be used; the others can."""
