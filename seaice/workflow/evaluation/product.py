"""One product and one reference in, a report of how far they are apart out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seaice.evaluate.brightness import brightness_sums
from seaice.evaluate.fields.field import Field, align_fields
from seaice.evaluate.fields.open import open_field_isolated
from seaice.evaluate.figures import class_figure, doubt_figure, map_figure, spectra_figure
from seaice.evaluate.records import ALL, Case, Record, records_of
from seaice.evaluate.report import write_report
from seaice.evaluate.spectra import spectrum_sums, tile_sides
from seaice.evaluate.sums import Sums, area_units, joined, map_sums
from seaice.evaluate.tables import (
    BRIGHTNESS,
    MAIN,
    SURFACE,
    class_table,
    count_table,
    score_table,
    whole,
)
from seaice.evaluate.words import CLASSES_SAY, DOUBT_SAYS, MAPS_SAY, SPECTRA_SAY, definitions
from seaice.grid.blocks import block_mean
from seaice.page import Picture, Section
from seaice.workflow.stages import Progress

__all__ = ["UNIT", "compared", "evaluate_product", "sections_of"]

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
        uncertainty = ours.half_widths if factor == 1 else None
        sums = map_sums(sic, truth, coarse.cell / 1e3, block, areas, uncertainty)
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
        result = spectrum_sums(ours.sic, theirs.sic, side)
        if len(result) >= FEW:
            cases = [case(sums={"spectrum_sic": result})]
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


UNIT = 100_000.0  #: m, side of the squares that the bootstrap draws
LATE = np.timedelta64(18, "h")  #: between two maps, from which on the report warns
Pair = tuple[Field, Field]  #: product and reference


def sections_of(
    given: Pair, pair: Pair, cases: Sequence[Case], records: Sequence[Record]
) -> list[Section]:
    """The report of a product against a reference.

    Parameters
    ----------
    given : as they were read
    pair : on the same cells
    cases : maps of several cell sizes, the finest first; then spectra and brightness of the finest
    records : of these cases
    """
    maps = [case for case in cases if "moments" in case.sums]
    others = [case for case in cases if "moments" not in case.sums]
    finest = maps[0]
    figure = map_figure(pair[1].sic, {"estimate": pair[0].sic}, finest.cell)
    picture = Picture(name="maps", figure=figure, says=MAPS_SAY)
    facts = _facts(*given, 1e3 * finest.cell)
    words = definitions(f"squares of {UNIT / 1e3:g} km (spectra and brightness: of their tiles)")
    return [
        Section(title="What is compared", says=facts, pictures=(picture,)),
        *_scores(maps, records),
        *_uncertainty(finest, records),
        *_spectra_section(finest, others, records),
        Section(title="How it is measured", says=words),
    ]


def _facts(ours: Field, theirs: Field, cell: float) -> tuple[str, ...]:
    """What is compared with what, where and when."""
    facts = [
        f"Estimate: {ours.name}, cells of {ours.grid.cell / 1e3:g} km, {_when(ours)}.",
        f"Reference: {theirs.name}, cells of {theirs.grid.cell / 1e3:g} km, {_when(theirs)}.",
        f"Compared on cells of {cell / 1e3:g} km, by area-weighted means: nothing is interpolated, "
        "and land gives nothing to its neighbours.",
    ]
    if ours.time is None or theirs.time is None:
        facts.append("Time difference: not known, because one of them does not tell its time.")
    else:
        difference = ours.time - theirs.time
        hours = difference / np.timedelta64(1, "h")
        facts.append(f"Time difference: estimate minus reference {hours:+.1f} hours.")
        if abs(difference) >= LATE:
            facts.append(
                "That is long: ice drifts 10 km and more a day, so part of what follows is drift."
            )
    return tuple(facts)


def _when(field: Field) -> str:
    if field.time is None:
        return "time not told"
    return f"{np.datetime_as_string(field.time.astype('datetime64[m]')).replace('T', ' ')} UTC"


def _scores(maps: Sequence[Case], records: Sequence[Record]) -> Iterator[Section]:
    rows = {f"cells of {case.cell:g} km": whole(case.method, case.cell) for case in maps}
    columns = {f"{case.cell:g} km": (case.method, case.cell, ALL) for case in maps}
    yield Section(
        title="Scores",
        tables=(
            score_table("Concentration", records, rows, MAIN),
            score_table("Edge, extent and area", records, rows, SURFACE),
            count_table("What the scores rest on", records, rows),
        ),
    )
    yield Section(
        title="By class of concentration",
        tables=tuple(
            class_table(f"{label} by class, %", records, columns, metric)
            for metric, label in (("rmse", "RMSE"), ("mae", "MAE"), ("bias", "Bias"))
        ),
        pictures=(Picture(name="classes", figure=class_figure(maps[:1]), says=CLASSES_SAY),),
    )


def _uncertainty(finest: Case, records: Sequence[Record]) -> Iterator[Section]:
    """Shares within both half-widths by class, where the product tells its uncertainty."""
    if "doubt" not in finest.sums or not finest.sums["doubt"].any():
        return
    columns = {"share": (finest.method, finest.cell, ALL)}
    tables = []
    for by in ("reference", "estimate"):
        for metric, label in (("within_1", "68 %"), ("within_2", "95 %")):
            title = f"Cells within the half-width for {label} by class of {by}, %"
            tables.append(class_table(title, records, columns, metric, by))
    figure = doubt_figure([finest], [finest.method])
    picture = Picture(name="uncertainty", figure=figure, says=DOUBT_SAYS)
    yield Section(title="Uncertainty", tables=tuple(tables), pictures=(picture,))


def _spectra_section(
    finest: Case, others: Sequence[Case], records: Sequence[Record]
) -> Iterator[Section]:
    """Spectra, where the maps are large enough, and scores of brightness temperature."""
    spectra = {
        name: [case for case in others if case.sums.get(f"spectrum_{name}", np.zeros(1)).any()]
        for name in ("v", "p", "sic")
    }
    spectra = {name: these for name, these in spectra.items() if these}
    if not spectra:
        return
    rows = {f"cells of {finest.cell:g} km": whole(finest.method, finest.cell)}
    table = score_table("Resolution and brightness temperature", records, rows, BRIGHTNESS)
    figure = spectra_figure(spectra, [finest.method])
    picture = Picture(name="spectra", figure=figure, says=SPECTRA_SAY)
    yield Section(title="Spectra", tables=(table,), pictures=(picture,))
