"""Records in, tables for people out."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from seaice.evaluate.records import ALL, Record
from seaice.evaluate.scores import CLASS_LABELS, METRICS
from seaice.page import Table

__all__ = [
    "BRIGHTNESS",
    "MAIN",
    "SURFACE",
    "class_table",
    "count_table",
    "score_table",
    "whole",
]

MAIN = (
    *("rmse", "mae", "bias", "std", "false_ice", "lost_ice"),
    *("within_1", "within_2", "every_1", "every_2"),
)
SURFACE = (
    "edge_mean",
    "edge_median",
    "edge_error",
    "extent_error",
    "extent_share",
    "area_error",
)
BRIGHTNESS = (
    *("psnr_h", "psnr_v", "ssim_h", "ssim_v", "rmse_h", "rmse_v", "rmse_p"),
    *("wave_h", "wave_v", "wave_p", "wave_sic"),
)
COUNTED = {
    "rmse": "cells",
    "false_ice": "cells without ice in the reference",
    "lost_ice": "cells above 15 % in the reference",
    "edge_mean": "edge cells of both maps",
    "within_1": "cells with told uncertainty, not decided",
}
DIGITS = {"%": 2, "km": 2, "1000 km2": 2, "dB": 2, "K": 2, "1": 4}

Place = tuple[str, float, str, str, str]  #: method, cell, subset, by, group


def score_table(
    title: str, records: Sequence[Record], rows: Mapping[str, Place], metrics: Iterable[str]
) -> Table:
    """Rows of places, columns of metrics; metrics that nobody has are left out."""
    result = _found(records)
    told = [name for name in metrics if any((place, name) in result for place in rows.values())]
    heads = [f"{METRICS[name].label}, {METRICS[name].unit}".removesuffix(", 1") for name in told]
    lines = []
    for label, place in rows.items():
        counts = [result[place, name].cells for name in told if (place, name) in result]
        cells = f"{max(counts):,.0f}" if counts and np.isfinite(max(counts)) else ""
        lines.append((label, cells, *(_shown(result.get((place, name))) for name in told)))
    return Table(title=title, heads=("", "cells", *heads), rows=tuple(lines))


def count_table(title: str, records: Sequence[Record], rows: Mapping[str, Place]) -> Table:
    """How many cells each kind of score rests on, and how many units the bootstrap draws."""
    result = _found(records)
    lines = []
    for label, place in rows.items():
        these = [result.get((place, name)) for name in COUNTED]
        units = next((str(record.units) for record in these if record), "")
        lines.append(
            (label, *(f"{record.cells:,.0f}" if record else "" for record in these), units)
        )
    return Table(title=title, heads=("", *COUNTED.values(), "units drawn"), rows=tuple(lines))


def class_table(
    title: str,
    records: Sequence[Record],
    columns: Mapping[str, tuple[str, float, str]],
    metric: str,
    by: str = "reference",
) -> Table:
    """Rows of the ten classes, one metric of every column; `columns` are (method, cell, subset)."""
    result = _found(records)
    lines = []
    for label in CLASS_LABELS:
        these = [result.get(((*place, by, label), metric)) for place in columns.values()]
        count = max((record.cells for record in these if record), default=0)
        lines.append((label, f"{count:,.0f}", *map(_shown, these)))
    heads = (f"class of {by}", "cells", *columns)
    return Table(title=title, heads=heads, rows=tuple(lines))


def _found(records: Sequence[Record]) -> dict[tuple[Place, str], Record]:
    return {(record[:5], record.metric): record for record in records}


def _shown(record: Record | None) -> str:
    """A value and its interval.

    >>> _shown(Record("m", 1.0, "all", "all", "all", "rmse", "%", 5.941, 5.5, 6.25, 9.0, 4))
    '5.94 (5.50 to 6.25)'
    """
    if record is None or not np.isfinite(record.value):
        return ""
    digits = DIGITS[record.unit]
    told = f"{record.value:.{digits}f}"
    if not np.isfinite(record.low):
        return told
    return f"{told} ({record.low:.{digits}f} to {record.high:.{digits}f})"


def whole(method: str, cell: float, subset: str = ALL) -> Place:
    """The place of scores over all cells."""
    return method, cell, subset, ALL, ALL
