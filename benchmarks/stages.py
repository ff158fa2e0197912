"""Time and memory of each stage of the demo day, from nothing: `make bench ONLY=day`.

Every stage runs in a process of its own, as `seaice VERB` does, so that each finds what the
one before it kept, and its memory is its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measured", "measured", "stages_measured"]

VERBS = ("grid", "refine", "concentrate", "daily")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one command took."""

    what: str
    seconds: float
    cpu: float  #: s, of all its threads
    peak: int  #: bytes, the most memory any command held until now


def measured(what: str, command: list[str]) -> Measured:
    """Run a command to its end.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; its own message is then on the terminal.

    >>> measured("nothing", [sys.executable, "-c", ""]).seconds < 30
    True
    """
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measured(
        what=what,
        seconds=time.monotonic() - start,
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak=after.ru_maxrss * 1024,
    )


def stages_measured(out: Path, told: Sequence[str] = ("--demo",)) -> Iterator[Measured]:
    """Each verb on an empty folder, then the finished day once more.

    Parameters
    ----------
    told : options of the verbs that say which day; "grid" of the demo simulates it first
    """
    for verb in (*VERBS, "daily"):
        command = [sys.executable, "-m", "seaice.cli", verb, *told, "--out", str(out)]
        yield measured(verb, command)


def main() -> None:
    """Print a table as the stages end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a folder to keep; else a temporary one")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for stage in stages_measured(told.out or Path(temporary)):
            print(f"{stage.what:<12} {stage.seconds:7.1f} s {stage.peak / 1e9:6.2f} GB", flush=True)


if __name__ == "__main__":
    main()
