"""Finished stages kept on disk, named by what went into them, so that nothing is done twice.

Each stage is a Zarr store, STAGE/DATE_KEY, with a list of the SHA-256 of its files beside it,
STAGE/DATE_KEY.sha256. The list is checked before a stage is used; a stage that differs from its
list is computed again.

A stage's cache key holds the content of its inputs, the settings that its result depends on, the
keys of the stages before it, and the stage's version number from `VERSIONS`.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import xarray as xr

from seaice.files import atomic_file, atomic_folder, file_lock
from seaice.models.memory import release_memory
from seaice.product.folder import manifest_differences, read_manifest, write_manifest

__all__ = ["VERSIONS", "Progress", "Stages", "hashes_path", "key_of", "silent"]

logger = logging.getLogger(__name__)

#: Version of each stage's code. Raise a number by hand whenever the stage's result changes for the
#: same inputs; stored results of the older version are then no longer used. Changes that leave
#: results alone (names, comments, speed) keep the number. `tests/test_stage_versions.py` fails when
#: a result changes under the same number.
VERSIONS: Final[Mapping[str, int]] = {
    "read": 1,  # granule -> swath, or the reason for refusing it
    "grid": 1,  # swaths -> daily map
    "refine": 1,  # five daily maps -> brightness temperature at 1.5625 km
    "concentrate": 2,  # refined map -> concentration, uncertainty, flags
    "write": 2,  # concentration -> files of a product
    "simulate": 3,  # seed, region -> simulated granules and their truth
}

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
            with file_lock(place):
                damage = _damage(place)  # another process may have made it meanwhile
                if damage:
                    if place.exists():
                        logger.warning("kept stage %s: %s; it is computed again", place, damage)
                    _keep(make(), place)
                    release_memory()
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
        result = (
            next(manifest_differences(place, listed), None)
            if listed
            else "its list of hashes is empty"
        )
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError) as error:
        return str(error)
    if result is None:
        _verified[place] = state
    return result


def _state(place: Path) -> str:
    """Names, sizes and times of change of all files of a stage and of its list, as a hash."""
    result = [(str(path), path.stat()) for path in (hashes_path(place), *sorted(place.rglob("*")))]
    return key_of(
        files=[(name, told.st_size, told.st_mtime_ns, told.st_ino) for name, told in result]
    )


def _keep(result: xr.Dataset, place: Path) -> None:
    with atomic_folder(place) as part:
        # Metadata of a few arrays need no index, and no warning that v3 has none yet.
        result.to_zarr(part, mode="w", zarr_format=3, consolidated=False)
        with atomic_file(hashes_path(place)) as listed:  # before the stage itself appears
            write_manifest(part, listed)
