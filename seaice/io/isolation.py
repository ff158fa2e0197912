"""A file of a stranger, read in a process of its own: the only one that the file can end.

Libraries in C are ended, or have their memory spoilt, by some damaged files. So what reads the
file hands over plain arrays, and never comes back:
`python -m seaice.io.isolation MODULE INTO ARGUMENT...`
calls `read_arrays(ARGUMENT...)` of a module and writes its arrays to INTO.
"""

import importlib
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice import errors

__all__ = ["Arrays", "read_in_subprocess"]

EXIT_REFUSED = 3  #: exit code
CPU_SECONDS = 60  #: of processor time: a machine that is busy is no fault of the file
WALL_TIME_FACTOR = 10  #: times as long may pass, for a file that waits for ever
MEMORY_LIMIT = 4 * 1024**3  #: bytes of address space

Arrays = Mapping[str, NDArray[Any]]


def read_in_subprocess(
    module: str, path: Path, *more: str, seconds: int = CPU_SECONDS, memory: int = MEMORY_LIMIT
) -> Arrays:
    """What `module.read_arrays(str(path), *more)` gives, called in a process of its own.

    Parameters
    ----------
    module : trusted, unlike the file; no array of it may hold objects
    seconds, memory : limits of the process: processor time, bytes of address space

    Raises
    ------
    SeaIceError
        Of the class and with the words that the module raised.
    GranuleError
        If the file ends the process, or takes longer or more memory than it may.
    """
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder, "arrays.npz")
        command = [sys.executable, "-m", "seaice.io.isolation", module, str(into), str(seconds)]
        try:
            ended = subprocess.run(  # noqa: S603
                [*command, str(memory), str(path), *more],
                capture_output=True,
                text=True,
                timeout=WALL_TIME_FACTOR * seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _unreadable(path, f"not read within {WALL_TIME_FACTOR * seconds} s") from error
        if ended.returncode == EXIT_REFUSED:
            kind, *said = json.loads(ended.stdout.splitlines()[-1])
            raise getattr(errors, kind)(*said)
        if ended.returncode == -signal.SIGXCPU:
            raise _unreadable(path, f"not read within {seconds} s of processor time")
        if ended.returncode:
            how = f"signal {-ended.returncode}" if ended.returncode < 0 else "an error"
            raise _unreadable(path, f"reading it ended the process ({how})")
        with np.load(into) as arrays:
            return dict(arrays)


def _unreadable(path: Path, how: str) -> errors.GranuleError:
    return errors.GranuleError(
        f"{path.name}: {how}",
        "a file that can be read within limits",
        "fetch the file again, or leave it out; if it stays so, report its name",
    )


def main(module: str, into: str, seconds: str, memory: str, *given: str) -> int:
    """Read; tell in the exit code how it went."""
    read = importlib.import_module(module).read_arrays
    until = ceil(time.process_time() + int(seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (until, until + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    try:
        np.savez(into, **read(*given))
    except errors.SeaIceError as error:
        print(json.dumps([type(error).__name__, error.found, error.expected, error.do_next]))
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
