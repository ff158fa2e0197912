"""HDF5 and NetCDF files from any source, opened without following links to other files.

The C library of NetCDF ends the process on some damaged files; HDF5 is read with h5py instead,
classic NetCDF with scipy. Whatever these libraries raise becomes a `GranuleError` or, if the disk
or network failed, a `StorageError`.
"""

import errno
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.errors import GranuleError, StorageError
from seaice.io.granules import irregular_file_kind

__all__ = [
    "FETCH_AGAIN",
    "MAX_CELLS",
    "HDF5File",
    "ensure_regular_file",
    "open_hdf5",
    "open_netcdf",
    "translate_errors",
]

#: errno of disk, network or process failures, which may be temporary
STORAGE_ERRNOS = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ECONNRESET,
        errno.EHOSTUNREACH, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
    }
)  # fmt: skip
#: deflate, shuffle, fletcher32, szip, nbit, scaleoffset: no filter plug-in is ever loaded
BUILT_IN_FILTERS = frozenset(range(1, 7))
MAX_CHUNK_BYTES = 2**28  #: bytes that one chunk may unpack to
MAX_CELLS = 120_000_000  #: of a map; a hemisphere at 1.5625 km has 35 million, a radar scene 100
FETCH_AGAIN = "fetch the file again, or remove it"


@dataclass(frozen=True, slots=True, kw_only=True)
class HDF5File:
    """An open HDF5 file with its path; names are resolved through hard links only."""

    path: Path
    file: h5py.File
    #: datasets by name, as far as looked up; None: there is no such dataset
    datasets: dict[str, h5py.Dataset | None] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether there is a dataset of this name."""
        return self._lookup(name) is not None

    def _lookup(self, name: str) -> h5py.Dataset | None:
        if name not in self.datasets:
            item = self.file[name] if self._is_inside(name) else None
            self.datasets[name] = item if isinstance(item, h5py.Dataset) else None
            if isinstance(item, h5py.Dataset):
                self._check_self_contained(item)
        return self.datasets[name]

    def _is_inside(self, name: str) -> bool:
        """Whether a name is reached through hard links alone, so that no other file is opened."""
        parent: h5py.Group = self.file
        *groups, last = name.split("/")
        for part in groups:
            if not isinstance(parent.get(part, getlink=True), h5py.HardLink):
                return False
            if not isinstance(parent[part], h5py.Group):
                return False
            parent = parent[part]
        return isinstance(parent.get(last, getlink=True), h5py.HardLink)

    def _check_self_contained(self, dataset: h5py.Dataset) -> None:
        """Refuse data in other files, filters that need a plug-in, and oversized chunks."""
        creation = dataset.id.get_create_plist()
        filters = {creation.get_filter(index)[0] for index in range(creation.get_nfilters())}
        chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
        if (
            dataset.external
            or dataset.is_virtual
            or not filters <= BUILT_IN_FILTERS
            or chunk > MAX_CHUNK_BYTES
        ):
            how = "external" if dataset.external or dataset.is_virtual else f"filters {filters}"
            raise self.error(
                f"{dataset.name!r} stored as {how}, {chunk} bytes per chunk",
                "data inside the file, compressed with HDF5's own filters",
                FETCH_AGAIN,
            )

    def dataset(self, name: str) -> h5py.Dataset:
        """A dataset, not read yet.

        Raises
        ------
        GranuleError
            If there is none of this name.
        """
        dataset = self._lookup(name)
        if dataset is None:
            raise self.error(f"no dataset {name!r}", "all datasets of the format", FETCH_AGAIN)
        return dataset

    def array(self, name: str, shape: tuple[int, ...], scans: slice) -> NDArray[np.generic]:
        """Some scans of a dataset whose scan axis is the last but one.

        Raises
        ------
        GranuleError
            If the dataset is missing or has another shape.
        """
        return np.asarray(self._shaped(name, shape)[..., scans, :])

    def read_into(
        self, name: str, shape: tuple[int, ...], scans: slice, out: NDArray[np.generic]
    ) -> None:
        """Like `array`, into an existing array, converted to its dtype.

        Raises
        ------
        GranuleError
            If the dataset is missing or has another shape.
        """
        self._shaped(name, shape).read_direct(out, np.s_[..., scans, :])

    def _shaped(self, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
        dataset = self.dataset(name)
        if dataset.shape != shape:
            raise self.error(f"{name!r} of shape {dataset.shape}", f"shape {shape}", FETCH_AGAIN)
        return dataset

    def text(self, name: str, otherwise: str) -> str:
        """A global attribute; JAXA writes them as arrays of one string."""
        if name not in self.file.attrs:
            return otherwise
        value = np.atleast_1d(self.file.attrs[name]).ravel()
        first = value[0] if value.size else otherwise
        return first.decode(errors="replace") if isinstance(first, bytes) else str(first)

    def required_text(self, name: str) -> str:
        """A global attribute that must exist.

        Raises
        ------
        GranuleError
            If it does not.
        """
        if name not in self.file.attrs:
            raise self.error(f"no attribute {name!r}", "all attributes of the format", FETCH_AGAIN)
        return self.text(name, "")

    def error(self, found: str, expected: str, do_next: str) -> GranuleError:
        """A GranuleError that names the file."""
        return GranuleError(f"{self.path.name}: {found}", expected, do_next)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Translate errors of file libraries in the block.

    Raises
    ------
    GranuleError
        With the library's message as the found part, and its error as the cause.
    StorageError
        If the disk or network failed rather than the file.
    """
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError) as error:
        _check_storage(path, error)
        raise GranuleError(
            f"{path.name}: cannot be read ({str(error).strip() or type(error).__name__})",
            "a complete file",
            "fetch the file again (it may be truncated), or remove it",
        ) from error


def _check_storage(path: Path, error: Exception) -> None:
    """Raise a StorageError if disk or network failed; HDF5 has errno in its message only."""
    match = re.search(r"errno = (\d+)", str(error))
    code = int(match[1]) if match else getattr(error, "errno", None)
    if code in STORAGE_ERRNOS:
        raise StorageError(
            f"{path.name}: its disk or network failed ({os.strerror(code)})",
            "a file that can be read",
            "run again; if the error persists, copy the file again",
        ) from error


@contextmanager
def open_hdf5(path: Path) -> Iterator[HDF5File]:
    """Open an HDF5 file for reading.

    Raises
    ------
    GranuleError
        If the file is missing, not HDF5, truncated, or damaged where it is read.
    """
    with translate_errors(path):
        ensure_regular_file(path)
        if not h5py.is_hdf5(path):
            raise _not_hdf5(path)
        with h5py.File(path, "r") as file:
            yield HDF5File(path=path, file=file)


def ensure_regular_file(path: Path) -> None:
    """Refuse what is not a regular file: opening a FIFO or a device may block for ever.

    Raises
    ------
    GranuleError
        If there is no file at the path, or it is not a regular file.
    """
    kind = irregular_file_kind(path)
    if kind == "no file":
        raise GranuleError(f"no file {path.name} in {path.parent}", "a file", "check the path")
    if kind:
        raise GranuleError(f"{path.name}: {kind}", "a regular file", "remove it")


def _not_hdf5(path: Path) -> GranuleError:
    with path.open("rb") as stream:
        stream.read(8)  # raises if the disk failed: is_hdf5 is False then, too
    return GranuleError(
        f"{path.name}: {path.stat().st_size} bytes that are not HDF5",
        "an HDF5 file as JAXA or NSIDC distributes them",
        FETCH_AGAIN,
    )


def open_netcdf(path: Path, *, decode_times: bool = True) -> xr.Dataset:
    """Open a NetCDF file lazily; it is read through h5netcdf or scipy.

    Parameters
    ----------
    decode_times : whether numbers with a time unit are decoded to times

    Raises
    ------
    GranuleError
        If it is not NetCDF, is damaged, refers to other files, or has an oversized variable.
    """
    with translate_errors(path):
        ensure_regular_file(path)
        if not _is_netcdf(path):
            raise GranuleError(
                f"{path.name}: cannot be read ({_file_kind(path)})",
                "a NetCDF file",
                "give another file, or fetch this one again",
            )
        if h5py.is_hdf5(path):
            _check_datasets(path)
            return xr.open_dataset(
                path, engine="h5netcdf", decode_times=decode_times, phony_dims="access"
            )
        return xr.open_dataset(path, engine="scipy", decode_times=decode_times)


def _file_kind(path: Path) -> str:
    return "it is a folder" if path.is_dir() else "it is neither NetCDF nor HDF5"


def _is_netcdf(path: Path) -> bool:
    """Whether a file starts as HDF5 or classic NetCDF do; for others xarray would guess."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(3) == b"CDF" or h5py.is_hdf5(path)


def _check_datasets(path: Path) -> None:
    """Refuse links and storage outside the file, and oversized datasets."""
    with open_hdf5(path) as source:
        for name in source.file:
            dataset = source.dataset(name)
            if dataset.size is not None and dataset.size > MAX_CELLS:
                raise source.error(
                    f"{name!r} of {dataset.size} values",
                    f"at most {MAX_CELLS}",
                    "give a map of one hemisphere",
                )
