"""A small sea, simulated and mapped by formulas within seconds: what the notebooks stand on.

    demo = small_day("2018-04-28", "products/small")

What was made once is kept in that folder.
"""

from datetime import date as Date
from pathlib import Path
from typing import NamedTuple

from seaice.config import RunSettings, Settings
from seaice.files import atomic_folder
from seaice.simulate.days import simulate_days, truth_path
from seaice.workflow.plan import ground, plan
from seaice.workflow.stages import silent

__all__ = ["REGION", "SmallDay", "small_day"]

REGION = "10,79,24,82"  #: north of Svalbard: an ice edge in every month, islands and fjords
SEED = 5


class SmallDay(NamedTuple):
    """Where the parts of a small day lie."""

    product: Path  #: its folder
    granules: Path  #: the folder of its granules
    truth: Path  #: what was simulated, on the product's cells


def small_day(date: str | Date, out: str | Path) -> SmallDay:
    """Simulate the granules of one day and map them by ASI; what is there already is kept.

    Parameters
    ----------
    date : UTC, as "2018-04-28"
    out : folder for granules, product and stages

    Returns
    -------
    SmallDay

    Raises
    ------
    SeaIceError
        If `out` cannot be written.
    """
    day = date if isinstance(date, Date) else Date.fromisoformat(date)
    out = Path(out)
    granules = out / "granules" / day.isoformat()
    run = RunSettings(date=day, granules=granules, out=out, region=REGION)
    if not granules.exists():
        with atomic_folder(granules) as part:
            simulate_days(day, day, ground(run), SEED, part, lambda done, steps: None)
    product = _mapped(run)
    return SmallDay(product, granules, truth_path(granules, day))


def _mapped(run: RunSettings) -> Path:
    """The folder of the day's product, as a Zarr store and a picture alone."""
    from seaice.workflow.day import run_day

    told = {"run": run, "sr": {"name": "bicubic"}, "sic": {"name": "asi"}}
    day = plan(Settings.model_validate({**told, "write": {"formats": ["zarr"]}}))
    run_day(day, silent)
    return day.folder
