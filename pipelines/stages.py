"""Finished stages kept on disk, named by what went into them, so that nothing is done twice."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import xarray as xr

from seaice.files import alone, atomic_folder
from seaice.network.memory import give_back

__all__ = ["Progress", "Stages", "code_of", "key_of", "silent"]

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
        """The result of a stage: from disk where it is finished, else made and kept.

        Parameters
        ----------
        stage, date : where it is kept
        key : `key_of` everything that decides the result
        make : called only where nothing is kept

        Returns
        -------
        Dataset
            As it is on disk; arrays are read when they are used, each time anew: who uses one
            often loads it.
        """
        place = self.path(stage, date, key)
        if not place.exists():
            with alone(place):
                if not place.exists():  # another process may have made it meanwhile
                    _keep(make(), place)
                    give_back()
        kept: xr.Dataset = xr.open_dataset(place, engine="zarr", cache=False, consolidated=False)
        return kept


def _keep(result: xr.Dataset, place: Path) -> None:
    with atomic_folder(place) as part:
        # Metadata of a few arrays need no index, and no warning that v3 has none yet.
        result.to_zarr(part, mode="w", zarr_format=3, consolidated=False)
