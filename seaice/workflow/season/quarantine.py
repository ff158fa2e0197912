"""Granules that cannot be read are recorded and skipped by later runs.

The reason is written to OUT/quarantine. A granule that ends or blocks the process that reads it
leaves a lock file; the next run reads that granule first in a subprocess with limits of time and
memory. A worker that was killed for another reason therefore does not exclude a granule.
"""

import faulthandler
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from seaice.errors import GranuleError, StorageError
from seaice.files import atomic_file, is_left, sha256
from seaice.io.readers import read_swath, validate_in_subprocess
from seaice.workflow.stages import VERSIONS

__all__ = ["list_quarantined", "quarantine_reader"]

FOLDER = "quarantine"
PATIENCE = 300  #: s a worker may read one granule before it ends itself

Read = Callable[[Path], xr.Dataset]


def list_quarantined(out: Path) -> list[dict[str, Any]]:
    """The list: name, sha256, found, expected, do_next of each."""
    return [json.loads(path.read_text()) for path in sorted((out / FOLDER).glob("*.json"))]


def quarantine_reader(out: Path, hashes: Mapping[Path, str], read: Read = read_swath) -> Read:
    """A reader of granules that passes over those in quarantine, with the reason noted there.

    Raises
    ------
    GranuleError
        By the reader, as by `read_swath`.
    """

    def reader(path: Path) -> xr.Dataset:
        _refuse_known(out, path, hashes[path])
        try:
            _try_suspect(out, path, hashes[path])
            with _marked(out / FOLDER / f".{hashes[path]}.{os.getpid()}.reading"):
                return read(path)
        except GranuleError as error:
            _check_unchanged(path, hashes[path])
            _note_quarantined(out, path, hashes[path], error)
            raise

    return reader


def _entry(out: Path, path: Path) -> Path:
    return out / FOLDER / f"{path.name}.json"


def _refuse_known(out: Path, path: Path, digest: str) -> None:
    try:
        told = json.loads(_entry(out, path).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return
    # Entries of a package before stage versions have "code" in place of "version".
    if (told["sha256"], told.get("version")) == (digest, VERSIONS["read"]):
        raise GranuleError(told["found"], told["expected"], told["do_next"])


def _note_quarantined(out: Path, path: Path, digest: str, error: GranuleError) -> None:
    told = {"name": path.name, "sha256": digest, "version": VERSIONS["read"]}
    told |= {"found": error.found, "expected": error.expected, "do_next": error.hint}
    with atomic_file(_entry(out, path)) as part:
        part.write_text(json.dumps(told, indent=1))


def _check_unchanged(path: Path, digest: str) -> None:
    """A file that came, went or grew meanwhile is not the one that was planned with."""
    if not path.is_file() or sha256(path) != digest:
        raise StorageError(
            f"{path.name} changed while it was read", "a file that is complete", "run again"
        )


def _try_suspect(out: Path, path: Path, digest: str) -> None:
    """Where an earlier reader ended over this granule, read it in a process of its own first."""
    left = [mark for mark in (out / FOLDER).glob(f".{digest}.*.reading") if is_left(mark)]
    if not left:
        return
    try:
        validate_in_subprocess(path)
    finally:
        for mark in left:
            mark.unlink(missing_ok=True)


@contextmanager
def _marked(mark: Path) -> Iterator[None]:
    """A locked file that outlives this process only where it ends inside the block."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(mark, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        mark.unlink(missing_ok=True)
        os.close(handle)
