"""Five days of small granules over a square of the Beaufort Sea, and runs on them."""

from datetime import date, datetime, timedelta

from typer.testing import CliRunner

from seaice.cli import app
from tests.support.granules import make_swath, write_l1b

DAY = date(2020, 3, 3)
REGION = "-130,80,-124,81"
PRODUCT = "seaice_sic_north_box_-130_80_-124_81_20200303_v0.1"


def write_day(folder, day=DAY, hour=10):
    """One granule of a day, 60 scans of its own."""
    start = datetime(day.year, day.month, day.day, hour)
    swath = make_swath(scans=120, start=start, phase=1350.0)
    return write_l1b(folder, swath, name=f"GW1AM2_{start:%Y%m%d%H%M}_035A_L1SGBTBR_2220220.h5")


def write_five_days(folder):
    """A granule for each of the five dates around DAY."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_day(folder, DAY + timedelta(days=n)) for n in range(-2, 3)]


def run(verb, granules, out, *more):
    """`seaice VERB` on DAY and REGION by the classical methods, unless told otherwise."""
    told = ["--date", DAY.isoformat(), "--granules", granules, "--out", out, "--region", REGION]
    methods = ["--sr", "bicubic", "--sic", "asi"]
    return CliRunner().invoke(app, [str(part) for part in (verb, *told, *methods, *more)])
