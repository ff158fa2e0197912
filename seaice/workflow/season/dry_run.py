"""What a reprocessing would do, day by day: told, not done."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal

from seaice.config import Settings
from seaice.errors import SeaIceError
from seaice.product.folder import product_name
from seaice.workflow.plan import region_label
from seaice.workflow.season.inventory import Inventory, days_between
from seaice.workflow.season.reprocess import jobs_of
from seaice.workflow.season.tasks import Job, status_found

__all__ = ["Foretold", "foretold"]

State = Literal["finished", "to be made", "without granules", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """One day."""

    place: str  #: hemisphere and region
    day: str
    state: State
    granules: int  #: of the day itself
    absent: tuple[str, ...]  #: dates without granules, of the five
    why: str = ""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def foretold(runs: Sequence[Settings], first: date, last: date) -> Iterator[Foretold]:
    """Which days have granules, are finished, would be made.

    Granules are hashed only of days that have a product: of any other the answer is known.

    Parameters
    ----------
    runs : settings of each hemisphere, with the same folders

    Raises
    ------
    SeaIceError
        If there is no folder of granules.
    """
    for job in jobs_of(runs, days_between(first, last), Inventory.of(runs[0].run)):
        state, why = _state(job)
        yield Foretold(
            place=job.place,
            day=str(job.day),
            state=state,
            granules=len(job.granules[job.day]),
            absent=tuple(str(day) for day, paths in job.granules.items() if not paths),
            why=why,
        )


def _state(job: Job) -> tuple[State, str]:
    run = job.settings.run
    if not job.granules[job.day]:
        return "without granules", ""
    name = product_name(run.hemisphere, region_label(run.region), str(job.day))
    if run.publish_to is None and not (run.out / name).exists():
        return "to be made", ""
    try:
        return ("finished", "") if status_found(job.plan()) else ("to be made", "inputs changed")
    except SeaIceError as error:
        return "refused", str(error)
