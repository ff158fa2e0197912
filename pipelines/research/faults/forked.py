"""Faults within one process: `make chaos KIND=forked ROUNDS=50 SEED=0 DAYS=2`.

A run is killed, or its disk, its reads, its clock or its network fail. Then, as in
`pipelines.research.faults.chaos`: no product is half there, the same run again ends well, and
every file is that of a run which nothing disturbed.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from pipelines.research.faults import injection
from pipelines.research.faults.chaos import check_whole, difference, small_disk
from pipelines.research.faults.injection import failing_store, serve_store
from pipelines.research.faults.runs import DAY, REGION, ForkedRuns, fork_child, wait_for_child

__all__ = ["FAULTS"]

ROOM = 256 * 1024**2  #: bytes of the disk that is filled at a stage

Random = np.random.Generator


def killed(runs: ForkedRuns, out: Path, random: Random) -> None:
    """kill -9 at a random moment."""
    child = runs.start(runs.settings(out, runs.folder / "granules"))
    time.sleep(float(random.uniform(0, 1)) * runs.seconds["whole"])
    os.kill(child, signal.SIGKILL)
    wait_for_child(child)


def two_at_once(runs: ForkedRuns, out: Path, random: Random) -> None:
    """Two runs on one output, the second after a moment."""
    settings = runs.settings(out, runs.folder / "granules")
    children = [runs.start(settings)]
    time.sleep(float(random.uniform(0, 0.3)) * runs.seconds["whole"])
    children.append(runs.start(settings))
    if any([wait_for_child(child) for child in children]):
        raise RuntimeError("two runs at once did not both end well")


def disk_full_at(stage: str, runs: ForkedRuns, out: Path, random: Random) -> None:
    """A disk that is full when a stage begins to write, and has room again later."""
    out.mkdir()
    with small_disk(out, ROOM):
        settings = runs.settings(out, runs.folder / "granules")
        wait_for_child(runs.start(settings, partial(injection.fill_disk, stage, out)))
        if not (out / injection.FILLER).exists():
            raise RuntimeError("the disk did not fill")
        check_whole(out)
        (out / injection.FILLER).unlink()
        kept = out.with_name(f"{out.name}_kept")
        shutil.copytree(out, kept, symlinks=True)
    shutil.rmtree(out)
    kept.rename(out)


def reads_fail(runs: ForkedRuns, out: Path, random: Random) -> None:
    """A disk of granules that answers EIO now and then."""
    settings = runs.settings(out, runs.folder / "granules")
    wait_for_child(runs.start(settings, partial(injection.reading_fails, random)))


def cut_short(runs: ForkedRuns, out: Path, random: Random) -> None:
    """A granule that is cut while it is read, and whole again later."""
    granules = runs.folder / f"{out.name}_granules"
    shutil.copytree(runs.folder / "granules", granules)
    wait_for_child(
        runs.start(runs.settings(out, granules), partial(injection.file_cut_short, random))
    )


def clock(runs: ForkedRuns, out: Path, random: Random) -> None:
    """A clock that jumps by years, and files from the future."""
    granules = runs.folder / f"{out.name}_granules"
    shutil.copytree(runs.folder / "granules", granules)
    setup = partial(injection.clock_jumps, random, granules, out)
    runs.finish(runs.settings(out, granules), setup)


#: fault -> how it is done
FAULTS: Mapping[str, Callable[[ForkedRuns, Path, Random], None]] = MappingProxyType(
    {
        "kill -9 at a random moment": killed,
        **{f"full disk: {stage}": partial(disk_full_at, stage) for stage in injection.STAGES},
        "granules that answer EIO": reads_fail,
        "a granule cut while it is read": cut_short,
        "a clock that jumps": clock,
        "two runs at once": two_at_once,
        "a store that answers 500, half or not": failing_store,
    }
)


def run_scenario(runs: ForkedRuns, fault: str, out: Path, random: Random) -> str:
    """Do harm, look, go on, compare; "survived", or what was wrong."""
    try:
        FAULTS[fault](runs, out, random)
        check_whole(out)
        runs.finish(runs.settings(out, runs.folder / "granules"))
        check_whole(out)
    except (RuntimeError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return difference(runs.folder / "undisturbed", out) or "survived"


def _granules(folder: Path, days: int) -> int:
    from seaice.grid.regions import region_grid
    from seaice.simulate.days import simulate_days

    two, last = timedelta(days=2), DAY + timedelta(days=days - 1)
    folder.mkdir()
    grid = region_grid(REGION, "north")
    simulate_days(DAY - two, last + two, grid, 0, folder, lambda done, steps: None)
    return 0


def _rounds(runs: ForkedRuns, rounds: int, seed: int, faults: list[str]) -> int:
    """Print a line a round; how many faults were not survived."""
    random, failures = np.random.default_rng(seed), 0
    for number in range(rounds):
        fault, start = faults[number % len(faults)], time.monotonic()
        out = runs.folder / f"round_{number}"
        outcome = run_scenario(runs, fault, out, random)
        failures += outcome != "survived"
        seconds = time.monotonic() - start
        print(f"{number:3} {fault:38} {seconds:5.0f} s: {outcome}", flush=True)
        for left in (out, out.with_name(f"{out.name}_granules"), runs.folder / "work"):
            shutil.rmtree(left, ignore_errors=True)
    return failures


def main() -> int:
    """Exit code 1 where a fault was not survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=len(FAULTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="only this one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos") as name:
        folder = Path(name)
        if wait_for_child(fork_child(partial(_granules, folder / "granules", options.days))):
            raise RuntimeError("no granules to try with")
        with serve_store(folder / "granules") as store:
            runs = ForkedRuns(folder=folder, days=options.days, store=store)
            for name in ("compiled", "undisturbed"):  # the first also compiles
                start = time.monotonic()
                runs.finish(runs.settings(folder / name, folder / "granules"))
                runs.seconds["whole"] = time.monotonic() - start
            print(f"undisturbed: {options.days} days in {runs.seconds['whole']:.0f} s", flush=True)
            failures = _rounds(runs, options.rounds, options.seed, options.fault or list(FAULTS))
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
