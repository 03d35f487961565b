"""Tables of figures, a line at a time."""

import math
from collections.abc import Iterable, Mapping, Sequence

NAME, LEAST = 32, 12  # characters, of the first column and of all others


def heading(columns: Iterable[str]) -> str:
    return f"{'':{NAME}}" + "".join(f"{_short(column):>{_width(column)}}" for column in columns)


def row(name: str, cells: Mapping[str, float | str]) -> str:
    """`cells`: by column. Numbers are rounded to three digits; what is not known (NaN) is a dash."""
    texts = {column: cell if isinstance(cell, str) else _text(cell) for column, cell in cells.items()}
    return f"{name:{NAME}}" + "".join(f"{text:>{_width(column)}}" for column, text in texts.items())


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of every column, over the rows that know it; NaN if none does."""
    known = {column: [row[column] for row in rows if not math.isnan(row[column])] for column in rows[0]}
    return {column: sum(values) / len(values) if values else math.nan for column, values in known.items()}


def _text(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:.3g}"


def _short(column: str) -> str:
    return column.replace("recall", "rec.").replace("precision", "prec.")


def _width(column: str) -> int:
    return max(LEAST, len(_short(column)) + 2)
