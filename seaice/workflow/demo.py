"""Simulated demonstration data: five days for `--demo`, and one small day for the notebooks.

    demo = small_day("2018-04-28", "products/small")

Granules that were simulated before are used again.
"""

from datetime import date, timedelta
from datetime import date as Date
from functools import partial
from pathlib import Path
from typing import NamedTuple

from seaice.config import RunSettings, Settings
from seaice.errors import SettingsError
from seaice.files import atomic_folder, ensure_writable
from seaice.simulate.days import simulate_days, truth_path
from seaice.workflow.plan import ground, method, plan
from seaice.workflow.stages import VERSIONS, Progress, key_of, silent

__all__ = [
    "DATE",
    "REGION",
    "REGIONS",
    "SEED",
    "SMALL_REGION",
    "SmallDay",
    "demo_planned",
    "demo_settings",
    "simulated_granules",
    "small_day",
]

DATE = date(2018, 4, 28)
REGION = "svalbard"
REGIONS = {"north": REGION, "south": "lazarev"}
SEED = 20180428  #: of no world that the shipped networks were trained on


def demo_settings(settings: Settings, progress: Progress) -> Settings:
    """The settings of the demo, whose granules are simulated where they are not there yet."""
    demo = demo_planned(settings)
    for stage, network in (("sr", demo.sr), ("sic", demo.sic)):
        notes = demo.run.out / "stages" / "hashes.json"
        method(stage, network, notes)  # said before minutes of work
    granules = simulated_granules(demo, progress)
    return demo.model_copy(update={"run": demo.run.model_copy(update={"granules": granules})})


def demo_planned(settings: Settings) -> Settings:
    """The settings of the demo: its date, region and folder of granules, all else as told.

    Raises
    ------
    SettingsError
        If a date of another day or granules are given: the demo simulates ice of its own day.
    """
    run = settings.run
    if run.date not in (None, DATE):
        raise SettingsError(
            f"the demo, whose ice is simulated, of {run.date}",
            "granules of that day, or the demo without a date",
            "give --granules FOLDER (GRANULES=) and leave --demo out, or leave the date out",
        )
    if run.granules is not None:
        raise SettingsError(
            f"the demo, whose granules are simulated, and granules in {run.granules}",
            "one of both",
            "leave --demo out, or the granules",
        )
    region = REGIONS[run.one_hemisphere] if run.region == "all" else run.region
    run = run.model_copy(update={"date": run.date or DATE, "region": region})
    run = run.model_copy(update={"granules": _folder(run)})
    return settings.model_copy(update={"run": run})


def _folder(run: RunSettings) -> Path:
    key = key_of(
        version=VERSIONS["simulate"], region=run.region, hemisphere=run.hemisphere, seed=SEED
    )
    return run.out / "simulated" / f"{run.date or DATE}_{key}"


def simulated_granules(settings: Settings, progress: Progress) -> Path:
    """The folder of the simulated granules from two days before to two days after the date."""
    run = settings.run
    day = run.date or DATE
    folder = _folder(run)
    if not folder.exists():
        from seaice.simulate.days import simulate_days  # slow to import, and needed once

        ensure_writable(run.out)
        two = timedelta(days=2)
        grid = ground(run)
        with atomic_folder(folder) as part:
            simulate_days(day - two, day + two, grid, SEED, part, partial(progress, "simulate"))
    return folder


SMALL_REGION = "10,79,24,82"  #: north of Svalbard: an ice edge in every month, islands and fjords
SMALL_SEED = 5


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
    run = RunSettings(date=day, granules=granules, out=out, region=SMALL_REGION)
    if not granules.exists():
        with atomic_folder(granules) as part:
            simulate_days(day, day, ground(run), SMALL_SEED, part, lambda done, steps: None)
    product = _mapped(run)
    return SmallDay(product, granules, truth_path(granules, day))


def _mapped(run: RunSettings) -> Path:
    """The folder of the day's product, as a Zarr store and a picture alone."""
    from seaice.workflow.day import run_day

    told = {"run": run, "sr": {"name": "bicubic"}, "sic": {"name": "asi"}}
    day = plan(Settings.model_validate({**told, "write": {"formats": ["zarr"]}}))
    run_day(day, silent)
    return day.folder
