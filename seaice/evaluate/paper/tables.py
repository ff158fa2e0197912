"""Scores in, LaTeX tables out, for the package booktabs."""

from collections.abc import Iterable, Sequence

from seaice.evaluate.records import Record
from seaice.evaluate.scores import CLASS_LABELS

__all__ = ["class_rows", "escaped", "overall_rows", "tabular"]

OVERALL = ("rmse", "mae", "bias")
DASH = "--"
SPECIAL = {"\\": r"\textbackslash{}", "%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", "$": r"\$"}


def escaped(text: str) -> str:
    r"""Text as LaTeX prints it.

    >>> escaped("bicubic + nasa_team, %")
    'bicubic + nasa\\_team, \\%'
    """
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def tabular(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: the first column to the left, numbers to the right."""
    lines = [
        r"\begin{tabular}{l" + "r" * (len(heads) - 1) + "}",
        r"\toprule",
        " & ".join(map(escaped, heads)) + r" \\",
        r"\midrule",
        *(" & ".join(map(escaped, row)) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def overall_rows(records: Sequence[Record]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of RMSE, MAE and bias of each method on cells of each size."""
    told = {
        (r.method, r.cell_km, r.metric): r
        for r in records
        if (r.subset, r.by) == ("all", "all") and r.metric in OVERALL
    }
    methods = list(dict.fromkeys(method for method, _, _ in told))
    cells = sorted({cell for _, cell, _ in told})
    heads = ["Method", *(f"{m.upper() if m != 'bias' else 'Bias'} (%)" for m in OVERALL)]
    rows = [
        [f"{method}, {cell:g} km", *(_number(told.get((method, cell, m))) for m in OVERALL)]
        for cell in cells
        for method in methods
    ]
    return heads, rows


def class_rows(records: Sequence[Record]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of one score by class, a column a method.

    Parameters
    ----------
    records : of one metric, on cells of one size, by class of the reference
    """
    told = {(r.method, r.group): r for r in records}
    methods = list(dict.fromkeys(method for method, _ in told))
    rows = [
        [label, *(_number(told.get((method, label))) for method in methods)]
        for label in CLASS_LABELS
    ]
    return ["Class", *methods], rows


def _number(record: Record | None) -> str:
    return DASH if record is None or record.value != record.value else f"{record.value:.2f}"
