"""A small reprocessing as a forked child: quick to begin, so that it can be harmed by the dozen.

A run makes days one after another, as the workers of a cluster make them. The parent never
computes: a child of a process that has threads could inherit a lock that nobody opens.
"""

import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.research.faults.chaos import DAY, REGION
from seaice.config import Settings
from seaice.files import swept
from seaice.workflow.season.inventory import Inventory, days_between
from seaice.workflow.season.reprocess import TRIES, jobs_of
from seaice.workflow.season.tasks import Job, Outcome, look, make_day

__all__ = ["Trial", "ended", "forked", "made"]

LONGEST = 600.0  #: s until a run counts as hanging

Random = np.random.Generator
Settle = Callable[[], None]  #: what a child does before it works


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
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

    def start(self, settings: Settings, settle: Settle = lambda: None) -> int:
        """Begin a run; the child's process id."""
        last = DAY + timedelta(days=self.days - 1)
        return forked(partial(_run, settings, DAY, last, settle))

    def finish(self, settings: Settings, settle: Settle = lambda: None) -> None:
        """Run to the end.

        Raises
        ------
        RuntimeError
            If a day does not end well.
        """
        if ended(self.start(settings, settle)):
            raise RuntimeError("the run did not end well")


def made(job: Job) -> Outcome:
    """The end of a day, tried again where that may help."""
    for _ in range(TRIES):
        outcome = look(job)
        if outcome.state == "unfinished":
            outcome = make_day(job, [])
        if outcome.state != "again":
            break
    return outcome


def _run(settings: Settings, first: date, last: date, settle: Settle) -> int:
    settle()
    swept(settings.run.out)
    jobs = list(jobs_of([settings], days_between(first, last), Inventory.of(settings.run)))
    states = Counter(made(job).state for job in jobs)
    return int(states["final"] + states["provisional"] != len(jobs))


def forked(work: Callable[[], int]) -> int:
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


def ended(child: int) -> int:
    """Wait for a child; its exit code, or minus the signal that ended it.

    Raises
    ------
    RuntimeError
        If it hangs.
    """
    limit = time.monotonic() + LONGEST
    while time.monotonic() < limit:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise RuntimeError(f"a run did not end within {LONGEST:g} s")
