"""Read one granule in a process of its own, within limits of time and memory."""

from pathlib import Path

from seaice.apart import SECONDS, Arrays, apart

__all__ = ["handed", "tried"]


def tried(path: Path, seconds: float = SECONDS) -> None:
    """Do nothing, if the granule can be read.

    Raises
    ------
    GranuleError
        If it is refused, ends the process, or takes longer than `seconds`.
    """
    apart(__name__, path, seconds=seconds)


def handed(path: str) -> Arrays:
    """Read a granule, in that process; nothing is handed over."""
    from seaice.ingest.read import read_swath

    read_swath(Path(path))
    return {}
