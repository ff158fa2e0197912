"""Verbs for many days: reprocess, watch, status, verify, prune."""

import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from seaice.cli.options import first_and_last, hemispheres, parameter, parameters, settings_of
from seaice.cli.show import failed, rows
from seaice.config import Settings
from seaice.errors import SettingsError
from seaice.io.object_store import ObjectStore, is_url

if TYPE_CHECKING:
    from seaice.workflow.season.tasks import Outcome

__all__ = ["prune", "reprocess", "status", "verify", "watch"]

CLUSTER = {
    "workers": (int, "Worker processes on this machine, or jobs of Slurm."),
    "scheduler": (str, "A Dask cluster that is running: tcp://HOST:PORT."),
    "cluster": (str, "slurm: ask it for workers."),
    "cluster-settings": (Path, "TOML with a section [slurm]."),
    "memory": (str, "A local worker may take, as 6GB."),
}
SWITCHES = {
    "dry-run": "Tell which days have granules, are finished, would be made; only.",
    "json": "With --dry-run: for programs.",
}
SPAN = {"start": (str, "First day, as 2013-01-01."), "end": (str, "Last day, included.")}


def _with_settings(
    verb: Callable[[Settings, dict[str, Any]], None],
    more: dict[str, Any],
    switches: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    """A command that takes options of its own beside the settings of a day, but no one date."""

    def command(**arguments: Any) -> None:
        settings = settings_of({"date": None} | arguments)
        if arguments["show_settings"]:
            typer.echo(settings.toml())
            return
        names = [name.replace("-", "_") for name in (*more, *switches)]
        verb(settings, {name: arguments[name] for name in names})

    own = [parameter(name, kind | None, help, None) for name, (kind, help) in more.items()]
    own += [parameter(name, bool, help, False) for name, help in switches.items()]
    kept = [each for each in parameters() if each.name not in ("date", "demo")]
    command.__name__, command.__doc__ = verb.__name__.strip("_"), verb.__doc__
    command.__signature__ = inspect.Signature([*own, *kept])  # type: ignore[attr-defined]
    return command


def _reprocess(settings: Settings, arguments: dict[str, Any]) -> None:
    """Many days, on all cores or a cluster; stopped at any time, the same command goes on."""
    from seaice.workflow.season.cluster import ClusterSettings, connected
    from seaice.workflow.season.reprocess import reprocess

    start, end = arguments.pop("start"), arguments.pop("end")
    if start is None and end is None:
        raise SettingsError(
            "no days", "the first and the last", "give --start 2013-01-01 and --end 2013-12-31"
        )
    first, last = first_and_last(f"{start or end}:{end or start}")
    dry, as_json = arguments.pop("dry_run"), arguments.pop("json")
    if dry:
        return _foretold(settings, first, last, as_json)
    options = {name: value for name, value in arguments.items() if value is not None}
    where = ClusterSettings.checked(options, "`seaice reprocess --help`")
    try:
        with connected(where) as client:
            typer.echo(f"dashboard: {client.dashboard_link}", err=True)
            with _ended() as ended:
                counts = reprocess(hemispheres(settings), first, last, client, ended)
    except KeyboardInterrupt:
        failed("stopped; the same command goes on from here")
        raise typer.Exit(130) from None
    typer.echo(_summary(counts))
    typer.echo(f"each day's story: {settings.run.out / 'log'}; `seaice status {settings.run.out}`")
    if counts["failed"] or counts["again"]:
        raise typer.Exit(2)


def _foretold(settings: Settings, first: date, last: date, as_json: bool) -> None:
    from seaice.workflow.season.reprocess import plan_reprocessing

    days = list(plan_reprocessing(hemispheres(settings), first, last))
    if as_json:
        typer.echo(json.dumps([day.as_dict() for day in days], indent=1))
        return
    heads = ("where", "day", "state", "granules", "without granules", "why")
    lines = [(d.place, d.day, d.state, str(d.granules), " ".join(d.absent), d.why) for d in days]
    rows(heads, lines)
    _counted(day.state for day in days)
    typer.echo("nothing was done (--dry-run)")


def _counted(states: Iterable[str]) -> None:
    counts = Counter(states)
    typer.echo(", ".join(f"{number} {state}" for state, number in sorted(counts.items())))


def _summary(counts: "Counter[str]") -> str:
    words = counts["final"], counts["provisional"], counts["missing"]
    lost = counts["failed"] + counts["again"]
    return "{} final, {} provisional, {} without granules, {} failed".format(*words, lost)


@contextmanager
def _ended() -> "Iterator[Callable[[Outcome, int, int], None]]":
    """A bar of days with an estimate, on a terminal; failures are printed at once."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("days", total=None)

        def report(outcome: "Outcome", done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)
            if outcome.state in ("failed", "again"):
                failed(f"{outcome.place} {outcome.day}: {outcome.reason}")

        yield report


reprocess = _with_settings(_reprocess, SPAN | CLUSTER, SWITCHES)


def _watch(settings: Settings, arguments: dict[str, Any]) -> None:
    """Make provisional products as granules arrive in a folder; only what changed is made again."""
    from seaice.workflow.season.watch import watch

    seconds = 30.0 if arguments["every"] is None else arguments["every"]
    try:
        for outcome in watch(hemispheres(settings), seconds, arguments["rounds"]):
            typer.echo(f"{outcome.place} {outcome.day} {outcome.state} {outcome.reason}".rstrip())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


watch = _with_settings(
    _watch,
    {
        "every": (float, "Seconds between looks; 30."),
        "rounds": (int, "Looks until it ends; without, it goes on."),
    },
)

OUT = Annotated[str, typer.Argument(help="The folder of products or the URL, as --out named it.")]
AS_JSON = Annotated[bool, typer.Option("--json", help="For programs.")]


def status(out: OUT, as_json: AS_JSON = False) -> None:
    """Which days are final, provisional, failed and why, and which inputs are missing."""
    from seaice.workflow.season.status import list_statuses, no_products

    if is_url(out):
        from seaice.workflow.published import list_stored_statuses

        days = list(list_stored_statuses(ObjectStore.from_url(out)))
    else:
        days = list(list_statuses(Path(out)))
    if not days:
        raise no_products(out if is_url(out) else Path(out))
    if as_json:
        typer.echo(json.dumps([day.as_dict() for day in days], indent=1))
        return
    rows(("where", "day", "state", "why"), [(d.place, d.day, d.state, d.why) for d in days])
    _counted(day.state for day in days)


def verify(
    out: OUT,
    as_json: AS_JSON = False,
    repair: Annotated[bool, typer.Option("--repair", help="Make damaged days again.")] = False,
    granules: Annotated[
        Path | None, typer.Option(help="Where granules are, if not where they were.")
    ] = None,
) -> None:
    """Check every product: hashes, name and date, projection, ranges, flags, file against file."""
    from seaice.workflow.published import (
        count_stored_products,
        list_stored_damages,
        restore_product,
    )
    from seaice.workflow.season.repair import repair_product
    from seaice.workflow.season.verify import count_products, list_damages

    if is_url(out):
        store, run = ObjectStore.from_url(out), Settings.from_table({"run": {"out": out}}).run
        number = count_stored_products(store)
        result, mend = list_stored_damages(store), partial(restore_product, store, work=run.out)
    else:
        number = count_products(Path(out))
        result, mend = (
            list_damages(Path(out)),
            partial(repair_product, Path(out), granules=granules),
        )
    repaired = [mend(damage) for damage in result] if repair else list(result)
    left = sum(damage.state == "damaged" for damage in repaired)
    if as_json:
        typer.echo(json.dumps([damage.as_dict() for damage in repaired], indent=1))
    else:
        for damage in repaired:
            typer.echo(f"{damage.state} {damage.what}: {'; '.join(damage.problems)}")
        typer.echo(f"{number} checked, {left} damaged" if left else f"{number} verified")
    if left:
        raise typer.Exit(2)


def prune(
    out: Annotated[Path, typer.Argument(help="The folder of products; no run may be under way.")],
    keep: Annotated[int, typer.Option(min=0, help="Days before the newest map.")] = 4,
) -> None:
    """Remove kept stages that no day to come needs, and days of seasons that were replaced."""
    from seaice.workflow.season.repair import prune as pruned

    removed = pruned(out, keep)
    size = f"{removed.bytes / 1e9:.1f} GB"
    typer.echo(f"{removed.stages} stages removed ({size}), {removed.generations} replaced days")
