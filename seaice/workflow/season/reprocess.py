"""Reprocesses many days on a Dask cluster; an interrupted run continues when it is started again.

Each day has three kinds of tasks, in this order: check whether the day is finished; if it is not,
grid the daily maps of its five dates, which neighbouring days share; then make the product. Only a
limited number of days is submitted at once, which limits the scheduler's memory and the disk space.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal

from seaice.config import Settings
from seaice.errors import SeaIceError
from seaice.files import ensure_writable, swept
from seaice.product.folder import product_name
from seaice.stack import frame_dates
from seaice.workflow.catalogue import update_catalogue
from seaice.workflow.plan import region_label
from seaice.workflow.season.cluster import GPU
from seaice.workflow.season.inventory import Inventory, days_between
from seaice.workflow.season.status import RUNS, log_event, log_name
from seaice.workflow.season.tasks import Job, Outcome, look, make_day, make_map, status_found

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["TRIES", "PlannedDay", "jobs_of", "plan_reprocessing", "reprocess"]

TRIES = 3  #: of a task whose failure may pass: a full disk, a lost worker
AHEAD = 3  #: days in flight for each worker

MethodOutputs = Callable[
    [Outcome, int, int], None
]  #: a day's end, how many have ended, of how many


def jobs_of(runs: Sequence[Settings], days: Iterable[date], found: Inventory) -> Iterator[Job]:
    """A job for each day and hemisphere, day by day."""
    for day in days:
        for settings in runs:
            run = settings.run.model_copy(update={"date": day, "granules": found.folder})
            later = run.mode != "provisional"
            granules = {
                each: found.granules(each) for each in frame_dates(day) if later or each <= day
            }
            yield Job(
                settings=settings.model_copy(update={"run": run}),
                granules=granules,
                left_out={each: found.left_out(each) for each in granules},
            )


def reprocess(
    runs: Sequence[Settings], first: date, last: date, client: "Client", told: MethodOutputs
) -> Counter[str]:
    """Make all days of one or two hemispheres, and their catalogue; how many ended how.

    Parameters
    ----------
    runs : settings of each hemisphere, with the same folders
    told : hears of every day as it ends

    Raises
    ------
    SeaIceError
        If nothing could be made at all: no folder of granules, no place to write.
    """
    days, out = days_between(first, last), runs[0].run.out
    result = Inventory.of(runs[0].run)
    ensure_writable(out)
    swept(out)
    for settings in runs:
        asked = {"first": first, "last": last, "settings": settings.model_dump(mode="json")}
        log_event(out, log_name(settings.run), RUNS, "asked", **asked)
    flight = _Flight(client=client, waiting=deque(jobs_of(runs, days, result)), found=result)
    counts: Counter[str] = Counter()
    for outcome in flight.outcomes():
        counts[outcome.state] += 1
        told(outcome, counts.total(), len(days) * len(runs))
    update_catalogue(out)
    return counts


@dataclass(slots=True, kw_only=True)
class _Task:
    """A task in flight."""

    job: Job
    work: Callable[..., Outcome]
    attempt: int = 1


@dataclass(slots=True, kw_only=True)
class _Flight:
    """What is waiting, what is running, and which maps are there."""

    client: "Client"
    waiting: deque[Job]
    found: Inventory
    running: dict["Future", _Task] = field(default_factory=dict)
    maps: dict[tuple[str, date], "Future"] = field(default_factory=dict)

    def outcomes(self) -> Iterator[Outcome]:
        """The end of every day, in the order in which they end."""
        from distributed import as_completed

        ended = as_completed([], loop=self.client.loop, raise_errors=False)
        size = AHEAD * max(1, len(self.client.scheduler_info()["workers"]))
        days = 0
        while self.waiting or self.running:
            while self.waiting and days < size:
                ended.add(self._start(_Task(job=self.waiting.popleft(), work=look)))
                days += 1
            future = next(ended)
            task = self.running.pop(future)
            outcome, following = self._settled(task, _outcome_of(future, task))
            if following:
                ended.add(self._start(following))
            else:
                days -= 1
                yield outcome
            self._forget_maps()

    def _settled(self, task: _Task, outcome: Outcome) -> tuple[Outcome, _Task | None]:
        """The next task of the same day, or none where it has ended."""
        if outcome.state == "again" and task.attempt < TRIES:
            return outcome, _Task(job=task.job, work=task.work, attempt=task.attempt + 1)
        if outcome.state == "unfinished":
            return outcome, _Task(job=task.job, work=make_day)
        return outcome, None

    def _start(self, task: _Task) -> "Future":
        job = task.job
        name = f"{task.work.__name__}-{job.place}-{job.day}"
        maps = (self._maps_of(job),) if task.work is make_day else ()
        on_gpu = task.work is make_day and job.settings.run.device == "cuda"
        future: Future = self.client.submit(
            task.work,
            job,
            *maps,
            key=f"{name}-{id(task):x}-{task.attempt}",
            pure=False,
            resources={GPU: 1} if on_gpu else None,
            priority=-job.day.toordinal(),
        )
        self.running[future] = task
        return future

    def _maps_of(self, job: Job) -> list["Future"]:
        """The five daily maps, those of other days shared with them."""
        return [self._map_of(job, day) for day in job.granules if job.granules[day]]

    def _map_of(self, job: Job, day: date) -> "Future":
        name = job.place, day
        known = self.maps.get(name)
        if known is None or known.status in ("error", "cancelled", "lost"):
            run = job.settings.run.model_copy(update={"date": day})
            own = Job(
                settings=job.settings.model_copy(update={"run": run}),
                granules={day: job.granules[day]},
            )
            self.maps[name] = self.client.submit(
                make_map, own, pure=False, priority=-day.toordinal()
            )
        return self.maps[name]

    def _forget_maps(self) -> None:
        """Let go of maps that no day in flight or to come can want."""
        left = [task.job.day for task in self.running.values()]
        left += [job.day for job in list(self.waiting)[:1]]
        if left:
            oldest = frame_dates(min(left))[0]
            self.maps = {name: kept for name, kept in self.maps.items() if name[1] >= oldest}


def _outcome_of(future: "Future", task: _Task) -> Outcome:
    """What a task told; where its worker was lost with it, that."""
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    try:
        reason = str(future.exception(timeout=10))
    except Exception as error:  # cancelled with its scheduler
        reason = f"{type(error).__name__}: {error}"
    task.job.note("lost", state="again", reason=reason, attempt=task.attempt)
    return Outcome(place=task.job.place, day=task.job.day, state="again", reason=reason)


State = Literal["finished", "to be made", "without granules", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDay:
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


def plan_reprocessing(runs: Sequence[Settings], first: date, last: date) -> Iterator[PlannedDay]:
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
        yield PlannedDay(
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
