"""The sealed test worlds, scored once for each release and recorded in the repository.

Sealed worlds follow rules of ice, land, atmosphere and noise of their own
(`seaice.simulate.settings.SEALED`). No choice in this project may rest on them, so they are
simulated anew each time, scored, and deleted; only the scores are kept, in `docs/sealed_scores.csv`
and as a table in `docs/evaluation.md`. A release is a version of the package with the weights of
its default method.
"""

import csv
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any, Self

import torch

from seaice import __version__
from seaice.config import Settings
from seaice.errors import NoInputError, SettingsError
from seaice.evaluate.records import records_of
from seaice.files import atomic_file
from seaice.models.inference import Machine, choose_precision
from seaice.product.provenance import REPOSITORY, commit, modified
from seaice.simulate.samples import SPLITS, draw, write_samples
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation.methods import Networks, ways, world_of
from seaice.workflow.evaluation.methods import retrieve_world as run_methods
from seaice.workflow.evaluation.worlds import cases_of, sums_of
from seaice.workflow.stages import Progress

__all__ = [
    "PAGE",
    "RECORD",
    "WORLDS",
    "Release",
    "SealedScore",
    "evaluate_sealed",
    "read_record",
    "record_table",
    "sealed_methods",
    "this_release",
]

RECORD = REPOSITORY / "docs" / "sealed_scores.csv"
PAGE = REPOSITORY / "docs" / "evaluation.md"
BEGIN, END = "<!-- sealed scores: written by the command -->", "<!-- end of sealed scores -->"
WORLDS = 48  #: worlds of a record
CELLS = (1.5625, 6.25)  #: km, that scores are recorded for
METRICS = ("rmse", "mae", "bias", "false_ice", "lost_ice", "within_1", "within_2")
Weights = tuple[str, str]  #: SHA-256 of super-resolution and of concentration


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is scored: a version of the code with the weights of its default method."""

    version: str
    commit: str
    weights: Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedScore:
    """One line of the record: one method, one cell size.

    Scores are in percent; None, and an empty field of the file, where no cell tells.
    """

    date: str  #: UTC, ISO 8601
    version: str
    commit: str
    sr_weights: str  #: SHA-256 of the default super-resolution
    sic_weights: str  #: SHA-256 of the default concentration network
    repeated: str  #: "yes" where this release had been scored before
    worlds: int
    method: str
    cell_km: float
    rmse: float | None
    mae: float | None
    bias: float | None
    false_ice: float | None
    lost_ice: float | None
    within_1: float | None  #: within the 68 % interval, of cells predicted from 0.5 to 99.5 %
    within_2: float | None  #: within the 95 % interval, of the same cells

    @property
    def release(self) -> tuple[str, str, str]:
        """What a release is recognized by."""
        return self.version, self.sr_weights, self.sic_weights

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Self:
        """From a row of the CSV file.

        Raises
        ------
        KeyError, ValueError
            If a column is missing or holds no number.
        """
        kinds: dict[str, Callable[[str], Any]] = {"worlds": int, "cell_km": float}
        kinds |= dict.fromkeys(METRICS, lambda text: float(text) if text else None)
        return cls(**{f.name: kinds.get(f.name, str)(row[f.name]) for f in fields(cls)})


def sealed_methods() -> list[str]:
    """The methods of a record, SR:SIC: the default, the same on interpolated frames, formulas."""
    settings = Settings()
    default = f"{settings.sr.name}:{settings.sic.name}"
    interpolated = f"bicubic_3km:{settings.sic.name}"
    formulas = ("bicubic:asi", "bicubic:nasa_team", "bicubic:bootstrap")
    return list(dict.fromkeys((default, interpolated, *formulas)))


def this_release(notes: Path) -> Release:
    """The release that runs.

    Parameters
    ----------
    notes : JSON file where hashes of weights are remembered

    Raises
    ------
    SettingsError
        If the code runs from no git checkout, or differs from its commit.
    """
    number = commit()
    if number is None or modified():
        raise SettingsError(
            "code without a commit" if number is None else "code that differs from its commit",
            "a committed state, so that the record names what was scored",
            "commit your changes, then score the release",
        )
    method = ways(sealed_methods()[:1], notes)[0]
    weights = method.sr.sha256 or "none", method.sic.sha256 or "none"
    return Release(version=__version__, commit=number, weights=weights)


def evaluate_sealed(
    release: Release,
    worlds: int,
    device: torch.device,
    progress: Progress,
    *,
    again: bool = False,
    record: Path = RECORD,
    page: Path | None = PAGE,
) -> list[SealedScore]:
    """Score a release on sealed worlds, and append the scores to the record.

    Parameters
    ----------
    release : that runs, see `this_release`
    worlds : number of worlds to simulate
    again : score a release that has a record already; the new lines say `repeated`
    record : CSV file, created if it does not exist
    page : Markdown page whose table is written anew; None: none

    Returns
    -------
    The lines that were appended.

    Raises
    ------
    SettingsError
        If the release has a record and `again` is not set.
    NoInputError
        If the record cannot be read, or the page has no place for the table.
    """
    earlier = read_record(record)
    known = [line for line in earlier if line.release == (release.version, *release.weights)]
    if known and not again:
        raise SettingsError(
            f"version {release.version} with weights {release.weights[1][:12]}, which was scored "
            f"on {known[-1].date} at commit {known[-1].commit[:12]}",
            "one score on the sealed worlds for each release",
            "read the record in docs/evaluation.md, or add --again, which the record will show",
        )
    around = None if page is None else _around_table(page)
    scores = _scored(release, worlds, device, progress, repeated=bool(known))
    lines = [*earlier, *scores]
    with atomic_file(record) as part, part.open("w", newline="") as file:
        names = [field.name for field in fields(SealedScore)]
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([getattr(line, name) for name in names] for line in lines)
    if page is not None and around is not None:
        before, after = around
        with atomic_file(page) as part:
            part.write_text(f"{before}{BEGIN}\n\n{record_table(lines)}\n\n{END}{after}", "utf-8")
    return scores


def _scored(
    release: Release, worlds: int, device: torch.device, progress: Progress, *, repeated: bool
) -> list[SealedScore]:
    split = SPLITS["sealed"]
    with tempfile.TemporaryDirectory(prefix="sealed-worlds-") as folder:
        store = Path(folder) / "sealed.zarr"
        methods = ways(sealed_methods(), Path(folder) / "hashes.json")
        for done in write_samples(split, worlds, store):
            progress("sealed worlds", done, worlds)
        samples = SampleSet.open(store)
        networks = Networks(Machine(device=device, precision=choose_precision("auto", device)))
        sums = []
        for index in range(worlds):
            progress("evaluate", index, worlds)
            world = world_of(samples, index, draw(split, index)[0])
            sums.append(sums_of(world, run_methods(world, methods, networks)))
        progress("evaluate", worlds, worlds)
    known = [each for each in sums if each]
    values = {
        (record.method, record.cell_km, record.metric): round(record.value, 4)
        for case in cases_of(known, [()] * len(known))
        for record in records_of(case)
        if record.by == "all" and isfinite(record.value)
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [
        SealedScore(
            date=now,
            version=release.version,
            commit=release.commit,
            sr_weights=release.weights[0],
            sic_weights=release.weights[1],
            repeated="yes" if repeated else "no",
            worlds=worlds,
            method=method.label,
            cell_km=cell,
            **{name: values.get((method.label, cell, name)) for name in METRICS},
        )
        for method in methods
        for cell in CELLS
    ]


def read_record(record: Path) -> list[SealedScore]:
    """The lines of a record; none where the file does not exist.

    Raises
    ------
    NoInputError
        If it is no such record.
    """
    if not record.exists():
        return []
    try:
        with record.open(newline="", encoding="utf-8") as file:
            return [SealedScore.from_row(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise NoInputError(
            f"{record}, which is no record of sealed scores ({type(error).__name__}: {error})",
            f"a CSV file with the columns {', '.join(f.name for f in fields(SealedScore))}",
            "restore it from git: past scores cannot be computed again",
        ) from error


def record_table(lines: Sequence[SealedScore]) -> str:
    """The record as a Markdown table, the newest release first; a sentence where it is empty."""
    if not lines:
        return "No release has been scored yet."
    heads = ("version, date, commit", "worlds", "method", "cells", "RMSE", "MAE", "bias",
             "false ice", "lost ice", "within 68 %", "within 95 %")  # fmt: skip
    rows: list[Iterable[str]] = [heads, ["---"] * len(heads)]
    dates = list(dict.fromkeys(line.date for line in lines))[::-1]
    for line in sorted(lines, key=lambda each: dates.index(each.date)):
        again = ", repeated" if line.repeated == "yes" else ""
        release = f"{line.version}, {line.date[:10]}, {line.commit[:10]}{again}"
        scores = (getattr(line, name) for name in METRICS)
        shown = ("" if value is None else f"{value:.1f} %" for value in scores)
        rows.append((release, str(line.worlds), line.method, f"{line.cell_km:g} km", *shown))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _around_table(page: Path) -> tuple[str, str]:
    """What stands before and after the table of a page.

    Raises
    ------
    NoInputError
        If the page lacks the two marks of the table.
    """
    text = page.read_text("utf-8") if page.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoInputError(
            f"{page} without the marks of the table of sealed scores",
            f"{BEGIN} and {END}, each once",
            "restore the page from git",
        )
    return before, after
