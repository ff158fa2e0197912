"""What was found of a product and a reference in, the sections of their report out."""

from collections.abc import Iterator, Sequence

import numpy as np

from seaice.evaluate.fields.field import Field
from seaice.evaluate.figures import class_figure, doubt_figure, map_figure, spectra_figure
from seaice.evaluate.records import ALL, Case, Record
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
from seaice.page import Picture, Section

__all__ = ["UNIT", "sections_of"]

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
        *_spectra(finest, others, records),
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


def _spectra(finest: Case, others: Sequence[Case], records: Sequence[Record]) -> Iterator[Section]:
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
