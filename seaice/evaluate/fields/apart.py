"""The field of a file of anybody, read in a process of its own."""

from datetime import date
from pathlib import Path

import numpy as np
from affine import Affine

from seaice.evaluate.fields.field import Field
from seaice.evaluate.fields.open import open_field
from seaice.evaluate.fields.safely import readable
from seaice.grid.grid import Grid
from seaice.io.isolation import Arrays, read_in_subprocess

__all__ = ["open_apart", "read_arrays"]

SECONDS = 300  #: of processor time
MEMORY = 12 * 1024**3  #: bytes of address space; a radar scene with its chart takes 5


def open_apart(path: Path, day: date | None = None) -> Field:
    """The same as `open_field`, but a damaged file cannot end this process.

    Folders are read in this one: no library of NetCDF or GeoTIFF takes part.

    Raises
    ------
    NoInputError
        As `open_field`; and if reading the file ends, or does not end.
    """
    if not path.is_file():
        return open_field(path, day)
    with readable(path):
        told = read_in_subprocess(__name__, path, str(day or ""), seconds=SECONDS, memory=MEMORY)
        lattice = Grid.from_affine(
            crs=str(told["crs"]), transform=Affine(*told["transform"]), shape=told["sic"].shape
        )
        time = told["time"].flat[0]
        return Field(
            name=str(told["name"]),
            lattice=lattice,
            sic=told["sic"],
            time=None if np.isnat(time) else time,
            doubt=told.get("doubt"),
            tb=told.get("tb"),
        )


def read_arrays(path: str, day: str) -> Arrays:
    """The field as plain arrays, in that process."""
    field = open_field(Path(path), date.fromisoformat(day) if day else None)
    layers = {name: getattr(field, name) for name in ("sic", "doubt", "tb")}
    return {
        "name": np.array(field.name),
        "crs": np.array(field.lattice.crs),
        "transform": np.array(field.lattice.transform[:6]),
        "time": np.array("NaT" if field.time is None else field.time, "datetime64[ns]"),
        **{name: layer for name, layer in layers.items() if layer is not None},
    }
