"""Simulated test worlds in, a report of how good several methods are on them out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seaice.evaluate.brightness import brightness_sums
from seaice.evaluate.figures import class_figure, doubt_figure, map_figure, spectra_figure
from seaice.evaluate.records import ALL, Case, Record, records_of
from seaice.evaluate.report import write_report
from seaice.evaluate.spectra import spectrum_sums, tile_sides
from seaice.evaluate.sums import Sums, joined, map_sums
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
from seaice.models.inference import Machine
from seaice.page import Picture, Section, Table
from seaice.simulate.samples import SPLITS, draw, write_samples
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation.methods import (
    MethodOutputs,
    MethodPair,
    Networks,
    World,
    retrieve_world,
    standard,
    ways,
    world_of,
)
from seaice.workflow.stages import Progress

__all__ = ["Example", "cases_of", "evaluate_worlds", "season", "sections_of", "standard", "sums_of"]

FINE = 1.5625  #: km
FACTORS = (1, 2, 4, 8)  #: cells of 1.5625 km along a cell to compare on
SEASONS = ("DJF", "MAM", "JJA", "SON")
Map = NDArray[np.float32]
WorldSums = dict[tuple[str, float, str], Sums]
"""Sums of one world by method, cell in km, and what they are of."""


def evaluate_worlds(
    store: Path,
    worlds: int,
    methods: Sequence[str],
    folder: Path,
    device: torch.device,
    progress: Progress,
) -> Path:
    """Write the report of several methods on the test split into `folder`; the path of its HTML.

    Parameters
    ----------
    store : of the samples; those that are missing are simulated first, and kept
    worlds : how many of them
    methods : `SR:SIC`, see `seaice.workflow.evaluation.methods.ways`

    Raises
    ------
    SeaIceError
        If a method cannot run, or nothing can be written.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    compared = ways(methods, store.parent / "hashes.json")
    for done in write_samples(SPLITS["test"], worlds, store):
        progress("test worlds", done, worlds)
    samples = SampleSet.open(store)
    drawn = [draw(SPLITS["test"], n) for n in range(min(worlds, len(samples)))]
    look_at = _liveliest(samples, len(drawn))
    networks = Networks(Machine(device=device))
    result, subsets, example = [], [], None
    for index, (place, day, _) in enumerate(drawn):
        progress("evaluate", index, len(drawn))
        world = world_of(samples, index, place)
        told = retrieve_world(world, compared, networks)
        if index == look_at:
            maps = {label: sic for label, (sic, _) in told.sic.items()}
            example = Example(f"World {index} of {day:%d %B %Y}", world.sic, maps)
        sums = sums_of(world, told)
        if sums:
            result.append(sums)
            subsets.append((season(day), _kind(world)))
    progress("evaluate", len(drawn), len(drawn))
    cases = cases_of(result, subsets)
    records = [record for case in cases for record in records_of(case)]
    facts = _facts(compared, [day for _, day, _ in drawn], subsets)
    title = f"Methods on {len(result)} simulated test worlds"
    write_report(folder, title, sections_of(cases, records, facts, example), records)
    return folder / "report.html"


def season(day: date) -> str:
    """Three months by their first letters.

    >>> season(date(2018, 12, 27)), season(date(2018, 5, 28))
    ('DJF', 'MAM')
    """
    return SEASONS[day.month % 12 // 3]


def _kind(world: World) -> str:
    """Whether all frames are one pass that stands in for five days, or five days indeed."""
    frames = world.stack["tb89v"].values
    alike = np.array_equal(frames, np.broadcast_to(frames[:1], frames.shape), equal_nan=True)
    return "single pass" if alike else "five days"


def _liveliest(samples: SampleSet, worlds: int) -> int:
    """The world with most cells between 15 and 85 %: there is most to see."""
    truths = (samples.truth_sic(samples.whole(n)) for n in range(worlds))
    return int(np.argmax([((sic > 0.15) & (sic < 0.85)).sum() for sic in truths]))


def sums_of(world: World, told: MethodOutputs) -> WorldSums:
    """The sums of one world, as one unit, over the cells that all methods and the truth tell of."""
    known = np.isfinite(world.sic)
    for sic, _ in told.sic.values():
        known &= np.isfinite(sic)
    if not known.any():
        return {}
    truth = np.where(known, world.sic, np.float32("nan"))
    side = next(iter(tile_sides(truth.shape)), None)
    result: WorldSums = {}
    for label, (sic, uncertainty) in told.sic.items():
        sic = np.where(known, sic, np.float32("nan"))
        for factor in FACTORS:
            ours, theirs = (
                block_mean(each, factor, min_valid=0.5, dtype=np.float64) for each in (sic, truth)
            )
            if np.isfinite(theirs).any():
                cell, retrieve_world = FINE * factor, uncertainty if factor == 1 else None
                result[label, cell, "map"] = map_sums(
                    ours, theirs, cell, max(ours.shape), doubt=retrieve_world
                )
        if side:
            spectrum = spectrum_sums(sic, truth, side).sum(0)[None]
            result[label, FINE, "spectrum"] = {"spectrum_sic": spectrum}
    for name, tb in told.tb.items():
        if side:
            result[name, FINE, "brightness"] = brightness_sums(tb, world.tb, side)
    return result


def cases_of(found: Sequence[WorldSums], subsets: Sequence[Sequence[str]]) -> list[Case]:
    """Sums of worlds gathered by method, cell size and subset of the worlds.

    Parameters
    ----------
    found : of each world
    subsets : those that each world belongs to
    """
    cases = []
    for key in dict.fromkeys(key for sums in found for key in sums):
        method, cell, _ = key
        for subset in (ALL, *SEASONS, "five days", "single pass"):
            parts = [
                sums[key]
                for sums, mine in zip(found, subsets, strict=True)
                if key in sums and (subset == ALL or subset in mine)
            ]
            if parts:
                cases.append(Case(method=method, cell=cell, subset=subset, sums=joined(parts)))
    return cases


def _facts(
    compared: Sequence[MethodPair], days: Sequence[date], subsets: Sequence[Sequence[str]]
) -> Iterator[str]:
    """What was compared on what."""
    counts = {name: sum(name in mine for mine in subsets) for name in (*SEASONS, "single pass")}
    seasons = ", ".join(f"{counts[name]} in {name}" for name in SEASONS)
    yield (
        f"{len(days)} simulated worlds of the test split, days {days and min(days)} to "
        f"{days and max(days)}: {seasons}; {counts['single pass']} of them seen by a single pass "
        "that stands in for all five frames. Test worlds share neither days nor ground nor seeds "
        "with those of training."
    )
    yield (
        "Truth is what each place was when it was seen, on cells of 1.5625 km; land and what the "
        "day did not observe count nowhere, and all methods are compared on the same cells."
    )
    for way in compared:
        weights = [how.sha256[:12] for how in (way.sr, way.sic) if how.sha256]
        known = f"weights {', '.join(weights)}" if weights else "no weights"
        yield f"{way.label}: {way.sr.name} and {way.sic.name}, {known}."


COARSE = 6.25  #: km, of the published scores
#: RMSE by class, %, against MODIS at 6.25 km: Feng, Liu, Li 2023, doi 10.1109/JSTARS.2022.3232533
PUBLISHED: Mapping[str, tuple[float, ...]] = {
    "published: ASI": (35.3, 29.0, 56.9, 37.3, 46.8, 37.1, 49.1, 42.8, 17.0, 11.0),
    "published: SR + network": (11.6, 12.2, 33.6, 13.7, 16.2, 30.5, 16.9, 13.9, 8.2, 3.5),
}
ExampleMap = NDArray[np.float32]


class Example(NamedTuple):
    """One world to look at."""

    says: str
    truth: ExampleMap
    told: Mapping[str, ExampleMap]


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
    text = "DJF is December to February, MAM March to May, JJA June to August, SON the rest."
    return Section(title="Seasons", says=(text,), tables=tuple(tables))


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
            Picture(name="spectra", figure=spectra_figure(result, methods), says=SPECTRA_SAY)
            for result in (spectra,)
            if result
        ),
    )
