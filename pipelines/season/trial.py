"""Read one granule in a process of its own, within limits of time and memory.

`python -m pipelines.season.trial FILE` is that process: exit code 0 where the file was read, 3
where it was refused with a reason, which stands on standard output as JSON.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

from seaice.errors import GranuleError

__all__ = ["REFUSED", "tried"]

SECONDS = 60
MEMORY = 4 * 1024**3  #: bytes of address space
REFUSED = 3  #: exit code


def tried(path: Path, seconds: float = SECONDS) -> None:
    """Do nothing, if the granule can be read.

    Raises
    ------
    GranuleError
        If it is refused, ends the process, or takes longer than `seconds`.
    """
    command = [sys.executable, "-m", "pipelines.season.trial", str(path)]
    try:
        ended = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _harmful(path, f"not read within {seconds:g} s") from error
    if ended.returncode == REFUSED:
        raise GranuleError(*json.loads(ended.stdout))
    if ended.returncode:
        how = f"signal {-ended.returncode}" if ended.returncode < 0 else "an error of the program"
        raise _harmful(path, f"reading it ended the process ({how})")


def _harmful(path: Path, how: str) -> GranuleError:
    return GranuleError(
        f"{path.name}: {how}",
        "a file that can be read within limits",
        "fetch the file again, or leave it out; if it stays so, report its name",
    )


def main(path: Path) -> int:
    """Read the file; tell in the exit code how it went."""
    from seaice.ingest.read import read_swath

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        read_swath(path)
    except GranuleError as error:
        print(json.dumps([error.found, error.expected, error.do_next]))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
