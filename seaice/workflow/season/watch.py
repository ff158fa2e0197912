"""A folder of granules in, products out as they arrive.

The folder is looked through again and again, which works on any file system. A file counts once two
looks have found it the same, so that one still being copied is let finish.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seaice.config import RunSettings, Settings
from seaice.files import ensure_writable
from seaice.io.object_store import FileState
from seaice.workflow.catalogue import update_catalogue
from seaice.workflow.granule_cache import Fetched
from seaice.workflow.season.inventory import Inventory
from seaice.workflow.season.reprocess import jobs_of
from seaice.workflow.season.tasks import Job, Outcome, look, make_day

__all__ = ["Watcher", "watch"]

State = tuple[int, int] | FileState  #: size in bytes; time of change in ns, or a store's tag
SOON = 2.0  #: s between the first two looks


@dataclass(slots=True, kw_only=True)
class Watcher:
    """What earlier looks have found, and of what each day was last made."""

    runs: Sequence[Settings]
    seen: dict[Path, State] = field(default_factory=dict)
    made_of: dict[tuple[str, str], dict[Path, State]] = field(default_factory=dict)

    def changed(self, run: RunSettings) -> Iterator[tuple[Job, dict[Path, State]]]:
        """The days whose granules are others than those of which they were last made."""
        result = Inventory.of(run)
        files = [*result.swaths.values(), *result.gridded.values()]
        now = _states(run, [path for paths in files for path in paths])
        settled = {path for path, state in now.items() if self.seen.get(path) == state}
        self.seen = now
        there = Inventory(
            folder=result.folder,
            swaths=_only(result.swaths, settled),
            gridded=_only(result.gridded, settled),
            others=result.others,
            local=result.local,
        )
        for job in jobs_of(self.runs, there.days(), there):
            of = {path: now[path] for paths in job.granules.values() for path in paths}
            if job.granules[job.day] and self.made_of.get((job.place, str(job.day))) != of:
                yield job, of

    def look(self, run: RunSettings) -> Iterator[Outcome]:
        """Look once and make what changed, one day after another."""
        for job, of in self.changed(run):
            outcome = look(job)
            if outcome.state == "unfinished":
                outcome = make_day(job, [])
            if outcome.state != "again":  # else the next look tries again
                self.made_of[job.place, str(job.day)] = of
            yield outcome


def watch(runs: Sequence[Settings], every: float, rounds: int | None) -> Iterator[Outcome]:
    """Look into the folder of granules every so many seconds, for ever or for some rounds.

    Raises
    ------
    SettingsError
        If no folder to watch is named.
    """
    run = runs[0].run
    ensure_writable(run.out)
    watcher = Watcher(runs=runs)
    done = 0
    while rounds is None or done < rounds:
        if done:
            time.sleep(min(every, SOON) if done == 1 else every)
        result = False
        for outcome in watcher.look(run):
            result |= outcome.state in ("final", "provisional")
            yield outcome
        if result:
            update_catalogue(run.out)
        done += 1


def _states(run: RunSettings, files: Iterable[Path]) -> dict[Path, State]:
    if run.granules_from is None:
        return {path: state for path in files if (state := _state(path))}
    fetched = Fetched.of(run)
    entries = fetched.entries()
    return {path: entries[path.relative_to(fetched.folder).as_posix()] for path in files}


def _state(path: Path) -> State | None:
    """None for a file that went while the folder was looked through."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def _only(files: Mapping[str, list[Path]], settled: set[Path]) -> dict[str, list[Path]]:
    kept = {day: [path for path in paths if path in settled] for day, paths in files.items()}
    return {day: paths for day, paths in kept.items() if paths}
