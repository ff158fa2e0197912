"""Untrusted files read in a subprocess, so that a damaged file cannot end or corrupt this process.

Some damaged files crash libraries written in C or corrupt their memory. The subprocess
`python -m seaice.io.isolation MODULE OUTPUT SECONDS MEMORY ARGUMENT...` calls
`read_arrays(ARGUMENT...)` of a module, writes the returned arrays to OUTPUT and exits.
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
CPU_SECONDS = 60  #: limit of processor time, which does not depend on other load of the machine
WALL_TIME_FACTOR = 10  #: limit of elapsed time per limit of processor time, for reads that block
MEMORY_LIMIT = 4 * 1024**3  #: bytes of address space

Arrays = Mapping[str, NDArray[Any]]


def read_in_subprocess(
    module: str, path: Path, *more: str, seconds: int = CPU_SECONDS, memory: int = MEMORY_LIMIT
) -> Arrays:
    """Call `module.read_arrays(str(path), *more)` in a subprocess and return its arrays.

    Parameters
    ----------
    module : trusted, unlike the file; its arrays must not have dtype object
    path, more : arguments of `read_arrays`
    seconds, memory : limits of the subprocess: processor time in s, address space in bytes

    Raises
    ------
    SeaIceError
        Of the class and with the message that the module raised.
    GranuleError
        If the file crashes the subprocess, or exceeds a limit.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "arrays.npz")
        command = [sys.executable, "-m", "seaice.io.isolation", module, str(output), str(seconds)]
        try:
            result = subprocess.run(  # noqa: S603
                [*command, str(memory), str(path), *more],
                capture_output=True,
                text=True,
                timeout=WALL_TIME_FACTOR * seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _unreadable(path, f"not read within {WALL_TIME_FACTOR * seconds} s") from error
        if result.returncode == EXIT_REFUSED:
            kind, *parts = json.loads(result.stdout.splitlines()[-1])
            raise getattr(errors, kind)(*parts)
        if result.returncode == -signal.SIGXCPU:
            raise _unreadable(path, f"not read within {seconds} s of processor time")
        if result.returncode:
            how = f"signal {-result.returncode}" if result.returncode < 0 else "an error"
            raise _unreadable(path, f"reading it ended the process ({how})")
        with np.load(output) as arrays:
            return dict(arrays)


def _unreadable(path: Path, how: str) -> errors.GranuleError:
    return errors.GranuleError(
        f"{path.name}: {how}",
        "a file that can be read within limits",
        "fetch the file again, or remove it; if the error persists, report its name",
    )


def main(module: str, output: str, seconds: str, memory: str, *arguments: str) -> int:
    """Read a file in this subprocess; the exit code is 0 or `EXIT_REFUSED`."""
    read = importlib.import_module(module).read_arrays
    until = ceil(time.process_time() + int(seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (until, until + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    try:
        np.savez(output, **read(*arguments))
    except errors.SeaIceError as error:
        print(json.dumps([type(error).__name__, error.found, error.expected, error.hint]))
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
