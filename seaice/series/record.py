"""The series of a hemisphere: one CSV file, a row for each day, product region and sea."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seaice.files import alone, atomic_file

__all__ = [
    "Row",
    "entered",
    "lines_of",
    "read_lines",
    "read_series",
    "series_path",
    "write_series",
]


class Row(NamedTuple):
    """One line of the file; areas in km2, NaN (an empty cell) where nothing was observed."""

    date: str  #: the day, UTC
    ground: str  #: what the product covers: all, or its region
    sea: str  #: all, or a name of `seaice.series.seas`
    status: str  #: provisional or final
    extent_km2: float
    extent_uncertainty_km2: float
    area_km2: float
    area_uncertainty_km2: float
    observed_km2: float
    missing_km2: float
    observed_share: float  #: of the whole sea, wherever the product ends
    method: str  #: super-resolution and concentration
    version: str


NUMBERS = tuple(name for name, kind in Row.__annotations__.items() if kind is float)


def series_path(out: Path, hemisphere: str) -> Path:
    """Where the series of a hemisphere lies.

    >>> series_path(Path("products"), "north").as_posix()
    'products/seaice_series_north.csv'
    """
    return out / f"seaice_series_{hemisphere}.csv"


def entered(path: Path, rows: Iterable[Row]) -> None:
    """Put rows into the series at `path`; those of the same day and ground are replaced.

    Runs of other days may do so at the same time: they wait for each other.

    Raises
    ------
    OutputError
        If the disk refuses; the series is then as it was.
    """
    new = list(rows)
    replaced = {(row.date, row.ground) for row in new}
    with alone(path):
        old = [row for row in read_series(path) if (row.date, row.ground) not in replaced]
        write_series(path, [*old, *new])


def write_series(path: Path, rows: Iterable[Row]) -> None:
    """Write the whole series in one step, sorted by day and ground; seas keep their order."""
    ordered = sorted(rows, key=lambda row: (row.date, row.ground))
    with atomic_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(Row._fields)
        lines.writerows(lines_of(ordered))


def lines_of(rows: Iterable[Row]) -> list[list[str]]:
    """Rows as the cells of the file, in the order given."""
    return [[_text(name, row) for name in Row._fields] for row in rows]


def read_lines(path: Path) -> dict[tuple[str, str], list[list[str]]]:
    """The cells of a series by date and ground, as they stand in the file; none without a file.

    Raises
    ------
    ValueError
        If it has other columns, or a line of another length.
    """
    found: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    if not path.exists():
        return found
    with path.open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    if tuple(head) != Row._fields:
        raise ValueError("other columns")
    for line in lines:
        if len(line) != len(Row._fields):
            raise ValueError(f"a line of {len(line)} cells")
        found[line[0], line[1]].append(line)
    return found


def read_series(path: Path) -> list[Row]:
    """The rows of a series; none where there is no file, or it has other columns."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.DictReader(file)
        if tuple(lines.fieldnames or ()) != Row._fields:
            return []
        return [_row(line) for line in lines]


def _row(line: dict[str, str]) -> Row:
    given = {
        name: (float(text) if text else np.nan) if name in NUMBERS else text
        for name, text in line.items()
    }
    return Row(**given)  # type: ignore[arg-type]


def _text(name: str, row: Row) -> str:
    value = getattr(row, name)
    if name not in NUMBERS:
        return str(value)
    if not np.isfinite(value):
        return ""
    return f"{value:.4f}" if name == "observed_share" else f"{value:.0f}"
