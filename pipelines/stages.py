"""Finished stages kept on disk, named by what went into them, so that nothing is done twice.

Each stage is a Zarr store, STAGE/DATE_KEY, with a list of the SHA-256 of its files beside it,
STAGE/DATE_KEY.sha256. The list is checked before a stage is used; a stage that differs from its
list is computed again.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import xarray as xr

from seaice.files import alone, atomic_file, atomic_folder
from seaice.network.memory import give_back
from seaice.write.manifest import differences, read_manifest, write_manifest

__all__ = ["Progress", "Stages", "code_of", "hashes_path", "key_of", "silent"]

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Told the stage, how many of its steps are done, and how many there are."""


def silent(stage: str, done: int, steps: int) -> None:
    """Progress nobody watches."""


def key_of(**facts: object) -> str:
    """A short name for a result: the hash of everything that decides it.

    >>> key_of(a=1, b=[2]) == key_of(b=[2], a=1) != key_of(a=1, b=[3])
    True
    """
    return sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def code_of(*packages: str) -> str:
    """The hash of all source and data in these packages of `seaice`, other than weights.

    Changed code means changed results; weights are known by their own hash.
    """
    digest = sha256()
    for package in packages:
        root = Path(str(files("seaice") / package))
        for source in sorted(path for path in root.rglob("*") if _decides(path)):
            digest.update(source.relative_to(root).as_posix().encode() + b"\0")
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _decides(path: Path) -> bool:
    """Not what Python and numba leave beside the source when it has run."""
    return path.is_file() and path.parent.name not in ("__pycache__", "weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """A folder of finished stages, one Zarr store each: STAGE/DATE_KEY."""

    folder: Path

    def path(self, stage: str, date: str, key: str) -> Path:
        """Where a result is, or will be."""
        return self.folder / stage / f"{date}_{key}"

    def kept(self, stage: str, date: str, key: str, make: Callable[[], xr.Dataset]) -> xr.Dataset:
        """The result of a stage: from disk where it is finished and whole, else made and kept.

        A stage whose files differ from the hashes that were written with them is computed again,
        with a warning in the log.

        Parameters
        ----------
        stage, date : where it is kept
        key : `key_of` everything that decides the result
        make : called only where nothing whole is kept

        Returns
        -------
        Dataset
            As it is on disk; arrays are read when they are used, each time anew: who uses one
            often loads it.
        """
        place = self.path(stage, date, key)
        if _damage(place):
            with alone(place):
                damage = _damage(place)  # another process may have made it meanwhile
                if damage:
                    if place.exists():
                        logger.warning("kept stage %s: %s; it is computed again", place, damage)
                    _keep(make(), place)
                    give_back()
        kept: xr.Dataset = xr.open_dataset(place, engine="zarr", cache=False, consolidated=False)
        return kept


def hashes_path(place: Path) -> Path:
    """Where the hashes of a kept stage are: beside it, for Zarr warns of other files inside.

    >>> hashes_path(Path("grid/2020-03-03_0f")).as_posix()
    'grid/2020-03-03_0f.sha256'
    """
    return place.with_name(f"{place.name}.sha256")


_verified: dict[Path, str] = {}
"""The state of files (`_state`) in which a stage was found whole by this process."""


def _damage(place: Path) -> str | None:
    """What is wrong with a kept stage, None where it is whole; hashed once while it stays as it is.

    Hashing reads all files; later calls compare names, sizes and times of change only.
    """
    try:
        state = _state(place)
        if _verified.get(place) == state:
            return None
        listed = read_manifest(hashes_path(place).read_text())
        found = next(differences(place, listed), None) if listed else "its list of hashes is empty"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError) as error:
        return str(error)
    if found is None:
        _verified[place] = state
    return found


def _state(place: Path) -> str:
    """Names, sizes and times of change of all files of a stage and of its list, as a hash."""
    found = [(str(path), path.stat()) for path in (hashes_path(place), *sorted(place.rglob("*")))]
    return key_of(
        files=[(name, told.st_size, told.st_mtime_ns, told.st_ino) for name, told in found]
    )


def _keep(result: xr.Dataset, place: Path) -> None:
    with atomic_folder(place) as part:
        # Metadata of a few arrays need no index, and no warning that v3 has none yet.
        result.to_zarr(part, mode="w", zarr_format=3, consolidated=False)
        with atomic_file(hashes_path(place)) as listed:  # before the stage itself appears
            write_manifest(part, listed)
