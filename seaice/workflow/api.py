"""A day's product from Python."""

from datetime import date as Date
from pathlib import Path
from typing import Any

import xarray as xr

from seaice.config import Settings
from seaice.product.reader import open_product
from seaice.workflow.catalogue import update_catalogue, update_series_and_page
from seaice.workflow.day import run_day
from seaice.workflow.plan import plan
from seaice.workflow.stages import Progress

__all__ = ["daily"]


def daily(
    date: str | Date,
    granules: str | Path,
    out: str | Path = "products",
    *,
    sr: str | None = None,
    sic: str | None = None,
    settings: str | Path | None = None,
    progress: Progress = lambda stage, done, steps: None,
    **run: Any,
) -> xr.Dataset:
    """Make a day's product, or find it made, and open it: `make daily` from Python.

    Parameters
    ----------
    date : the day, UTC, as "2020-03-03"
    granules : folder (or URL of a store) of AMSR2 L1B, L1R or AU_SI6 files
    out : folder for products and finished stages
    sr, sic : networks or formulas by name; `seaice models` lists them
    settings : TOML file, overruled by what is given here
    progress : is called with a stage's name, how much is done, and of how much
    **run : further settings of [run]: hemisphere, region, mode, device, precision, fill

    Returns
    -------
    xr.Dataset
        As `open_product` gives it, (y, x).

    Raises
    ------
    SeaIceError
        If it cannot be made: settings, granules, weights or disk; the message says what to do.
    """
    told: dict[str, dict[str, Any]] = {
        "run": {"date": date, "granules": str(granules), "out": str(out)} | run,
        "sr": {"name": sr},
        "sic": {"name": sic},
    }
    day = plan(Settings.read(Path(settings) if settings else None, told))
    update_series_and_page(day.folder, run_day(day, progress), progress)
    update_catalogue(day.folder.parent)
    return open_product(day.folder)
