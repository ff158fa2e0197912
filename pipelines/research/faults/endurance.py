"""Many small days in one go: `make endurance DAYS=200 SEED=0`.

What the run and its worker hold is looked at as each day ends: memory, open files, processes; and
afterwards, what they left. A line a day goes to `endurance.csv`.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from pipelines.research.faults.chaos import left_behind
from pipelines.research.faults.runs import (
    DAY,
    REGION,
    copy_days,
    fork_child,
    simulate_small_days,
    wait_for_child,
)
from seaice.config import Settings
from seaice.workflow.season.verify import list_product_damages

__all__ = ["ResourceUse", "growth", "resource_use"]

WARM = 20  #: days until caches are filled
MB = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUse:
    """What the processes of a run hold when a day has ended."""

    day: int
    run_mb: float  #: resident memory of the process that keeps order
    workers_mb: float  #: of all others
    open_files: int
    processes: int


def resource_use(day: int) -> ResourceUse:
    """Look at this process and all it has started."""
    own = psutil.Process()
    family = [own, *own.children(recursive=True)]
    sizes, files = [], 0
    for process in family:
        try:
            sizes.append(process.memory_info().rss / MB)
            files += process.num_fds()
        except psutil.Error:  # it has just ended
            continue
    return ResourceUse(
        day=day,
        run_mb=round(sizes[0], 1),
        workers_mb=round(sum(sizes[1:]), 1),
        open_files=files,
        processes=len(family),
    )


def growth(values: list[float]) -> float:
    """How much is gained in a hundred days, by a straight line through all but the first days."""
    later = np.asarray(values[WARM:])
    if later.size < 2:
        return 0.0
    return float(100 * np.polyfit(np.arange(later.size), later, 1)[0])


def run(folder: Path, days: int, seed: int, result: Callable[[ResourceUse], None]) -> None:
    """Make so many days on one worker; tell what is held as each of them ends."""
    from seaice.workflow.season.cluster import ClusterSettings, connected
    from seaice.workflow.season.reprocess import reprocess

    for work in (
        partial(_done, simulate_small_days, folder / "few", 7, seed),
        partial(_done, copy_days, folder / "few", folder / "granules", days + 4),
    ):
        if wait_for_child(fork_child(work)):
            raise RuntimeError("no granules to work with")
    place = {"granules": folder / "granules", "out": folder / "out", "region": REGION}
    methods = {"sr": {"name": "bicubic"}, "sic": {"name": "asi"}}
    table = {"run": place, "write": {"formats": ["zarr"]}} | methods
    with connected(ClusterSettings(workers=1)) as client:
        reprocess(
            [Settings.from_table(table)],
            DAY,
            DAY + timedelta(days=days - 1),
            client,
            lambda outcome, done, total: result(resource_use(done)),
        )


def _done(work, *arguments: object) -> int:  # type: ignore[no-untyped-def]
    work(*arguments)
    return 0


@dataclass(frozen=True, slots=True)
class _ResourceTable:
    """A table that has a line as soon as a day has ended: a long run may be stopped."""

    path: Path
    all: list[ResourceUse] = field(default_factory=list)

    def add(self, look: ResourceUse) -> None:
        mode = "a" if self.all else "w"
        self.all.append(look)
        with self.path.open(mode, newline="") as file:
            table = csv.DictWriter(file, [each.name for each in fields(ResourceUse)])
            if mode == "w":
                table.writeheader()
            table.writerow(asdict(look))


def main() -> int:
    """Write the table, print its summary; exit code 1 where something grew or was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path, default=Path("endurance.csv"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="endurance") as name:
        folder, table = Path(name), _ResourceTable(options.table)
        run(folder, options.days, options.seed, table.add)
        left = left_behind(folder / "out")
        wrong = [damage.what for damage in list_product_damages(folder / "out")]
    after = resource_use(options.days)
    for name in ("run_mb", "workers_mb", "open_files", "processes"):
        values = [getattr(look, name) for look in table.all]
        first, last = values[min(WARM, len(values) - 1)], values[-1]
        print(f"{name:12} day {WARM}: {first}, last: {last}, {growth(values):+.2f} in 100 days")
    print(f"left: {len(left)} locks or parts, {after.processes - 1} processes; damaged: {wrong}")
    return int(bool(left or wrong))


if __name__ == "__main__":
    sys.exit(main())
