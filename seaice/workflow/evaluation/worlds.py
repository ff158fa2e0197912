"""Simulated test worlds in, a report of how good several methods are on them out."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seaice.evaluate.brightness import brightness_sums
from seaice.evaluate.records import ALL, Case, records_of
from seaice.evaluate.report import write_report
from seaice.evaluate.spectra import spectrum_sums, tile_sides
from seaice.evaluate.sums import Sums, joined, map_sums
from seaice.grid.blocks import block_mean
from seaice.models.inference import Machine
from seaice.simulate.samples import SPLITS, draw, write_samples
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation.methods import (
    Networks,
    Told,
    Way,
    World,
    standard,
    told_of,
    ways,
    world_of,
)
from seaice.workflow.evaluation.worlds_report import Example, sections_of
from seaice.workflow.stages import Progress

__all__ = ["cases_of", "evaluate_worlds", "season", "standard", "sums_of"]

FINE = 1.5625  #: km
FACTORS = (1, 2, 4, 8)  #: cells of 1.5625 km along a cell to compare on
SEASONS = ("DJF", "MAM", "JJA", "SON")
Map = NDArray[np.float32]
Found = dict[tuple[str, float, str], Sums]
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
    found, subsets, example = [], [], None
    for index, (place, day, _) in enumerate(drawn):
        progress("evaluate", index, len(drawn))
        world = world_of(samples, index, place)
        told = told_of(world, compared, networks)
        if index == look_at:
            maps = {label: sic for label, (sic, _) in told.sic.items()}
            example = Example(f"World {index} of {day:%d %B %Y}", world.sic, maps)
        sums = sums_of(world, told)
        if sums:
            found.append(sums)
            subsets.append((season(day), _kind(world)))
    progress("evaluate", len(drawn), len(drawn))
    cases = cases_of(found, subsets)
    records = [record for case in cases for record in records_of(case)]
    facts = _facts(compared, [day for _, day, _ in drawn], subsets)
    title = f"Methods on {len(found)} simulated test worlds"
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


def sums_of(world: World, told: Told) -> Found:
    """The sums of one world, as one unit, over the cells that all methods and the truth tell of."""
    known = np.isfinite(world.sic)
    for sic, _ in told.sic.values():
        known &= np.isfinite(sic)
    if not known.any():
        return {}
    truth = np.where(known, world.sic, np.float32("nan"))
    side = next(iter(tile_sides(truth.shape)), None)
    found: Found = {}
    for label, (sic, doubt) in told.sic.items():
        sic = np.where(known, sic, np.float32("nan"))
        for factor in FACTORS:
            ours, theirs = (
                block_mean(each, factor, min_valid=0.5, dtype=np.float64) for each in (sic, truth)
            )
            if np.isfinite(theirs).any():
                cell, told_of = FINE * factor, doubt if factor == 1 else None
                found[label, cell, "map"] = map_sums(
                    ours, theirs, cell, max(ours.shape), doubt=told_of
                )
        if side:
            spectrum = spectrum_sums(sic, truth, side).sum(0)[None]
            found[label, FINE, "spectrum"] = {"spectrum_sic": spectrum}
    for name, tb in told.tb.items():
        if side:
            found[name, FINE, "brightness"] = brightness_sums(tb, world.tb, side)
    return found


def cases_of(found: Sequence[Found], subsets: Sequence[Sequence[str]]) -> list[Case]:
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
    compared: Sequence[Way], days: Sequence[date], subsets: Sequence[Sequence[str]]
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
