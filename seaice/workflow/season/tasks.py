"""Tasks of a worker: check whether a day is finished, grid a daily map, make a day's product.

Results stay on disk; a task returns only an `Outcome`, with the reason of a failure and whether
the task should be tried again.
"""

import gc
import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Literal

import xarray as xr

from seaice.config import RunSettings, Settings
from seaice.errors import (
    FinalStandsError,
    NoInputError,
    OutputError,
    SeaIceError,
    StorageError,
)
from seaice.product.folder import season_name
from seaice.product.season_store import read_record, write_day
from seaice.workflow.catalogue import update_series_and_page
from seaice.workflow.day import daily_maps, finished_files, retrieve_concentration, run_day
from seaice.workflow.granule_cache import near_first
from seaice.workflow.plan import (
    Method,
    Plan,
    ground,
    ground_computed,
    hashes_of,
    plan,
    region_label,
)
from seaice.workflow.published import publish, published_provenance
from seaice.workflow.season.quarantine import quarantine_reader
from seaice.workflow.season.status import log_event, log_name
from seaice.workflow.stages import silent

__all__ = [
    "Job",
    "Outcome",
    "into_season",
    "look",
    "make_day",
    "make_map",
    "season_of",
    "status_found",
]

State = Literal["final", "provisional", "map", "unfinished", "missing", "failed", "again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One day of one hemisphere."""

    settings: Settings  #: with date, folders and one hemisphere
    granules: Mapping[date, tuple[Path, ...]]  #: of each of the five dates
    left_out: Mapping[date, tuple[str, ...]] = field(default_factory=dict)
    """Files of each date that look like granules and are not used, "name: reason"."""

    @property
    def day(self) -> date:
        """The day to be made."""
        if self.settings.run.date is None:
            raise ValueError("a job without a date")
        return self.settings.run.date

    @property
    def place(self) -> str:
        """What its logs are called by."""
        return log_name(self.settings.run)

    def plan(self) -> Plan:
        """All that decides the day, its granules read with care."""
        planned = plan(
            self.settings,
            lambda _, day: self.granules.get(day, ()),
            lambda _, day: self.left_out.get(day, ()),
        )
        return replace(planned, read=_reader(self.settings.run, planned.hashes))

    def note(self, event: str, **facts: object) -> None:
        """Add to the day's log."""
        log_event(self.settings.run.out, self.place, self.day, event, **facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended."""

    place: str
    day: date
    state: State
    reason: str = ""
    seconds: float = 0.0


def look(job: Job) -> Outcome:
    """Whether the day is finished, in its folder and in its season: then nothing is to do."""
    return _told(job, "looked", partial(_looked, job))


def make_map(job: Job) -> Outcome:
    """The daily map of the job's own day, kept for the products of five days."""
    return _told(job, "map", partial(_mapped, job))


def make_day(job: Job, maps: list[Outcome]) -> Outcome:
    """The day's product and its place in the season, from daily maps that other tasks have made."""
    outcome = _told(job, "made", partial(_made, job))
    gc.collect()  # pictures are cycles, which would lie among so many objects for days
    return outcome


def _reader(run: RunSettings, hashes: Mapping[Path, str]) -> Callable[[Path], xr.Dataset]:
    """Reads with care, what is far away once it is near."""
    return near_first(run, quarantine_reader(run.out, hashes))


def season_of(plan: Plan) -> Path:
    """The Zarr store that a day belongs to."""
    run = plan.settings.run
    return run.out / season_name(run.hemisphere, plan.region, plan.day.year)


def _told(job: Job, event: str, work: Callable[[], tuple[State, str]]) -> Outcome:
    """Do the work; whatever happens is an outcome and a line in the day's log."""
    start = time.monotonic()
    ended = partial(Outcome, place=job.place, day=job.day)
    try:
        state, reason = work()
    except (OutputError, StorageError, OSError, MemoryError) as error:
        state, reason = "again", str(error) or type(error).__name__
    except FinalStandsError as error:
        state, reason = "final", f"kept: {error}"
    except NoInputError as error:
        state, reason = "missing", str(error)
    except SeaIceError as error:
        state, reason = "failed", str(error)
    except Exception as error:  # a mistake of ours must not end the other days
        state, reason = "failed", f"{type(error).__name__}: {error}"
        _note_safely(job, "error", traceback=traceback.format_exc())
    seconds = round(time.monotonic() - start, 3)
    if (event, state) != ("looked", "unfinished"):
        _note_safely(job, event, state=state, reason=reason, seconds=seconds)
    return ended(state=state, reason=reason, seconds=seconds)


def _note_safely(job: Job, event: str, **facts: object) -> None:
    """A full disk keeps the log from being written, not the work from being told of."""
    try:
        job.note(event, **facts)
    except (OSError, OutputError):
        return


def status_found(planned: Plan) -> Literal["final", "provisional"] | None:
    """The status of a day that is finished, in its folder and in its season; else nothing."""
    if planned.settings.run.publish_to is not None:
        there = published_provenance(planned)
        return _status_in(there) if there else None
    if (read_record(season_of(planned), planned.day) or {}).get("key") != planned.product_key:
        return None
    return _status(planned) if finished_files(planned) else None


def _looked(job: Job) -> tuple[State, str]:
    planned = job.plan()
    status = status_found(planned)
    if status is None:
        return "unfinished", ""
    if planned.settings.run.publish_to is not None:
        return status, "found published"
    update_series_and_page(
        planned.folder, finished_files(planned), silent
    )  # a killed run may not have come to it
    return status, "found finished"


def _mapped(job: Job) -> tuple[State, str]:
    run = job.settings.run
    granules = {job.day: job.granules.get(job.day, ())}
    if not granules[job.day]:
        return "missing", f"no granule of {job.day}"
    hashes = hashes_of(granules, run)
    none = Method(name="none", weights=None, sha256=None)  # of no part in a daily map
    only = Plan(
        settings=job.settings,
        day=job.day,
        region=region_label(run.region),
        grid=ground_computed(job.settings),
        region_grid=ground(run),
        granules=granules,
        hashes=hashes,
        sr=none,
        sic=none,
        read=_reader(run, hashes),
    )
    daily_maps(only, silent)
    return "map", ""


def _made(job: Job) -> tuple[State, str]:
    planned = job.plan()
    update_series_and_page(planned.folder, run_day(planned, silent), silent)
    into_season(planned)
    publish(planned)
    return _status(planned), ""


def into_season(plan: Plan) -> None:
    """Put a finished day into its season, unless it is there."""
    store = season_of(plan)
    if (read_record(store, plan.day) or {}).get("key") != plan.product_key:
        write_day(_product(plan), store, plan.product_key)


def _product(plan: Plan) -> xr.Dataset:
    """The product of a finished day, as it was when it was written."""
    product = retrieve_concentration(plan, silent).load()
    document = _document(plan)
    document.pop("files")
    product.attrs |= {
        "region": plan.region,
        "issuer": plan.settings.write.issuer,
        "provenance": json.dumps(document),
    }
    return product


def _document(plan: Plan) -> dict[str, object]:
    told: dict[str, object] = json.loads((plan.folder / f"{plan.folder.name}.json").read_text())
    return told


def _status(plan: Plan) -> Literal["final", "provisional"]:
    return _status_in(_document(plan))


def _status_in(document: Mapping[str, object]) -> Literal["final", "provisional"]:
    return "final" if document["status"] == "final" else "provisional"
