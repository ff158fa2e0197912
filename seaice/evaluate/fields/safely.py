"""Whatever is wrong with a file of anybody is a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaice.errors import GranuleError, NoInputError, SeaIceError

__all__ = ["readable"]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever goes wrong in the block, with a file of anybody, is that file's fault.

    Raises
    ------
    NoInputError
        With the words of what went wrong.
    """
    try:
        yield
    except GranuleError as error:
        raise NoInputError(error.found, error.expected, error.do_next) from error
    except SeaIceError:
        raise
    except Exception as error:  # of five libraries, over whatever a file may hold
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise NoInputError(
            f"{path}, which cannot be read ({said[0][:200]})",
            "a product folder with one Zarr store, a NetCDF, or a GeoTIFF of concentration",
            "fetch the file again, or give another",
        ) from error
