"""Two maps in, sums over units of them out, from which every score follows.

A unit is what is drawn again in the bootstrap: a square of about 100 km of one map, or a whole
world of a set. Cells next to each other err together, so that drawing cells would claim a certainty
that nobody has. Sums are small and add up: a score over many units needs no cell again.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seaice.evaluate.edge import edge_sums

__all__ = [
    "CLASSES",
    "DECIDED",
    "DOUBTS",
    "EDGE",
    "Sums",
    "area_units",
    "joined",
    "map_sums",
    "total",
]

EDGE = 0.15  #: concentration of the ice edge
#: as near to 0 or 1 a filter or a clamp has decided, or a reference in percent tells no more: most
#: of these cells are right to the last digit, so that any half-width holds them
DECIDED = 0.005
CLASSES = 10  #: of concentration, 10 % each
DOUBTS = np.array([0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, np.inf])  #: told

Map = NDArray[np.floating]
Array = NDArray[np.float64]
Sums = dict[str, Array]
"""Sums by name, each with units along its first axis."""


def map_sums(
    estimate: Map,
    reference: Map,
    cell: float,
    block: int,
    areas: Array | float | None = None,
    doubt: Map | None = None,
) -> Sums:
    """The sums of two maps, where both are known.

    Parameters
    ----------
    estimate, reference : (y, x) 0-1, NaN on land and in gaps
    cell : km, side of a cell
    block : cells along a unit's side; that of the whole map if it is one unit
    areas : km2 of a cell, one for all or (units,) of each, row by row; None: cell squared
    doubt : (2, y, x) what the estimate tells of its error: half-widths that hold 68 and 95 % of
        them, which are one and two standard deviations where errors are normal

    Returns
    -------
    Sums with the units that have any known cell. After the unit:
        `moments` (class of reference, 4): cells, sum of errors, of their size, of their square;
        `open` (2): cells without ice in the reference, of those above 15 % in the estimate;
        `ice` (2): cells above 15 % in the reference, of those below in the estimate;
        `area` (5), km2: ice only in the estimate, ice only in the reference, ice in the reference
        (cells of 15 % and more), ice area of the estimate, of the reference;
        `edge`, `edge_steps`: see `seaice.evaluate.edge.edge_sums`;
        with doubt `within_every` (3): cells, within the first, within the second half-width; of
        cells that were not `DECIDED` the same as `within_reference`, `within_estimate` (class, 3),
        and `doubt` (bin of the first, 3): cells, sum of it squared, of errors squared.
    """
    rows, columns = (-(-n // block) for n in estimate.shape)
    known = np.isfinite(estimate) & np.isfinite(reference)
    estimate, reference = (np.where(known, values, np.nan) for values in (estimate, reference))
    strips = list(_strips(estimate, reference, doubt, block, columns))
    result = {name: np.concatenate([strip[name] for strip in strips]) for name in strips[0]}
    sizes = np.broadcast_to(cell**2 if areas is None else areas, (rows * columns,))
    result["area"] = result["area"] * sizes[:, None]
    result |= edge_sums(_edge(estimate), _edge(reference), cell, block)
    used = result["moments"][:, :, 0].sum(1) > 0
    return {name: values[used] for name, values in result.items()}


def area_units(shape: tuple[int, int], block: int) -> tuple[Array, Array]:
    """(row, column) of the middle of each unit, in the order of `map_sums`."""
    middles = (np.arange(-(-n // block)) * block + min(block, n) / 2 for n in shape)
    row, column = np.meshgrid(*middles, indexing="ij")
    return row.ravel(), column.ravel()


def joined(parts: Sequence[Sums]) -> Sums:
    """The units of all parts."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def total(sums: Mapping[str, Array]) -> Sums:
    """The sums over all units; scores are functions of these."""
    return {name: values.sum(0) for name, values in sums.items()}


def _strips(
    estimate: Map, reference: Map, doubt: Map | None, block: int, columns: int
) -> Iterator[Sums]:
    """Sums of one row of units after the other, so that memory stays that of a strip."""
    for start in range(0, estimate.shape[0], block):
        rows = slice(start, start + block)
        known = np.isfinite(estimate[rows])
        unit = np.nonzero(known)[1] // block
        ours, theirs = (values[rows][known].astype(np.float64) for values in (estimate, reference))
        sums = _counted(ours, theirs, unit, columns)
        if doubt is not None:
            told = doubt[:, rows][:, known].astype(np.float64)
            sums |= _doubted(ours, theirs, told, unit, columns)
        yield sums


def _counted(ours: Array, theirs: Array, unit: NDArray[np.int64], units: int) -> Sums:
    error = ours - theirs
    above, below = ours >= EDGE, theirs >= EDGE
    water, ice = theirs == 0, theirs > EDGE
    every = np.ones_like(error)
    return {
        "moments": _binned(
            unit, units, _class(theirs), CLASSES, (every, error, abs(error), error**2)
        ),
        "open": _by_unit(unit, units, (water, water & (ours > EDGE))),
        "ice": _by_unit(unit, units, (ice, ice & (ours < EDGE))),
        "area": _by_unit(unit, units, (above & ~below, below & ~above, below, ours, theirs)),
    }


def _doubted(ours: Array, theirs: Array, doubt: Array, unit: NDArray[np.int64], units: int) -> Sums:
    told = np.isfinite(doubt).all(0)
    every = _by_unit(unit[told], units, _within(ours[told], theirs[told], doubt[:, told]))
    told &= (ours > DECIDED) & (ours < 1 - DECIDED)
    ours, theirs, unit, doubt = ours[told], theirs[told], unit[told], doubt[:, told]
    shares = _within(ours, theirs, doubt)
    bins = np.digitize(doubt[0], DOUBTS[1:-1])
    squares = (shares[0], doubt[0] ** 2, (ours - theirs) ** 2)
    return {
        "within_every": every,
        "within_reference": _binned(unit, units, _class(theirs), CLASSES, shares),
        "within_estimate": _binned(unit, units, _class(ours), CLASSES, shares),
        "doubt": _binned(unit, units, bins, len(DOUBTS) - 1, squares),
    }


def _within(ours: Array, theirs: Array, doubt: Array) -> tuple[NDArray[np.generic], ...]:
    """Of each cell: that it is one, and whether its error is within either half-width."""
    error = abs(ours - theirs)
    return np.ones_like(error), error <= doubt[0], error <= doubt[1]


def _class(sic: Array) -> NDArray[np.int64]:
    """0 for 0-10 % to 9 for 90-100 %; a bound belongs to the class above it, 100 % to the last.

    >>> _class(np.array([0.0, np.float32(0.3), 0.999, 1.0])).tolist()
    [0, 3, 9, 9]
    """
    index = (sic.astype(np.float32) * np.float32(CLASSES)).astype(np.int64)
    return np.clip(index, 0, CLASSES - 1)


def _binned(
    unit: NDArray[np.int64],
    units: int,
    index: NDArray[np.int64],
    bins: int,
    values: Sequence[NDArray[np.generic]],
) -> Array:
    """(unit, bin, value) sums."""
    key = unit * bins + index
    return _by_unit(key, units * bins, values).reshape(units, bins, len(values))


def _by_unit(unit: NDArray[np.int64], units: int, values: Sequence[NDArray[np.generic]]) -> Array:
    columns = [np.bincount(unit, value, units).astype(np.float64) for value in values]
    return np.stack(columns, axis=-1)


def _edge(sic: Map) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where there is ice, and where water: land and gaps are neither."""
    with np.errstate(invalid="ignore"):
        return sic >= EDGE, sic < EDGE
