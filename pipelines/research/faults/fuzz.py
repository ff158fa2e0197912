"""Bad files by the thousand: `make fuzz KIND=granules COUNT=10000 SEED=0`.

Each is a good file with one mutation, read in another process that is watched: it may refuse it
with a reason, or read what is lawful; it may not crash, hang, take much memory, or read another
file. Kinds are granules, settings, weights and references: maps of other services.
"""

import argparse
import json
import resource
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np

from pipelines.research.faults.bad import granules, references, settings, weights
from seaice.errors import SeaIceError

__all__ = ["KINDS", "Fuzzed", "Kind", "answer", "fuzz"]

PATIENCE = 20.0  #: s for one granule
MEMORY = 2 * 1024**3  #: bytes a reader may hold
RESPECTED = ("refused", "read", "ended")  #: the last: refused, after it ended a process apart
ANSWERS = (*RESPECTED, "error", "memory", "unlawful")  #: of a reader that lives on


@dataclass(slots=True, kw_only=True)
class Fuzzed:
    """How many granules ended how, by mutation; and what should not have been."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of files: how good ones are made, spoilt and read."""

    good: Callable[[Path], Path | tuple[Path, ...]]
    mutations: Mapping[str, Callable[[Path, np.random.Generator], None]]
    read: Callable[[Path], str]  #: what is wrong with what was read, if anything
    isolated: Callable[[Path], str] | None = None  #: how users read what may end its reader


def answer(path: Path, read: Callable[[Path], str] = granules.answered) -> str:
    """How a reader takes one file, in a word and a sentence."""
    try:
        wrong = read(path)
    except SeaIceError as error:
        return f"refused {error}"
    except Exception as error:
        return f"error {type(error).__name__}: {error}"
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if used > MEMORY:
        return f"memory {used / 1e9:.1f} GB"
    return f"unlawful {wrong}" if wrong else "read"


def serve(read: Callable[[Path], str]) -> None:
    """Answer for each path of standard input; the process that is watched."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * MEMORY, 4 * MEMORY))
    for line in sys.stdin:
        print(json.dumps(answer(Path(line.rstrip("\n")), read)), flush=True)


class _Reader:
    """A process that reads, started again when it ends."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-m",
                "pipelines.research.faults.fuzz",
                "--serve",
                "--kind",
                self.kind,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, path: Path, patience: float) -> str:
        """The reader's answer; "hang" or "crash" where there is none."""
        into, out = _pipes(self.process)
        try:
            into.write(f"{path}\n")
            into.flush()
            ready, _, _ = select.select([out], [], [], patience)
            line = out.readline() if ready else ""
        except BrokenPipeError:
            ready, line = [out], ""
        if line:
            return str(json.loads(line))
        self.close()
        code = self.process.returncode
        self._start()
        return f"crash with exit code {code}" if ready else f"hang for {patience:g} s"

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def _pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a reader without pipes")
    return process.stdin, process.stdout


def fuzz(kind: str, goods: Sequence[Path], count: int, seed: int, keep: Path) -> Fuzzed:
    """Mutate good files so many times in turn and have each read.

    Parameters
    ----------
    keep : a folder for those that were not taken as they should be
    """
    result, reader, patience = Fuzzed(), _Reader(kind), 10 * PATIENCE  # the first waits for imports
    names = list(KINDS[kind].mutations)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(count):
                good = goods[number // len(names) % len(goods)]
                what = names[number % len(names)]
                path = Path(folder, str(number), good.name)  # a reader may hold the last one open
                path.parent.mkdir()
                shutil.copy(good, path)
                KINDS[kind].mutations[what](path, np.random.default_rng([seed, number]))
                response = reader.ask(path, patience)
                response = _said_to_users(KINDS[kind], path, response)
                how, _, why = response.partition(" ")
                patience = PATIENCE if how in ANSWERS else 10 * PATIENCE  # another one imports
                result.counts[what, how] += 1
                if how not in RESPECTED:
                    result.problems.append(f"{number} {what}: {how} {why}")
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, keep / f"{seed}_{number}_{good.name}")
                shutil.rmtree(path.parent)
    finally:
        reader.close()
    return result


def _said_to_users(kind: Kind, path: Path, response: str) -> str:
    """What users are told of a file that ended its reader, where they read such files apart."""
    if kind.isolated is None or not response.startswith("crash"):
        return response
    again = answer(path, kind.isolated)
    return f"ended {again}" if again.startswith("refused") else f"{response}; then {again}"


PLAIN = {"granules": granules, "settings": settings, "weights": weights}

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        **{
            name: Kind(good=module.good, mutations=module.MUTATIONS, read=module.answered)
            for name, module in PLAIN.items()
        },
        "references": Kind(
            good=references.good,
            mutations=references.MUTATIONS,
            read=references.answered,
            isolated=references.answered_isolated,
        ),
    }
)


def main() -> int:
    """Print a table; exit code 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=list(KINDS), default="granules")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzzed"), help="for what was found")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    kind = KINDS[options.kind]
    if options.serve:
        serve(kind.read)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        good = kind.good(Path(folder))
        goods = good if isinstance(good, tuple) else (good,)
        result = fuzz(options.kind, goods, options.count, options.seed, options.keep)
    for what in kind.mutations:
        ends = {how: number for (each, how), number in result.counts.items() if each == what}
        print(f"{what:36} " + ", ".join(f"{number} {how}" for how, number in sorted(ends.items())))
    print(
        "\n".join(result.problems) or f"{options.count} files, each refused with a reason or read"
    )
    return bool(result.problems)


if __name__ == "__main__":
    sys.exit(main())
