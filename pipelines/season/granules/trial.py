"""Read one granule in a process of its own, within limits of time and memory."""

from pathlib import Path

from seaice.apart import Arrays, apart

__all__ = ["read_arrays", "tried"]


def tried(path: Path) -> None:
    """Do nothing, if the granule can be read.

    Raises
    ------
    GranuleError
        If it is refused, ends the process, or takes more time or memory than it may.
    """
    apart(__name__, path)


def read_arrays(path: str) -> Arrays:
    """Read a granule, in that process; nothing is handed over."""
    from seaice.ingest.read import read_swath

    read_swath(Path(path))
    return {}
