"""Provenance of a product as one JSON document: inputs, settings, software, warnings, time."""

import json
import os
import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xarray as xr

import seaice
from seaice import __version__
from seaice.errors import GranuleError, SettingsError
from seaice.grid.grid import grid_of
from seaice.io.granules import GranuleName
from seaice.stack import frame_dates, source_dates

__all__ = ["commit", "creation_time", "frame_sources", "modified", "provenance", "software"]

REPOSITORY = Path(seaice.__file__).parents[
    1
]  #: root of the git clone, if the package runs from one
CODE_PATHS = ("seaice", "pipelines", "pyproject.toml")  #: paths below it whose code decides results
PACKAGES = ("numpy", "xarray", "torch", "pyproj", "rasterio", "zarr", "h5py", "numba")

#: Settings that name paths and stores of one machine; they are not recorded.
PATH_SETTINGS = ("out", "granules", "granules_from", "publish_to", "work", "cache_gb")


def commit() -> str | None:
    """The git commit this package runs from; None where it does not run from a clone."""
    return _git("rev-parse", "HEAD")


def modified() -> bool | None:
    """Whether the code differs from its commit; None outside a git clone."""
    if commit() is None:
        return None
    changes = _git("status", "--porcelain", "--", *CODE_PATHS)
    return None if changes is None else bool(changes)


def _git(*words: str) -> str | None:
    """Output of a git command in the clone of this package; None where there is no clone."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        return None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    result = subprocess.run(  # noqa: S603
        [git, "-C", str(REPOSITORY), *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    return result.stdout.strip() if result.returncode == 0 else None


def software() -> dict[str, str]:
    """Versions of the packages that the results depend on."""
    return {"seaice": __version__} | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def frame_sources(available: Collection[date], day: date) -> list[dict[str, object]]:
    """For each of the five frames around `day`: its date and the date of the map used.

    Parameters
    ----------
    available : dates that have a daily map
    """
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
    """The provenance document of a product.

    Parameters
    ----------
    product : with the attributes of docs/architecture.md
    inputs : granules with hashes by date, frames, weights of each network
    settings : every setting of the run; paths are not recorded, as the map does not depend on them
    warnings : sentences a user of the map should read

    Returns
    -------
    dict
        The same for the same inputs: it holds no wall-clock time, see `creation_time`.
    """
    grid = grid_of(product)
    names = (entry["name"] for day in inputs.get("granules", {}).values() for entry in day)
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
        "settings": {section: _without_paths(values) for section, values in settings.items()},
        "created": creation_time(product.attrs["date"], names),
        "code": {"version": __version__, "commit": commit(), "modified": modified()},
        "software": software(),
    }


def _without_paths(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in PATH_SETTINGS}


ISO_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def creation_time(date: str, granules: Iterable[str]) -> str:
    """Creation time of a product, from its inputs, ISO 8601, UTC.

    SOURCE_DATE_EPOCH (seconds since 1970, as reproducible-builds.org defines it) if the environment
    sets it; otherwise the start time of the newest granule; without granule names, the end of the
    day. The same inputs therefore give the same bytes, whenever they are processed.

    Raises
    ------
    SettingsError
        If SOURCE_DATE_EPOCH is not a number of seconds.

    >>> creation_time("2020-03-03", ["GW1AM2_202003050942_035A_L1SGBTBR_2220220.h5", "scene.nc"])
    '2020-03-05T09:42:00Z'
    >>> creation_time("2020-03-03", [])
    '2020-03-03T23:59:59Z'
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        return _from_epoch(epoch)
    starts = [start for name in granules if (start := _granule_start(name))]
    return max(starts).strftime(ISO_FORMAT) if starts else f"{date}T23:59:59Z"


def _from_epoch(text: str) -> str:
    try:
        return datetime.fromtimestamp(int(text), UTC).strftime(ISO_FORMAT)
    except (ValueError, OverflowError, OSError) as error:
        raise SettingsError(
            f"SOURCE_DATE_EPOCH={text!r} in the environment",
            "whole seconds since 1970-01-01, such as 1583280000",
            "correct it, or unset it: products are then dated by their newest granule",
        ) from error


def _granule_start(name: str) -> datetime | None:
    """Start time of a granule; None for gridded files and scenes, whose names hold no time."""
    try:
        return GranuleName.parse(name).start
    except GranuleError:
        return None
