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

from pipelines.research.faults import harm
from pipelines.research.faults.chaos import DAY, REGION, check_whole, difference, small_disk
from pipelines.research.faults.stores import store_fails, store_served
from pipelines.research.faults.trial import Trial, ended, forked

__all__ = ["FAULTS"]

ROOM = 256 * 1024**2  #: bytes of the disk that is filled at a stage

Random = np.random.Generator


def killed(trial: Trial, out: Path, random: Random) -> None:
    """kill -9 at a random moment."""
    child = trial.start(trial.settings(out, trial.folder / "granules"))
    time.sleep(float(random.uniform(0, 1)) * trial.seconds["whole"])
    os.kill(child, signal.SIGKILL)
    ended(child)


def two_at_once(trial: Trial, out: Path, random: Random) -> None:
    """Two runs on one output, the second after a moment."""
    settings = trial.settings(out, trial.folder / "granules")
    children = [trial.start(settings)]
    time.sleep(float(random.uniform(0, 0.3)) * trial.seconds["whole"])
    children.append(trial.start(settings))
    if any([ended(child) for child in children]):
        raise RuntimeError("two runs at once did not both end well")


def disk_full_at(stage: str, trial: Trial, out: Path, random: Random) -> None:
    """A disk that is full when a stage begins to write, and has room again later."""
    out.mkdir()
    with small_disk(out, ROOM):
        settings = trial.settings(out, trial.folder / "granules")
        ended(trial.start(settings, partial(harm.disk_fills, stage, out)))
        if not (out / harm.FILLER).exists():
            raise RuntimeError("the disk did not fill")
        check_whole(out)
        (out / harm.FILLER).unlink()
        kept = out.with_name(f"{out.name}_kept")
        shutil.copytree(out, kept, symlinks=True)
    shutil.rmtree(out)
    kept.rename(out)


def reads_fail(trial: Trial, out: Path, random: Random) -> None:
    """A disk of granules that answers EIO now and then."""
    settings = trial.settings(out, trial.folder / "granules")
    ended(trial.start(settings, partial(harm.reading_fails, random)))


def cut_short(trial: Trial, out: Path, random: Random) -> None:
    """A granule that is cut while it is read, and whole again later."""
    granules = trial.folder / f"{out.name}_granules"
    shutil.copytree(trial.folder / "granules", granules)
    ended(trial.start(trial.settings(out, granules), partial(harm.file_cut_short, random)))


def clock(trial: Trial, out: Path, random: Random) -> None:
    """A clock that jumps by years, and files from the future."""
    granules = trial.folder / f"{out.name}_granules"
    shutil.copytree(trial.folder / "granules", granules)
    settle = partial(harm.clock_jumps, random, granules, out)
    trial.finish(trial.settings(out, granules), settle)


#: fault -> how it is done
FAULTS: Mapping[str, Callable[[Trial, Path, Random], None]] = MappingProxyType(
    {
        "kill -9 at a random moment": killed,
        **{f"full disk: {stage}": partial(disk_full_at, stage) for stage in harm.STAGES},
        "granules that answer EIO": reads_fail,
        "a granule cut while it is read": cut_short,
        "a clock that jumps": clock,
        "two runs at once": two_at_once,
        "a store that answers 500, half or not": store_fails,
    }
)


def tried(trial: Trial, fault: str, out: Path, random: Random) -> str:
    """Do harm, look, go on, compare; "survived", or what was wrong."""
    try:
        FAULTS[fault](trial, out, random)
        check_whole(out)
        trial.finish(trial.settings(out, trial.folder / "granules"))
        check_whole(out)
    except (RuntimeError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return difference(trial.folder / "undisturbed", out) or "survived"


def _granules(folder: Path, days: int) -> int:
    from seaice.grid.regions import region_grid
    from seaice.simulate.days import simulate_days

    two, last = timedelta(days=2), DAY + timedelta(days=days - 1)
    folder.mkdir()
    grid = region_grid(REGION, "north")
    simulate_days(DAY - two, last + two, grid, 0, folder, lambda done, steps: None)
    return 0


def _rounds(trial: Trial, rounds: int, seed: int, faults: list[str]) -> int:
    """Print a line a round; how many faults were not survived."""
    random, failures = np.random.default_rng(seed), 0
    for number in range(rounds):
        fault, start = faults[number % len(faults)], time.monotonic()
        out = trial.folder / f"round_{number}"
        said = tried(trial, fault, out, random)
        failures += said != "survived"
        seconds = time.monotonic() - start
        print(f"{number:3} {fault:38} {seconds:5.0f} s: {said}", flush=True)
        for left in (out, out.with_name(f"{out.name}_granules"), trial.folder / "work"):
            shutil.rmtree(left, ignore_errors=True)
    return failures


def main() -> int:
    """Exit code 1 where a fault was not survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=len(FAULTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="only this one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos") as name:
        folder = Path(name)
        if ended(forked(partial(_granules, folder / "granules", asked.days))):
            raise RuntimeError("no granules to try with")
        with store_served(folder / "granules") as store:
            trial = Trial(folder=folder, days=asked.days, store=store)
            for name in ("compiled", "undisturbed"):  # the first also compiles
                start = time.monotonic()
                trial.finish(trial.settings(folder / name, folder / "granules"))
                trial.seconds["whole"] = time.monotonic() - start
            print(f"undisturbed: {asked.days} days in {trial.seconds['whole']:.0f} s", flush=True)
            failures = _rounds(trial, asked.rounds, asked.seed, asked.fault or list(FAULTS))
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
