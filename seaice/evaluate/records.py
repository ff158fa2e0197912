"""Sums in, lines of scores with their intervals out: what every table and the CSV is made of."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice.errors import NoInputError
from seaice.evaluate.bootstrap import interval, resampled
from seaice.evaluate.scores import CLASS_LABELS, METRICS, class_scores, counted, overall
from seaice.evaluate.sums import Sums, total

__all__ = ["Case", "Record", "read_csv", "records_of", "write_csv"]

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """What was compared: one method on cells of one size, over some units."""

    method: str
    cell: float  #: km
    subset: str = ALL  #: of the units: a season, a kind of day
    sums: Sums


class Record(NamedTuple):
    """One score; value and bounds in the unit that is told."""

    method: str
    cell_km: float
    subset: str
    by: str  #: "all", or class of "reference" or of "estimate"
    group: str  #: "all", or the class
    metric: str
    unit: str
    value: float
    low: float  #: of the 95 % interval
    high: float
    cells: float  #: that it rests on
    units: int  #: that were drawn in the bootstrap


def records_of(case: Case) -> Iterator[Record]:
    """All scores of a case, over all cells and by class."""
    whole, draws = total(case.sums), resampled(case.sums)
    units = len(next(iter(case.sums.values())))
    scores, drawn = overall(whole, case.cell), overall(draws, case.cell)
    for name in scores:
        if name in METRICS:
            yield _record(
                case, (ALL, ALL, name), scores[name], drawn[name], counted(whole, name), units
            )
    if "moments" not in whole:
        return
    classes, drawn_classes = class_scores(whole), class_scores(draws)
    for by, result in classes.items():
        for name in (name for name in result if name in METRICS):
            part = whole["moments" if name[:6] != "within" else f"within_{by}"]
            for n, label in enumerate(CLASS_LABELS):
                several = drawn_classes[by][name][:, n]
                cells = float(part[n, 0])
                yield _record(case, (by, label, name), result[name][n], several, cells, units)


def _record(
    case: Case,
    what: tuple[str, str, str],
    value: NDArray[np.float64],
    drawn: NDArray[np.float64],
    cells: float,
    units: int,
) -> Record:
    metric = METRICS[what[2]]
    bounds = interval(drawn) if units > 1 else (np.nan, np.nan)
    told, low, high = (float(metric.factor * number) for number in (value, *bounds))
    place = case.method, case.cell, case.subset
    return Record(*place, *what, metric.unit, told, low, high, cells, units)


def read_csv(path: Path) -> list[Record]:
    """Records as `write_csv` wrote them.

    Raises
    ------
    NoInputError
        If the file is absent or holds something else.
    """
    kinds = Record.__annotations__
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        return [
            Record(**{name: kind(line[name]) for name, kind in kinds.items()}) for line in lines
        ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise NoInputError(
            f"{path}, which holds no scores ({type(error).__name__}: {error})",
            "scores.csv of an evaluation",
            "make one: seaice evaluate PRODUCT REFERENCE --out evaluation",
        ) from error


def write_csv(records: Sequence[Record], path: Path) -> None:
    """All records, a line each."""
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(Record._fields)
        for record in records:
            lines.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in record])
