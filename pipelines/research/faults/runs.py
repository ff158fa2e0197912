"""Small days, and a small reprocessing of them in a forked child that starts quickly.

A run processes days one after another, as the workers of a cluster do. The parent process never
computes: a child of a process that has threads could inherit a lock that no thread releases.
"""

import os
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from seaice.config import Settings
from seaice.files import swept
from seaice.io.amsr import SCAN_TIME
from seaice.workflow.season.inventory import Inventory, days_between
from seaice.workflow.season.reprocess import TRIES, jobs_of
from seaice.workflow.season.tasks import Job, Outcome, look, make_day

__all__ = [
    "ForkedRuns",
    "copy_days",
    "fork_child",
    "process_day",
    "simulate_small_days",
    "wait_for_child",
]

REGION = "10,80,14,81"
DAY = date(2018, 4, 28)
DATE = slice(7, 15)  #: where a granule's name holds the date


def simulate_small_days(folder: Path, days: int, seed: int = 0) -> None:
    """Simulate days of a small sea from two days before DAY on; granules go to `folder`."""
    from seaice.grid.regions import region_grid
    from seaice.simulate.days import simulate_days

    first = DAY - timedelta(days=2)
    folder.mkdir(parents=True, exist_ok=True)
    grid = region_grid(REGION, "north")
    last = first + timedelta(days=days - 1)
    simulate_days(first, last, grid, seed, folder, lambda done, steps: None)


def copy_days(source: Path, folder: Path, days: int) -> None:
    """Fill `folder` with so many days in a row, those of `source` again and again."""
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, list[Path]] = {}
    for path in sorted(source.glob("GW1AM2_*.h5")):
        names.setdefault(path.name[DATE], []).append(path)
    resource_use = sorted(names)[1:-1]  # whole days: the first and the last may lack passes
    first = DAY - timedelta(days=2)
    for number in range(days):
        taken = resource_use[number % len(resource_use)]
        day = first + timedelta(days=number)
        shift = (day - date.fromisoformat(taken)).days * 86400.0
        for path in names[taken]:
            copy = folder / f"{path.name[: DATE.start]}{day:%Y%m%d}{path.name[DATE.stop :]}"
            shutil.copy(path, copy)
            with h5py.File(copy, "a") as file:
                file[SCAN_TIME][...] = file[SCAN_TIME][...] + shift


LONGEST = 600.0  #: s until a run counts as hanging

Random = np.random.Generator
Setup = Callable[[], None]  #: what a child does before it works


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkedRuns:
    """Where granules lie, and which days are made of them."""

    folder: Path
    days: int
    store: tuple[str, int] = ("", 0)  #: host and port of one that speaks S3
    seconds: dict[str, float] = field(default_factory=dict)

    def settings(self, out: Path | str, granules: Path | str) -> Settings:
        """Of a run; places may be URLs."""
        run = {"granules": granules, "out": out, "region": REGION, "work": self.folder / "work"}
        methods = {"sr": {"name": "bicubic"}, "sic": {"name": "asi"}}
        return Settings.from_table({"run": run, "write": {"formats": ["zarr"]}} | methods)

    def start(self, settings: Settings, setup: Setup = lambda: None) -> int:
        """Begin a run; the child's process id."""
        last = DAY + timedelta(days=self.days - 1)
        return fork_child(partial(_run, settings, DAY, last, setup))

    def finish(self, settings: Settings, setup: Setup = lambda: None) -> None:
        """Run to the end.

        Raises
        ------
        RuntimeError
            If a day does not end well.
        """
        if wait_for_child(self.start(settings, setup)):
            raise RuntimeError("the run did not end well")


def process_day(job: Job) -> Outcome:
    """The end of a day, tried again where that may help."""
    for _ in range(TRIES):
        outcome = look(job)
        if outcome.state == "unfinished":
            outcome = make_day(job, [])
        if outcome.state != "again":
            break
    return outcome


def _run(settings: Settings, first: date, last: date, setup: Setup) -> int:
    setup()
    swept(settings.run.out)
    jobs = list(jobs_of([settings], days_between(first, last), Inventory.of(settings.run)))
    states = Counter(process_day(job).state for job in jobs)
    return int(states["final"] + states["provisional"] != len(jobs))


def fork_child(work: Callable[[], int]) -> int:
    """Work in a child, whose words go to a log; its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def wait_for_child(child: int) -> int:
    """Wait for a child; its exit code, or minus the signal that ended it.

    Raises
    ------
    RuntimeError
        If it hangs.
    """
    limit = time.monotonic() + LONGEST
    while time.monotonic() < limit:
        problems, status = os.waitpid(child, os.WNOHANG)
        if problems:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise RuntimeError(f"a run did not end within {LONGEST:g} s")
