"""One product and one reference in, a report of how far they are apart out."""

from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seaice.evaluate.brightness import brightness_sums
from seaice.evaluate.fields.field import Field, align_fields
from seaice.evaluate.fields.open import open_field_isolated
from seaice.evaluate.records import Case, records_of
from seaice.evaluate.report import write_report
from seaice.evaluate.spectra import spectrum_sums, tile_sides
from seaice.evaluate.sums import Sums, area_units, joined, map_sums
from seaice.grid.blocks import block_mean
from seaice.workflow.evaluation.product_report import UNIT, sections_of
from seaice.workflow.stages import Progress

__all__ = ["compared", "evaluate_product"]

SIZES = (1562.5, 3125.0, 6250.0, 12500.0)  #: m, of the cells to compare on
FEW = 4  #: tiles without gaps that spectra need; else smaller ones are taken
Map = NDArray[np.float32]


def evaluate_product(
    product: Path,
    reference: Path,
    folder: Path,
    day: date | None,
    cell: float | None,
    progress: Progress,
) -> Path:
    """Write the report of a product against a reference into `folder`; the path of its HTML.

    Parameters
    ----------
    product, reference : see `seaice.evaluate.fields.open.open_field`
    day : which to take of a reference with several; None: the product's
    cell : km, side of the cells to compare on; None: the coarser of the two

    Raises
    ------
    SeaIceError
        If either cannot be read, they share no sea, or nothing can be written.
    """
    progress("evaluate", 0, 3)
    ours = open_field_isolated(product)
    if day is None and ours.time is not None:
        day = ours.time.astype("datetime64[D]").item()
    theirs = open_field_isolated(reference, day)
    progress("evaluate", 1, 3)
    pair = align_fields(ours, theirs, None if cell is None else 1e3 * cell)
    cases = compared(*pair)
    records = [record for case in cases for record in records_of(case)]
    progress("evaluate", 2, 3)
    sections = sections_of((ours, theirs), pair, cases, records)
    write_report(folder, f"{ours.name} against {theirs.name}", sections, records)
    progress("evaluate", 3, 3)
    return folder / "report.html"


def compared(ours: Field, theirs: Field) -> list[Case]:
    """What is compared on cells of each size, and then of the spectra on the finest.

    Parameters
    ----------
    ours, theirs : on the same cells
    """
    name, lattice = ours.name, ours.grid
    both = np.isfinite(ours.sic) & np.isfinite(theirs.sic)
    ours, theirs = (
        replace(field, sic=np.where(both, field.sic, np.float32("nan"))) for field in (ours, theirs)
    )
    cases = []
    for factor in _factors(lattice.cell):
        coarse = lattice.coarsen(factor)
        sic, truth = (
            block_mean(field.sic, factor, min_valid=0.5, dtype=np.float64)
            for field in (ours, theirs)
        )
        block = max(1, round(UNIT / coarse.cell))
        areas = coarse.cell_area(*area_units(sic.shape, block))
        # How errors of neighbouring cells go together is not told: doubt is of the finest cells.
        doubt = ours.half_widths if factor == 1 else None
        sums = map_sums(sic, truth, coarse.cell / 1e3, block, areas, doubt)
        cases.append(Case(method=name, cell=coarse.cell / 1e3, sums=sums))
    return cases + _spectra(ours, theirs)


def _factors(cell: float) -> list[int]:
    """How many cells make one of each size to compare on.

    >>> _factors(1562.5), _factors(6250.0), _factors(25e3), _factors(2000.0)
    ([1, 2, 4, 8], [1, 2], [1], [1])
    """
    whole = [size / cell for size in SIZES if size >= cell * 0.999]
    return sorted({1, *(round(ratio) for ratio in whole if abs(ratio - round(ratio)) < 1e-3)})


def _spectra(ours: Field, theirs: Field) -> list[Case]:
    """Spectra of concentration; of brightness temperatures too, where both have them.

    Units are the tiles: the largest ones of which a few have no gap.
    """
    case = partial(Case, method=ours.name, cell=ours.grid.cell / 1e3)
    for side in tile_sides(ours.sic.shape):
        found = spectrum_sums(ours.sic, theirs.sic, side)
        if len(found) >= FEW:
            cases = [case(sums={"spectrum_sic": found})]
            if ours.tb is not None and theirs.tb is not None:
                cases.append(case(sums=_brightness(ours.tb, theirs.tb, side)))
            return cases
    return []


def _brightness(ours: Map, theirs: Map, side: int) -> Sums:
    """Sums of brightness temperatures (2, y, x), a unit for each tile that has any."""
    rows, columns = (range(0, n - side + 1, side) for n in ours.shape[1:])
    tiles = [
        np.s_[:, row : row + side, column : column + side] for row in rows for column in columns
    ]
    sums = joined([brightness_sums(ours[tile], theirs[tile], side) for tile in tiles])
    seen = sums["tb"][:, 0] > 0
    return {name: values[seen] for name, values in sums.items()}
