"""The verbs of `seaice`. Pipelines are imported by the verb that runs them: help is instant."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seaice import __version__
from seaice.cli.browsing import browse
from seaice.cli.evaluating import evaluate
from seaice.cli.fetching import fetch
from seaice.cli.figures import figure
from seaice.cli.learning import compare, export, import_weights, pretrain, samples, train
from seaice.cli.listings import doctor, models, why
from seaice.cli.operations import prune, reprocess, status, verify, watch
from seaice.cli.options import OPTIONS, SETTINGS_HELP, first_and_last, with_settings
from seaice.cli.show import failed, product_made, watched
from seaice.config import Settings
from seaice.errors import FinalStandsError, SeaIceError
from seaice.io.granules import count_phrase

__all__ = ["app"]


class _Plain(TyperGroup):
    """Commands whose errors are sentences: three parts, exit code 2, no traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except SeaIceError as error:
            failed(error)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_Plain,
    help="Daily sea-ice concentration maps at 1.5625 km from AMSR2 swaths.",
    epilog="Exit codes: 0 done, 1 stopped by a fault of the program, 2 not done and said why, "
    "130 stopped by you. Every setting has a variable of the environment too (`seaice daily "
    "--help`): options come before it, and it before a settings file.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seaice {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Daily sea-ice concentration maps at 1.5625 km from AMSR2 swaths."""


@app.command()
def simulate(
    days: Annotated[str, typer.Option(help="UTC, one or FIRST:LAST, as 2018-02-10:2018-02-14.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for granules; truth goes to OUT/truth.")
    ],
    region: Annotated[str, typer.Option(help="A name, or west,south,east,north.")] = "svalbard",
    hemisphere: Annotated[str, typer.Option(help="north or south.")] = "north",
    seed: Annotated[int, typer.Option(help="Same seed, same world.")] = 0,
) -> None:
    """Simulate days of L1B granules with known truth."""
    from functools import partial

    from seaice.files import ensure_writable
    from seaice.simulate.days import simulate_days
    from seaice.workflow.plan import ground

    first, last = first_and_last(days)
    run = Settings.read(None, {"run": {"region": region, "hemisphere": hemisphere}}).run
    ensure_writable(out)
    grid = ground(run)
    with watched() as progress:
        result = simulate_days(first, last, grid, seed, out, partial(progress, "simulate"))
    typer.echo(f"{count_phrase(len(result))} in {out}, their truth in {out / 'truth'}")


def grid(settings: Settings) -> None:
    """Swaths in, daily maps of the five dates out."""
    from seaice.workflow.day import daily_maps
    from seaice.workflow.plan import plan

    day = plan(settings)
    with watched() as progress:
        maps = daily_maps(day, progress)
    for date in maps:
        typer.echo(day.stages.path("grid", date.isoformat(), day.grid_key(date)))


def refine(settings: Settings) -> None:
    """Daily maps in, brightness temperature on four times finer cells out."""
    from seaice.workflow.day import super_resolve
    from seaice.workflow.plan import plan

    day = plan(settings)
    with watched() as progress:
        super_resolve(day, progress)
    typer.echo(day.stages.path("refine", day.day.isoformat(), day.refine_key))


def concentrate(settings: Settings) -> None:
    """Refined brightness temperature in, concentration with uncertainty and flags out."""
    from seaice.workflow.day import retrieve_concentration
    from seaice.workflow.plan import plan

    day = plan(settings)
    with watched() as progress:
        retrieve_concentration(day, progress)
    typer.echo(day.stages.path("concentrate", day.day.isoformat(), day.concentrate_key))


def write(settings: Settings) -> None:
    """Write the product again, even where it is finished."""
    from seaice.workflow.catalogue import update_catalogue, update_series_and_page
    from seaice.workflow.day import write_day_product
    from seaice.workflow.plan import plan
    from seaice.workflow.published import publish

    day = plan(settings)
    with watched() as progress:
        result = update_series_and_page(day.folder, write_day_product(day, progress), progress)
        update_catalogue(day.folder.parent)
        publish(day)
    product_made(day.folder, result, _warnings(day.folder, result[-1].name))


def daily(settings: Settings) -> None:
    """A day's granules in, its product out: all stages, each only where it is not finished."""
    from seaice.product.folder import list_product_files
    from seaice.workflow.catalogue import update_catalogue, update_series_and_page
    from seaice.workflow.day import run_day
    from seaice.workflow.plan import plan
    from seaice.workflow.published import publish

    day = plan(settings)
    with watched() as progress:
        try:
            result = run_day(day, progress)
        except FinalStandsError as error:
            if settings.run.mode == "provisional":
                raise
            typer.echo(f"kept: {error}\n")  # nobody asked for a provisional map
            result = list_product_files(day.folder)
        result = update_series_and_page(day.folder, result, progress)
        update_catalogue(day.folder.parent)
        publish(day)
    product_made(day.folder, result, _warnings(day.folder, result[-1].name))


for verb in (grid, refine, concentrate, write, daily):
    app.command(verb.__name__)(with_settings(verb))


@app.command()
def scene(
    file: Annotated[Path, typer.Argument(help="NetCDF with AMSR2 channels on an image grid.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the product.")],
    device: Annotated[str | None, typer.Option(help=OPTIONS["device"][2])] = None,
    sr: Annotated[str | None, typer.Option(help=OPTIONS["sr"][2])] = None,
    sic: Annotated[str | None, typer.Option(help=OPTIONS["sic"][2])] = None,
    settings: Annotated[Path | None, typer.Option(help=SETTINGS_HELP)] = None,
) -> None:
    """One scene in, its product out; the one frame stands in for all five, and is flagged so."""
    from seaice.workflow.scene import run_scene

    told: dict[str, dict[str, Any]] = {
        "run": {"out": out, "device": device},
        "sr": {"name": sr},
        "sic": {"name": sic},
    }
    with watched() as progress:
        folder, result = run_scene(file, Settings.read(settings, told), progress)
    product_made(folder, result, _warnings(folder, result[-1].name))


app.command()(models)
app.command()(doctor)
app.command(context_settings={"ignore_unknown_options": True})(why)  # -20 is a place
app.command()(browse)
app.command()(fetch)
app.add_typer(figure, name="figure")
app.command()(train)
app.command()(compare)
app.command()(import_weights)
app.command()(samples)
app.command()(pretrain)
app.command()(export)
app.command()(reprocess)
app.command()(watch)
app.command()(status)
app.command()(verify)
app.command()(prune)
app.command()(evaluate)


@app.command()
def series(
    out: Annotated[Path, typer.Argument(help="A folder of products, as --out named it.")],
) -> None:
    """Extent and area of all products in a folder, by sea, as one CSV file a hemisphere."""
    from seaice.workflow.catalogue import rebuild_series

    with watched() as progress:
        result = rebuild_series(out, progress)
    for path in result:
        typer.echo(path)


def _warnings(folder: Path, document: str) -> list[str]:
    warnings: list[str] = json.loads((folder / document).read_text()).get("warnings", [])
    return warnings
