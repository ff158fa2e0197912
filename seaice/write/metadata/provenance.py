"""What a product was made of, by what, and what to keep in mind: one JSON document."""

import json
import os
import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xarray as xr

import seaice
from seaice import __version__
from seaice.grid.grid import grid_of
from seaice.stack import frame_dates, source_dates
from seaice.write.metadata.clock import made_at

__all__ = ["commit", "frames_of", "modified", "provenance", "software"]

ROOT = Path(seaice.__file__).parents[1]  #: of the clone, where there is one
CODE = ("seaice", "pipelines", "pyproject.toml")  #: what decides results, below it

PACKAGES = ("numpy", "xarray", "torch", "pyproj", "rasterio", "zarr", "h5py", "numba")
#: settings that name folders of one machine, and stores
PLACES = ("out", "granules", "granules_from", "publish_to", "work", "cache_gb")


def commit() -> str | None:
    """The git commit this package runs from; None where it was installed otherwise."""
    return _git("rev-parse", "HEAD")


def modified() -> bool | None:
    """Whether the code differs from its commit; None where there is none."""
    if commit() is None:
        return None
    told = _git("status", "--porcelain", "--", *CODE)
    return None if told is None else bool(told)


def _git(*words: str) -> str | None:
    """What git says of the clone that this package lies in; None where it lies in none."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    told = subprocess.run(  # noqa: S603
        [git, "-C", str(ROOT), *words], capture_output=True, text=True, check=False, env=plain
    )
    return told.stdout.strip() if told.returncode == 0 else None


def software() -> dict[str, str]:
    """Versions of the packages that decide the numbers."""
    return {"seaice": __version__} | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def frames_of(available: Collection[date], day: date) -> list[dict[str, object]]:
    """Which day's map stood in each frame around `day`, given the dates that have one."""
    pairs = zip(frame_dates(day), source_dates(available, day), strict=True)
    return [
        {"date": str(own), "source": str(source), "substituted": source != own}
        for own, source in pairs
    ]


def provenance(
    product: xr.Dataset,
    *,
    inputs: Mapping[str, Any],
    settings: Mapping[str, Any],
    warnings: Iterable[str],
) -> dict[str, Any]:
    """The document of a product.

    Parameters
    ----------
    product : with the attributes of docs/architecture.md
    inputs : what was read: granules with hashes by date, frames, weights of each network
    settings : every setting of the run; where it reads and writes is left out, which says nothing
        of the map
    warnings : sentences a user of the map should read

    Returns
    -------
    dict
        The same for the same inputs: no wall clock, see `seaice.write.metadata.clock.made_at`.
    """
    grid = grid_of(product)
    named = (entry["name"] for day in inputs.get("granules", {}).values() for entry in day)
    return {
        "date": product.attrs["date"],
        "status": product.attrs.get("status", "final"),
        "hemisphere": product.attrs["hemisphere"],
        "grid": {
            "crs": grid.crs,
            "cell_m": grid.cell,
            "bounds_m": grid.bounds,
            "shape": grid.shape,
        },
        "warnings": list(warnings),
        "tie_points": json.loads(product.attrs.get("tie_points", "{}")),
        **inputs,
        "settings": {section: _without_places(told) for section, told in settings.items()},
        "created": made_at(product.attrs["date"], named),
        "code": {"version": __version__, "commit": commit(), "modified": modified()},
        "software": software(),
    }


def _without_places(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in PLACES}
