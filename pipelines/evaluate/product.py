"""One product and one reference in, a report of how far they are apart out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.stages import Progress
from seaice.evaluate.brightness import brightness_sums
from seaice.evaluate.fields.common import together
from seaice.evaluate.fields.field import Field, block_means
from seaice.evaluate.fields.open import open_field
from seaice.evaluate.figures import class_figure, doubt_figure, map_figure, spectra_figure
from seaice.evaluate.records import Case, Record, records_of
from seaice.evaluate.report import Picture, Section, write_report
from seaice.evaluate.spectra import spectrum_sums, tile_sides
from seaice.evaluate.sums import area_units, joined, map_sums
from seaice.evaluate.tables import BRIGHTNESS, MAIN, SURFACE, class_table, score_table, whole
from seaice.evaluate.words import CLASSES_SAY, DOUBT_SAYS, MAPS_SAY, SPECTRA_SAY, definitions

__all__ = ["compared", "evaluate_product"]

SIZES = (1562.5, 3125.0, 6250.0, 12500.0)  #: m, of the cells to compare on
UNIT = 100_000.0  #: m, side of the squares that the bootstrap draws
FEW = 4  #: tiles without gaps that spectra need; else smaller ones are taken
LATE = np.timedelta64(18, "h")  #: between two maps, from which on the report warns


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
    ours = open_field(product)
    if day is None and ours.time is not None:
        day = ours.time.astype("datetime64[D]").item()
    theirs = open_field(reference, day)
    progress("evaluate", 1, 3)
    pair = together(ours, theirs, None if cell is None else 1e3 * cell)
    cases = compared(*pair)
    records = [record for case in cases for record in records_of(case)]
    progress("evaluate", 2, 3)
    facts = _facts(ours, theirs, pair[0].lattice.cell)
    sections = _sections(pair, cases, records, facts)
    write_report(folder, f"{ours.name} against {theirs.name}", sections, records)
    progress("evaluate", 3, 3)
    return folder / "report.html"


def compared(ours: Field, theirs: Field) -> list[Case]:
    """What is compared on cells of each size, and then of the spectra on the finest.

    Parameters
    ----------
    ours, theirs : on the same cells
    """
    name, lattice = ours.name, ours.lattice
    both = np.isfinite(ours.sic) & np.isfinite(theirs.sic)
    ours, theirs = (
        replace(field, sic=np.where(both, field.sic, np.float32("nan"))) for field in (ours, theirs)
    )
    cases = []
    for factor in _factors(lattice.cell):
        coarse = lattice.coarsened(factor)
        sic, truth = (block_means(field.sic, factor) for field in (ours, theirs))
        block = max(1, round(UNIT / coarse.cell))
        areas = coarse.cell_area(*area_units(sic.shape, block))
        # How errors of neighbouring cells go together is not told: sigma is of the finest cells.
        sigma = ours.sigma if factor == 1 else None
        sums = map_sums(sic, truth, coarse.cell / 1e3, block, areas, sigma)
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
    """Spectra of concentration; of brightness temperatures too, where both have them."""
    case = partial(Case, method=ours.name, cell=ours.lattice.cell / 1e3)
    cases = []
    for side in tile_sides(ours.sic.shape):
        found = spectrum_sums(ours.sic, theirs.sic, side)
        if len(found) >= FEW or (len(found) and side == tile_sides(ours.sic.shape)[-1]):
            cases.append(case(sums={"spectrum_sic": found}))
            break
    if not cases or ours.tb is None or theirs.tb is None:
        return cases
    parts = []
    for row in range(0, ours.sic.shape[0] - side + 1, side):
        for column in range(0, ours.sic.shape[1] - side + 1, side):
            tile = np.s_[:, row : row + side, column : column + side]
            parts.append(brightness_sums(ours.tb[tile], theirs.tb[tile], side))
    seen = [part for part in parts if part["tb"][0, 0] > 0]
    return [*cases, case(sums=joined(seen))] if seen else cases


def _facts(ours: Field, theirs: Field, cell: float) -> tuple[str, ...]:
    """What is compared with what, where and when."""
    facts = [
        f"Estimate: {ours.name}, cells of {ours.lattice.cell / 1e3:g} km, {_when(ours)}.",
        f"Reference: {theirs.name}, cells of {theirs.lattice.cell / 1e3:g} km, {_when(theirs)}.",
        f"Compared on cells of {cell / 1e3:g} km, by area-weighted means: nothing is interpolated, "
        "and land gives nothing to its neighbours.",
    ]
    if ours.time is None or theirs.time is None:
        facts.append("Time difference: not known, because one of them does not tell its time.")
    else:
        apart = ours.time - theirs.time
        hours = apart / np.timedelta64(1, "h")
        facts.append(f"Time difference: estimate minus reference {hours:+.1f} hours.")
        if abs(apart) >= LATE:
            facts.append(
                "That is long: ice drifts 10 km and more a day, so part of what follows is drift."
            )
    return tuple(facts)


def _when(field: Field) -> str:
    if field.time is None:
        return "time not told"
    return f"{np.datetime_as_string(field.time.astype('datetime64[m]')).replace('T', ' ')} UTC"


def _sections(
    pair: tuple[Field, Field],
    cases: Sequence[Case],
    records: Sequence[Record],
    facts: tuple[str, ...],
) -> list[Section]:
    maps = [case for case in cases if "moments" in case.sums]
    name, finest = maps[0].method, maps[0]
    rows = {f"cells of {case.cell:g} km": whole(name, case.cell) for case in maps}
    columns = {f"{case.cell:g} km": (name, case.cell, "all") for case in maps}
    figures = [
        Picture(
            name="maps",
            figure=map_figure(pair[1].sic, {"estimate": pair[0].sic}, finest.cell),
            says=MAPS_SAY,
        ),
        Picture(name="classes", figure=class_figure([finest]), says=CLASSES_SAY),
    ]
    sections = [
        Section(title="What is compared", says=facts, pictures=tuple(figures[:1])),
        Section(
            title="Scores",
            tables=(
                score_table("Concentration", records, rows, MAIN),
                score_table("Edge, extent and area", records, rows, SURFACE),
            ),
        ),
        Section(
            title="By class of concentration",
            tables=tuple(
                class_table(f"{label} by class, %", records, columns, metric)
                for metric, label in (("rmse", "RMSE"), ("mae", "MAE"), ("bias", "Bias"))
            ),
            pictures=tuple(figures[1:]),
        ),
    ]
    sections += _more(finest, [case for case in cases if case not in maps], records)
    words = definitions(f"squares of {UNIT / 1e3:g} km (spectra and brightness: of their tiles)")
    return [*sections, Section(title="How it is measured", says=words)]


def _more(finest: Case, others: Sequence[Case], records: Sequence[Record]) -> list[Section]:
    """Uncertainty and spectra, where there are any."""
    sections = []
    if "doubt" in finest.sums and finest.sums["doubt"][..., 0].any():
        place = (finest.method, finest.cell, "all")
        tables = tuple(
            class_table(
                f"Cells within {n} sigma by class of {by}, %", records, {"share": place}, m, by
            )
            for by in ("reference", "estimate")
            for n, m in ((1, "within_1"), (2, "within_2"))
        )
        figure = Picture(name="uncertainty", figure=doubt_figure([finest]), says=DOUBT_SAYS)
        sections.append(Section(title="Uncertainty", tables=tables, pictures=(figure,)))
    spectra = {
        quantity: [case for case in others if f"spectrum_{quantity}" in case.sums]
        for quantity in ("v", "p", "sic")
    }
    spectra = {quantity: these for quantity, these in spectra.items() if these}
    if spectra:
        rows = {f"cells of {finest.cell:g} km": whole(finest.method, finest.cell)}
        figure = Picture(name="spectra", figure=spectra_figure(spectra), says=SPECTRA_SAY)
        table = score_table("Resolution and brightness temperature", records, rows, BRIGHTNESS)
        sections.append(Section(title="Spectra", tables=(table,), pictures=(figure,)))
    return sections
