"""Read one granule in a process of its own, within limits of time and memory."""

from pathlib import Path

from seaice.io.isolation import Arrays, read_in_subprocess

__all__ = ["read_arrays", "tried"]


def tried(path: Path) -> None:
    """Do nothing, if the granule can be read.

    Raises
    ------
    GranuleError
        If it is refused, ends the process, or takes more time or memory than it may.
    """
    read_in_subprocess(__name__, path)


def read_arrays(path: str) -> Arrays:
    """Read a granule, in that process; nothing is handed over."""
    from seaice.io.readers import read_swath

    read_swath(Path(path))
    return {}
