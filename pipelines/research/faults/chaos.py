"""Faults at random moments of a small reprocessing: `python -m pipelines.research.faults.chaos`.

A run that nothing disturbs comes first. Then, each on an empty output: a fault, a check that no
product is half there, the same command again, and a comparison with the undisturbed run, file by
file by SHA-256. It works on a copy of the source, so that no edit meanwhile makes other results.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import psutil

from pipelines.research.faults.runs import DAY, REGION
from seaice.files import sha256
from seaice.product.season_store import remove_old_generations
from seaice.workflow.season.verify import list_product_damages

__all__ = ["FAULTS", "SubprocessRuns", "check_whole", "difference", "results", "small_disk"]

LONGEST = 1200.0  #: s until a run counts as hanging
SMALL = 2 * 1024**2  #: bytes of the disk that fills

Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class SubprocessRuns:
    """Where the source, the granules and the settings of all runs are."""

    folder: Path
    days: int

    def start(self, out: Path) -> "subprocess.Popen[bytes]":
        """Begin a run; it leads a session of its own."""
        last = DAY + timedelta(days=self.days - 1)
        command = [sys.executable, "-m", "seaice.cli", "reprocess", "--start", str(DAY)]
        command += ["--end", str(last), "--granules", str(self.folder / "granules")]
        command += ["--out", str(out), "--region", REGION, "--workers", "2"]
        command += [
            "--sr",
            "bicubic",
            "--sic",
            "asi",
            "--settings",
            str(self.folder / "plain.toml"),
        ]
        with (self.folder / f"{out.name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                command, cwd=self.folder / "source", stdout=log, stderr=log, start_new_session=True
            )

    def finish(self, out: Path) -> None:
        """Run to the end.

        Raises
        ------
        RuntimeError
            If it does not end well; its words are in a log beside the output.
        """
        code = self.start(out).wait(LONGEST)
        if code:
            raise RuntimeError(f"the run on {out} ended with {code}")


def results(out: Path) -> dict[str, str]:
    """The SHA-256 of every file of products, seasons and series, by name.

    Logs and stages are left out, and pages of quality, which tell of the days made before.
    """
    kept = [path for path in out.glob("seaice_s*") if not path.name.startswith(".")]
    damaged = [*kept, *(file for path in kept for file in path.rglob("*"))]
    files = (file for file in damaged if file.is_file() and file.suffix != ".html")
    return {file.relative_to(out).as_posix(): sha256(file) for file in files}


def left_behind(out: Path) -> list[str]:
    """Working folders and locks that nobody holds any more, or should."""
    hidden = [*out.rglob(".*.part"), *out.rglob(".*.lock")]
    return [path.relative_to(out).as_posix() for path in hidden]


def killed_whole(runs: SubprocessRuns, out: Path, after: float, random: Random) -> None:
    """kill -9 of the run, its scheduler and its workers at one moment."""
    process = runs.start(out)
    _wait(process, after)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def killed_scheduler(runs: SubprocessRuns, out: Path, after: float, random: Random) -> None:
    """kill -9 of the process that holds the scheduler; workers find themselves alone."""
    process = runs.start(out)
    _wait(process, after)
    workers = _workers(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=120)
    if alive:
        raise RuntimeError("workers outlived their scheduler")


def killed_worker(runs: SubprocessRuns, out: Path, after: float, random: Random) -> None:
    """kill -9 of one worker; the run goes on without being told."""
    process = runs.start(out)
    _wait(process, after)
    workers = _workers(process)
    if workers:
        workers[random.integers(len(workers))].kill()
    if process.wait(LONGEST):
        raise RuntimeError("the run did not survive the loss of a worker")


def stopped(runs: SubprocessRuns, out: Path, after: float, random: Random) -> None:
    """Ctrl-C."""
    process = runs.start(out)
    _wait(process, after)
    process.send_signal(signal.SIGINT)
    process.wait(LONGEST)


def two_runs(runs: SubprocessRuns, out: Path, after: float, random: Random) -> None:
    """The same command twice at once."""
    processes = [runs.start(out), runs.start(out)]
    if any([process.wait(LONGEST) for process in processes]):
        raise RuntimeError("two runs at once did not both end well")


def full_disk(runs: SubprocessRuns, out: Path, after: float, random: Random) -> None:
    """A disk with too little room; what was made is then brought to one with enough."""
    out.mkdir()
    with small_disk(out, int(random.integers(SMALL // 8, SMALL))):
        code = runs.start(out).wait(LONGEST)
        if code == 0:
            raise RuntimeError("the disk did not fill")
        check_whole(out)
        kept = out.with_name(out.name + "_kept")
        shutil.copytree(out, kept, symlinks=True)
    shutil.rmtree(out)
    kept.rename(out)


#: fault -> how it is done
FAULTS: Mapping[str, Callable[[SubprocessRuns, Path, float, Random], None]] = MappingProxyType(
    {
        "the whole run killed": killed_whole,
        "the scheduler killed": killed_scheduler,
        "a worker killed": killed_worker,
        "Ctrl-C": stopped,
        "two runs on one output": two_runs,
        "a full disk": full_disk,
    }
)


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait for a moment, or the end of the run."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _workers(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The processes that work for a run, not those that only keep order."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        return [each for each in below if "spawn_main" in " ".join(each.cmdline())]
    except psutil.Error:
        return []


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A tmpfs at `folder`, for who may mount one."""
    where = str(folder)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", where]
    subprocess.run(mount, check=True)  # noqa: S603
    try:
        yield
    finally:
        subprocess.run(["umount", where], check=True)  # noqa: S603, S607


def check_whole(out: Path) -> None:
    """Refuse to go on with products that are half there.

    Raises
    ------
    RuntimeError
        Which names them.
    """
    damaged = [*list_product_damages(out)]
    if damaged:
        raise RuntimeError(f"damaged: {damaged}")


def run_scenario(runs: SubprocessRuns, fault: str, out: Path, after: float, random: Random) -> str:
    """Do harm, look, go on, compare; "survived", or what was wrong."""
    try:
        FAULTS[fault](runs, out, after, random)
        check_whole(out)
        runs.finish(out)
        check_whole(out)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    return difference(runs.folder / "undisturbed", out) or "survived"


def difference(reference_folder: Path, out: Path) -> str:
    """In what an output differs from that of an undisturbed run; empty where in nothing."""
    for store in out.glob("seaice_sic_*.zarr"):
        remove_old_generations(store)  # a day that was replaced stays for its readers
    reference, outputs = results(reference_folder), results(out)
    if outputs != reference:
        other = [
            name for name in outputs.keys() | reference if outputs.get(name) != reference.get(name)
        ]
        return f"other files: {sorted(other)[:3]}"
    left = left_behind(out)
    return f"left behind: {left[:3]}" if left else ""


def prepared(folder: Path, days: int) -> SubprocessRuns:
    """Granules, settings and a copy of the source."""
    from seaice.grid.regions import region_grid
    from seaice.simulate.days import simulate_days

    root = Path(__file__).parents[3]
    for package in ("seaice", "pipelines"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / package, folder / "source" / package, ignore=ignored)
    two, last = timedelta(days=2), DAY + timedelta(days=days - 1)
    granules = folder / "granules"
    granules.mkdir()
    grid = region_grid(REGION, "north")
    simulate_days(DAY - two, last + two, grid, 0, granules, lambda done, steps: None)
    (folder / "plain.toml").write_text('[write]\nformats = ["zarr"]\n')
    return SubprocessRuns(folder=folder, days=days)


def main() -> int:
    """Print a line a round; exit code 1 where a fault was not survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="only this one")
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="chaos") as folder:
        runs = prepared(Path(folder), options.days)
        start = time.monotonic()
        runs.finish(runs.folder / "undisturbed")
        whole = time.monotonic() - start
        print(f"undisturbed: {options.days} days in {whole:.0f} s", flush=True)
        faults = options.fault or list(FAULTS)
        for number in range(options.rounds):
            fault, after = faults[number % len(faults)], float(random.uniform(0.1, 1.0) * whole)
            outcome = run_scenario(runs, fault, runs.folder / f"round_{number}", after, random)
            failures += outcome != "survived"
            print(f"{number:3} {fault:24} after {after:5.0f} s: {outcome}", flush=True)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
