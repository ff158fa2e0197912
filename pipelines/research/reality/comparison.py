"""The lines of the reality check: a real value, a simulated one, an allowed range, a verdict.

The simulator's tables are derived from one half of the Round Robin samples
(`seaice.simulate.derive.fitted_half`); the reality check compares with the other half. Each half
consists of whole periods of five days, so that a granule, and the weather of one day, is never
in both.

The allowed range follows from the real data alone: the periods (or scenes, or charts) are split at
random into two halves many times, and the root mean square of the difference between the halves is
the `spread`. A simulated figure agrees if it is within `TIMES` spreads of the real one.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DRAWS",
    "TIMES",
    "Line",
    "as_csv",
    "compare_figures",
    "figure_key",
    "half_spread",
    "period",
    "summary",
    "table",
]

Mask = NDArray[np.bool_]
Scalars = Mapping[str, float]
DRAWS = 40  #: random splits; the spread is then known to about a tenth
TIMES = 2.0  #: spreads between two real halves that a simulated figure may be off


def period(time: NDArray[np.datetime64], days: int = 5) -> NDArray[np.int64]:
    """Number of the period of some days that holds each time, counted from 1970.

    >>> period(np.array(["2017-07-01", "2017-07-02"], "datetime64[D]"), days=1)
    array([17348, 17349])
    """
    return np.asarray(time.astype("datetime64[D]").astype(np.int64) // days)


def half_spread(
    blocks: NDArray[np.generic], figures: Callable[[Mask], Scalars], seed: int = 0
) -> dict[str, float]:
    """Root mean square difference of figures between two random halves of the blocks.

    For the mean of n independent samples of standard deviation s it is 2 s / sqrt(n): twice the
    standard error of the mean of all.

    Parameters
    ----------
    blocks : (sample,) label of the period, scene or region of each sample; a block is in one half
    figures : called with a mask (sample,); returns named figures, NaN where it has too few samples
    seed : of the splits

    Returns
    -------
    dict of float
        In the unit of each figure; NaN where no split gave the figure in both halves.
    """
    rng = np.random.default_rng(seed)
    labels = np.unique(blocks)
    squares: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        chosen = rng.permutation(labels)[: len(labels) // 2]
        first = np.isin(blocks, chosen)
        one, other = figures(first), figures(~first)
        for name in one.keys() & other.keys():
            squares.setdefault(name, []).append((one[name] - other[name]) ** 2)
    return {name: _root_mean(values) for name, values in squares.items()}


def _root_mean(squares: list[float]) -> float:
    known = [value for value in squares if np.isfinite(value)]
    return float(np.sqrt(np.mean(known))) if known else float("nan")


#: K. No brightness temperature is compared more closely than the calibration of one channel is
#: known: the standard deviation of its offset in `seaice.simulate.settings.draw_instrument`.
CALIBRATION = 1.5
#: Fraction of samples that the weather filters of ASI call open water, which the filters are
#: required to do (shared by product and simulator): at least, at most.
FILTER_LIMITS = {"open water": (0.99, 1.0), "ice": (0.0, 0.01)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure of the real and of the simulated data."""

    group: str
    place: str
    name: str
    unit: str
    real: float
    simulated: float
    low: float  #: least simulated value within range
    high: float  #: largest
    rule: str  #: how the range follows from the data: `halves`, `worlds`, `between`, `limit`
    stored: bool = True  #: whether the real value may be written to files of the repository

    @property
    def within(self) -> bool:
        """Whether the simulated value is within the allowed range; never if it is NaN."""
        return self.low <= self.simulated <= self.high

    @property
    def verdict(self) -> str:
        """`within` or `outside`."""
        return "within" if self.within else "outside"

    @property
    def excess(self) -> float:
        """Distance to the real value in half-widths of the range: above 1 is outside."""
        half = self.high - self.real if self.simulated > self.real else self.real - self.low
        return abs(self.simulated - self.real) / half if half > 0 else float("inf")


def figure_key(group: str, place: str, name: str, unit: str) -> str:
    """Key of a figure in the tables of both sides.

    >>> figure_key("land", "Greenland", "18.7 GHz H", "K")
    'land|Greenland|18.7 GHz H|K'
    """
    return "|".join((group, place, name, unit))


def compare_figures(
    real: Mapping[str, Mapping[str, Any]], simulated: Mapping[str, Any]
) -> list[Line]:
    """Every figure of the real data against the simulated one.

    Parameters
    ----------
    real : by `figure_key`: `value`; `rule`; `spread` between two real halves (rule `halves`);
        `low` and `high` of two kinds of real data (rule `between`)
    simulated : by `figure_key`: a float, or (median, standard deviation over worlds, number of
        worlds) for figures whose rule is `worlds`

    Returns
    -------
    list of Line
        In the order of `real`. A figure that the simulation does not give is NaN: outside.
    """
    figure_lines = []
    for name, figure in real.items():
        group, place, what, unit = name.split("|")
        value, low, high = float(figure["value"]), -np.inf, np.inf
        ours = simulated.get(name, float("nan"))
        least = CALIBRATION if unit == "K" and "spectra" not in group else 0.0
        if figure["rule"] == "limit":
            low, high = FILTER_LIMITS["open water" if what.startswith("open water") else "ice"]
        elif figure["rule"] == "between":
            low, high = float(figure["low"]), float(figure["high"])
        elif figure["rule"] == "worlds":
            ours, deviation, count = ours if isinstance(ours, Sequence) else (ours, 0.0, 1)
            allowed = TIMES * max(deviation, least) * np.sqrt(1 + 1 / count)
            low, high = value - allowed, value + allowed
        else:
            allowed = max(TIMES * float(figure["spread"]), least)
            low, high = value - allowed, value + allowed
        figure_lines.append(
            Line(
                group=group,
                place=place,
                name=what,
                unit=unit,
                real=value,
                simulated=float(ours),
                low=float(low),
                high=float(high),
                rule=str(figure["rule"]),
                stored=bool(figure.get("stored", True)),
            )
        )
    return figure_lines


HEADER = (
    "group", "place", "name", "unit", "real", "simulated", "low", "high", "rule", "off", "verdict",
)  # fmt: skip
GHZ = {"6": "6.9", "7": "7.3", "10": "10.7", "18": "18.7", "23": "23.8", "36": "36.5", "89": "89"}
NOT_STORED = "-"  #: in files, of figures of scenes that may not be redistributed


def _label(name: str) -> str:
    """A figure's name with channels spelled out.

    >>> _label("tb10h slope")
    '10.7 GHz H slope'
    """
    return re.sub(r"tb(\d+)([hv])", lambda match: f"{GHZ[match[1]]} GHz {match[2].upper()}", name)


def _cells(line: Line, *, everything: bool) -> tuple[str, ...]:
    numbers = [f"{x:.4g}" for x in (line.real, line.simulated, line.low, line.high)]
    if not (line.stored or everything):
        numbers = [NOT_STORED] * 4
    off = "" if line.rule == "limit" else f"{line.excess:.2f}"
    return (
        line.group,
        line.place,
        _label(line.name),
        line.unit,
        *numbers,
        line.rule,
        off,
        line.verdict,
    )


def as_csv(figure_lines: Iterable[Line], *, everything: bool = False) -> str:
    """All lines as CSV with a header.

    Parameters
    ----------
    figure_lines : lines
    everything : also values of scenes that may not be redistributed, for a screen, not for a file
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_cells(line, everything=everything) for line in figure_lines)
    return text.getvalue()


def summary(figure_lines: Sequence[Line]) -> str:
    """Markdown table: how many lines of each group are within range, and of all."""
    rows = ["| group | lines | within range |", "| --- | --- | --- |"]
    for group in dict.fromkeys(line.group for line in figure_lines):
        of = [line for line in figure_lines if line.group == group]
        rows.append(f"| {group} | {len(of)} | {sum(line.within for line in of)} |")
    inside = sum(line.within for line in figure_lines)
    total = len(figure_lines)
    rows.append(f"| all | {total} | {inside} ({100 * inside / max(total, 1):.0f} %) |")
    return "\n".join(rows)


def table(figure_lines: Iterable[Line]) -> str:
    """Markdown table of lines, one a row; no value of scenes that may not be redistributed."""
    rows = [
        "| group | place | name | real | simulated | allowed | rule | off | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for line in figure_lines:
        group, place, name, unit, real, ours, low, high, rule, off, verdict = _cells(
            line, everything=False
        )
        shown = f"{name}, {unit}" if unit not in ("", "1") else name
        allowed = f"{low} to {high}" if line.stored else NOT_STORED
        cells = (group, place, shown, real, ours, allowed, rule, off, verdict)
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
