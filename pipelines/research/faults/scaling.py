"""How much faster more workers are: `make scaling DAYS=8 WORKERS="1 2 4"`, on small days."""

import argparse
import csv
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from functools import partial
from pathlib import Path

from pipelines.research.faults.runs import (
    DAY,
    REGION,
    copy_days,
    fork_child,
    simulate_small_days,
    wait_for_child,
)
from seaice.config import Settings
from seaice.workflow.season.cluster import ClusterSettings, connected
from seaice.workflow.season.reprocess import reprocess

__all__ = ["Row", "measure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """So many days on so many workers."""

    workers: int
    days: int
    seconds: float  #: wall, workers already there
    efficiency: float  #: share of what so many workers could do at most
    order_seconds_a_day: float  #: processor time of the process that keeps order
    look_seconds_a_day: float  #: wall, where all is finished
    load: float  #: processes that wanted a core, ours included


def measure(folder: Path, workers: int, days: int, single: float | None) -> Row:
    """Make the days on so many workers, and look once more when they are finished."""
    out = folder / f"out_{workers}"
    place = {"granules": folder / "granules", "out": out, "region": REGION}
    methods = {"sr": {"name": "bicubic"}, "sic": {"name": "asi"}}
    settings = Settings.from_table({"run": place, "write": {"formats": ["zarr"]}} | methods)
    last = DAY + timedelta(days=days - 1)
    with connected(ClusterSettings(workers=workers)) as client:
        client.run(_warm)
        begun, order = time.perf_counter(), time.process_time()
        reprocess([settings], DAY, last, client, lambda *result: None)
        seconds, order = time.perf_counter() - begun, time.process_time() - order
        begun = time.perf_counter()
        reprocess([settings], DAY, last, client, lambda *result: None)
        looked = time.perf_counter() - begun
    return Row(
        workers=workers,
        days=days,
        seconds=round(seconds, 1),
        efficiency=round((single or seconds) / seconds / workers, 2),
        order_seconds_a_day=round(order / days, 3),
        look_seconds_a_day=round(looked / days, 3),
        load=round(os.getloadavg()[0], 1),
    )


def _warm() -> None:
    """Import what a day needs."""
    import seaice.product.quality  # noqa: F401


def _granules(folder: Path, days: int) -> int:
    simulate_small_days(folder / "few", 7)
    copy_days(folder / "few", folder / "granules", days + 4)
    return 0


def main() -> int:
    """Print the table as CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    table = csv.DictWriter(sys.stdout, [each.name for each in fields(Row)])
    table.writeheader()
    single = None
    with tempfile.TemporaryDirectory(prefix="scaling") as name:
        if wait_for_child(fork_child(partial(_granules, Path(name), options.days))):
            raise RuntimeError("no granules to work with")
        for workers in options.workers:
            row = measure(Path(name), workers, options.days, single)
            single = single or row.seconds * workers
            table.writerow(asdict(row))
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
