"""What is done to a run from inside its process, before or while it works.

Each harm patches what lies between the program and the system: the clock, the disk, the reader of
HDF5. It is meant for a process that was forked for it and ends with it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from errno import EIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["FILLER", "STAGES", "clock_jumps", "disk_fills", "file_cut_short", "reading_fails"]

FILLER = ".filler"  #: takes the room of a disk
SPARE = 4096  #: bytes that it leaves
YEAR = 365.25 * 86400  #: s

Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A function by the name under which its caller knows it, and which calls of it count."""

    module: str
    name: str
    counts: Callable[[tuple[Any, ...]], bool] = lambda given: True


def _keeps(stage: str) -> Point:
    return Point(
        module="seaice.workflow.stages",
        name="_keep",
        counts=lambda given: given[1].parent.name == stage,
    )


#: stage -> what is called when it is about to write
STAGES: dict[str, Point] = {
    "grid": _keeps("grid"),
    "refine": _keeps("refine"),
    "concentrate": _keeps("concentrate"),
    "write": Point(module="seaice.workflow.day", name="write_product"),
    "season": Point(module="seaice.workflow.season.tasks", name="write_day"),
    "series": Point(module="seaice.workflow.season.tasks", name="update_series_and_page"),
    "log": Point(module="seaice.workflow.season.tasks", name="log_event"),
}


def disk_fills(stage: str, out: Path) -> None:
    """Take all room of the disk of `out` when a stage is about to write for the first time."""
    from importlib import import_module

    point = STAGES[stage]
    module = import_module(point.module)
    genuine = getattr(module, point.name)

    def full(*given: Any, **told: Any) -> Any:
        if point.counts(given) and not (out / FILLER).exists():
            _fill(out)
        return genuine(*given, **told)

    setattr(module, point.name, full)


def _fill(out: Path) -> None:
    state = os.statvfs(out)
    room = state.f_bavail * state.f_frsize - SPARE
    with (out / FILLER).open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(room, 1))


def reading_fails(random: Random) -> None:
    """Let the system refuse to read some parts of granules, as a dying disk does."""

    def fails(dataset: h5py.Dataset) -> None:
        if random.random() < 0.02:
            raise OSError(EIO, "Input/output error")

    _before_reading(fails)


def file_cut_short(random: Random) -> None:
    """Cut one granule to half while it is read."""
    left = [int(random.integers(5, 200))]

    def cuts(dataset: h5py.Dataset) -> None:
        left[0] -= 1
        if left[0] == 0:
            path = Path(dataset.file.filename)
            os.truncate(path, path.stat().st_size // 2)

    _before_reading(cuts)


def _before_reading(act: Callable[[h5py.Dataset], None]) -> None:
    for name in ("__getitem__", "read_direct"):
        genuine = getattr(h5py.Dataset, name)

        def read(dataset: h5py.Dataset, *given: Any, genuine: Any = genuine, **told: Any) -> Any:
            act(dataset)
            return genuine(dataset, *given, **told)

        setattr(h5py.Dataset, name, read)


def clock_jumps(random: Random, *folders: Path) -> None:
    """Let the clock jump by years at every look, and files bear times of change from anywhere."""
    genuine, genuine_ns = time.time, time.time_ns
    time.time = lambda: genuine() + random.uniform(-10, 10) * YEAR
    time.time_ns = lambda: genuine_ns() + int(random.uniform(-10, 10) * YEAR * 1e9)
    from seaice.workflow.season import tasks

    note = vars(tasks)["note"]

    def noted(*given: Any, **told: Any) -> None:
        for folder in folders:
            _scatter_times(folder, random, genuine())
        note(*given, **told)

    vars(tasks)["note"] = noted


def _scatter_times(folder: Path, random: Random, now: float) -> None:
    for path in folder.rglob("*.h5"):
        os.utime(path, times=(now, now + random.uniform(-10, 10) * YEAR))
    for path in folder.glob("stages/*/*"):
        os.utime(path, times=(now, now + random.uniform(-10, 10) * YEAR))
