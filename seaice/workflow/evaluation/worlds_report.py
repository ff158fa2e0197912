"""Cases of methods on simulated worlds in, the sections of their report out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
from seaice.page import Picture, Section, Table

__all__ = ["Example", "sections_of"]

COARSE = 6.25  #: km, of the published scores
#: RMSE by class, %, against MODIS at 6.25 km: Feng, Liu, Li 2023, doi 10.1109/JSTARS.2022.3232533
PUBLISHED: Mapping[str, tuple[float, ...]] = {
    "published: ASI": (35.3, 29.0, 56.9, 37.3, 46.8, 37.1, 49.1, 42.8, 17.0, 11.0),
    "published: SR + network": (11.6, 12.2, 33.6, 13.7, 16.2, 30.5, 16.9, 13.9, 8.2, 3.5),
}
Map = NDArray[np.float32]


class Example(NamedTuple):
    """One world to look at."""

    says: str
    truth: Map
    told: Mapping[str, Map]


def sections_of(
    cases: Sequence[Case], records: Sequence[Record], facts: Iterable[str], example: Example | None
) -> list[Section]:
    """The report of several methods on the same worlds.

    Parameters
    ----------
    cases : maps of several cell sizes and subsets, spectra and brightness of the finest
    records : of these cases
    facts : what was compared on what
    """
    maps = [case for case in cases if "moments" in case.sums]
    methods = list(dict.fromkeys(case.method for case in maps))
    sizes = sorted({case.cell for case in maps})
    sections = [
        Section(title="What is compared", says=tuple(facts)),
        *(_size(records, methods, size) for size in sizes),
        _classes(maps, records, methods, sizes[0]),
        _seasons(maps, records, methods),
        *_uncertainty(maps, records, methods, sizes[0]),
        *_brightness(cases, records, methods, sizes[0]),
    ]
    if example is not None:
        figure = map_figure(example.truth, example.told, sizes[0])
        picture = Picture(name="maps", figure=figure, says=f"{example.says}. {MAPS_SAY}")
        sections.append(Section(title="One world", pictures=(picture,)))
    return [*sections, Section(title="How it is measured", says=definitions("whole worlds"))]


def _size(records: Sequence[Record], methods: Sequence[str], size: float) -> Section:
    rows = {method: whole(method, size) for method in methods}
    return Section(
        title=f"Cells of {size:g} km",
        tables=(
            score_table("Concentration", records, rows, MAIN),
            score_table("Edge, extent and area", records, rows, SURFACE),
            count_table("What the scores rest on", records, rows),
        ),
    )


def _classes(
    maps: Sequence[Case], records: Sequence[Record], methods: Sequence[str], finest: float
) -> Section:
    tables = []
    for size in (finest, COARSE):
        columns = {method: (method, size, ALL) for method in methods}
        table = class_table(f"RMSE by class, cells of {size:g} km, %", records, columns, "rmse")
        tables.append(_beside_published(table) if size == COARSE else table)
    bias = class_table(
        f"Bias by class, cells of {finest:g} km, %",
        records,
        {method: (method, finest, ALL) for method in methods},
        "bias",
    )
    shown = [case for case in maps if case.cell == finest and case.subset == ALL]
    picture = Picture(name="classes", figure=class_figure(shown), says=CLASSES_SAY)
    return Section(title="By class of concentration", tables=(*tables, bias), pictures=(picture,))


def _beside_published(table: Table) -> Table:
    """The table with the published columns, which are of other days and another reference."""
    rows = (
        (*row, *(f"{column[number]:.1f}" for column in PUBLISHED.values()))
        for number, row in enumerate(table.rows)
    )
    return replace(table, heads=(*table.heads, *PUBLISHED), rows=tuple(rows))


def _seasons(maps: Sequence[Case], records: Sequence[Record], methods: Sequence[str]) -> Section:
    subsets = [s for s in dict.fromkeys(case.subset for case in maps) if s != ALL]
    tables = []
    for size in sorted({case.cell for case in maps} & {1.5625, COARSE}):
        rows = {
            f"{subset}: {method}": whole(method, size, subset)
            for subset in subsets
            for method in methods
        }
        title = f"By season and kind of day, cells of {size:g} km"
        tables.append(score_table(title, records, rows, (*MAIN, "edge_median")))
    says = "DJF is December to February, MAM March to May, JJA June to August, SON the rest."
    return Section(title="Seasons", says=(says,), tables=tuple(tables))


def _uncertainty(
    maps: Sequence[Case], records: Sequence[Record], methods: Sequence[str], finest: float
) -> Iterator[Section]:
    """Shares within both half-widths by class and season, for methods that tell their doubt."""
    here = [case for case in maps if case.cell == finest and "doubt" in case.sums]
    shown = [case for case in here if case.subset == ALL]
    if not shown:
        return
    tables = []
    for case in shown:
        subsets = [other.subset for other in here if other.method == case.method]
        columns = {subset: (case.method, finest, subset) for subset in subsets}
        for by in ("reference", "estimate"):
            for metric, label in (("within_1", "68 %"), ("within_2", "95 %")):
                title = f"{case.method}: cells within {label} by class of {by}, %"
                tables.append(class_table(title, records, columns, metric, by))
    picture = Picture(name="uncertainty", figure=doubt_figure(shown, methods), says=DOUBT_SAYS)
    yield Section(title="Uncertainty", tables=tuple(tables), pictures=(picture,))


def _brightness(
    cases: Sequence[Case], records: Sequence[Record], methods: Sequence[str], finest: float
) -> Iterator[Section]:
    """Super-resolution: likeness and resolution of brightness temperature, and of the map."""
    here = [case for case in cases if case.subset == ALL and "moments" not in case.sums]
    if not here:
        return
    refiners = [case.method for case in here if "tb" in case.sums]
    mappers = [case.method for case in here if "spectrum_sic" in case.sums]
    spectra = {
        name: [case for case in here if case.sums.get(f"spectrum_{name}", np.zeros(1)).any()]
        for name in ("v", "p", "sic")
    }
    spectra = {name: these for name, these in spectra.items() if these}
    tables = (
        score_table(
            "Brightness temperature over sea",
            records,
            {name: whole(name, finest) for name in refiners},
            BRIGHTNESS[:-1],
        ),
        score_table(
            "Concentration",
            records,
            {name: whole(name, finest) for name in mappers},
            BRIGHTNESS[-1:],
        ),
    )
    yield Section(
        title="Super-resolution and spectra",
        tables=tables,
        pictures=tuple(
            Picture(name="spectra", figure=spectra_figure(found, methods), says=SPECTRA_SAY)
            for found in (spectra,)
            if found
        ),
    )
