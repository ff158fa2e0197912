"""The demo: five simulated days of genuine granules, made once, around a day nobody trained on."""

from datetime import date, timedelta
from functools import partial
from pathlib import Path

from pipelines.plan import ground, method
from pipelines.stages import Progress, code_of, key_of
from seaice.config import Settings
from seaice.files import atomic_folder, ensure_writable

__all__ = ["DATE", "REGION", "REGIONS", "SEED", "demo_settings", "simulated_granules"]

DATE = date(2018, 4, 28)
REGION = "svalbard"
REGIONS = {"north": REGION, "south": "lazarev"}
SEED = 20180428  #: of no world that the shipped networks were trained on


def demo_settings(settings: Settings, progress: Progress) -> Settings:
    """The settings of the demo: its date, region and granules, all else as told."""
    run = settings.run
    day = run.date or DATE
    region = REGIONS[run.hemisphere] if run.region == "all" else run.region
    for stage, network in (("sr", settings.sr), ("sic", settings.sic)):
        method(stage, network, run.out / "stages" / "hashes.json")  # said before minutes of work
    told = run.model_copy(update={"date": day, "region": region})
    granules = simulated_granules(settings.model_copy(update={"run": told}), progress)
    return settings.model_copy(update={"run": told.model_copy(update={"granules": granules})})


def simulated_granules(settings: Settings, progress: Progress) -> Path:
    """The folder of the simulated granules from two days before to two days after the date."""
    run = settings.run
    day = run.date or DATE
    key = key_of(code=code_of("simulate"), region=run.region, hemisphere=run.hemisphere, seed=SEED)
    folder = run.out / "simulated" / f"{day.isoformat()}_{key}"
    if not folder.exists():
        from seaice.simulate.days import simulate_days  # slow to import, and needed once

        ensure_writable(run.out)
        two = timedelta(days=2)
        grid = ground(run)
        with atomic_folder(folder) as part:
            simulate_days(day - two, day + two, grid, SEED, part, partial(progress, "simulate"))
    return folder
