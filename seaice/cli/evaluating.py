"""The verb `seaice evaluate`; `seaice.cli.verbs` lists it."""

from datetime import date as Date
from pathlib import Path
from typing import Annotated

import typer

from seaice.cli.options import OPTIONS
from seaice.cli.show import failed, watched
from seaice.config import Settings
from seaice.dates import checked_date
from seaice.errors import NoInputError, SettingsError

__all__ = ["evaluate"]


def evaluate(
    ctx: typer.Context,
    product: Annotated[
        Path | None, typer.Argument(help="A product's folder or Zarr store.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Argument(
            help="Simulated truth, product, OSI SAF, ASI, NSIDC or ASIP NetCDF, or GeoTIFF."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("evaluation"),
    date: Annotated[
        str | None,
        typer.Option(help="Day to take from a reference of several days, as 2020-03-03."),
    ] = None,
    cell: Annotated[
        float | None, typer.Option(help="Cell size to compare on, km; default: the coarser map's.")
    ] = None,
    worlds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of simulated test worlds to score methods on."),
    ] = None,
    scenes: Annotated[
        Path | None, typer.Option(help="Folder of real scenes with charts to score methods on.")
    ] = None,
    charts: Annotated[
        Path | None, typer.Option(help="With --scenes: another folder with the charts.")
    ] = None,
    sealed: Annotated[
        bool,
        typer.Option(
            "--sealed",
            help="Score this release on the sealed worlds and record the scores; once per release.",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With --sealed: score a recorded release once more.")
    ] = False,
    samples: Annotated[
        Path, typer.Option(help="Zarr group in which test worlds are stored.")
    ] = Path("training/test.zarr"),
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Another method to compare, SR:SIC, each a name or a weights file; repeatable."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help=OPTIONS["device"][2])] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be simulated and compared.")
    ] = False,
) -> None:
    """Compare a product with a reference, or methods on simulated worlds or real scenes."""
    if sealed or again:
        _refuse_together(sealed, product, reference, scenes, method)
        _evaluate_sealed(worlds, again, device, dry_run)
        return
    if charts is not None and scenes is None:
        raise SettingsError(
            f"--charts {charts} without --scenes",
            "a folder of scenes for these charts",
            "write seaice evaluate --scenes FOLDER --charts FOLDER",
        )
    if scenes is not None:
        if product is not None or worlds is not None:
            raise SettingsError(
                f"--scenes {scenes} together with {product or f'--worlds {worlds}'}",
                "one of: a product with a reference, --worlds, --scenes",
                "write seaice evaluate --scenes FOLDER",
            )
        _evaluate_scenes(scenes, charts, method or [], out, dry_run)
        return
    if product is None and worlds is None:
        typer.echo(ctx.get_help())
        failed(
            "give PRODUCT and REFERENCE, --scenes FOLDER, or --worlds 48: "
            "simulating so many takes hours"
        )
        raise typer.Exit(2)
    pair = product is not None and reference is not None
    if pair == (worlds is not None) or (worlds is not None and product is not None):
        raise SettingsError(
            f"the product {product}, {reference or 'no reference'} and {worlds or 'no'} worlds",
            "a product and a reference, or a number of simulated test worlds",
            "write seaice evaluate PRODUCT REFERENCE, or seaice evaluate --worlds 48",
        )
    day = checked_date(date) if date else None
    if worlds is not None:
        _evaluate_worlds(samples, worlds, method or [], out, device, dry_run)
    elif product is not None and reference is not None:
        _evaluate_product(product, reference, out, day, cell, dry_run)


def _refuse_together(sealed: bool, *others: object) -> None:
    """The sealed worlds are scored with fixed methods and nothing else in the same call."""
    if not sealed:
        raise SettingsError("--again without --sealed", "both, or neither", "add --sealed")
    if any(others):
        raise SettingsError(
            "--sealed together with a product, --scenes or --method",
            "--sealed with --worlds or alone: its methods are fixed",
            "write seaice evaluate --sealed",
        )


def _evaluate_sealed(worlds: int | None, again: bool, device: str, dry_run: bool) -> None:
    from tempfile import TemporaryDirectory

    from seaice.models.inference import choose_device
    from seaice.workflow.evaluation.sealed import (
        RECORD,
        WORLDS,
        evaluate_sealed,
        record_table,
        sealed_methods,
        this_release,
    )

    count = worlds or WORLDS
    chosen = choose_device(Settings.read(None, {"run": {"device": device}}).run.device)
    if dry_run:
        typer.echo(f"{count} sealed worlds would be simulated and deleted afterwards")
        typer.echo(f"methods: {', '.join(sealed_methods())}; record: {RECORD}")
        typer.echo("nothing was done (--dry-run)")
        return
    with TemporaryDirectory() as folder:
        release = this_release(Path(folder) / "hashes.json")
    with watched() as progress:
        scores = evaluate_sealed(release, count, chosen, progress, again=again)
    typer.echo(record_table(scores))
    typer.echo(f"{RECORD}: commit it")


def _evaluate_scenes(
    scenes: Path, charts: Path | None, methods: list[str], out: Path, dry_run: bool
) -> None:
    from seaice.files import ensure_writable
    from seaice.workflow.evaluation.real_scenes import DEFAULT_METHODS, evaluate_scenes, table_text

    compared = [*DEFAULT_METHODS, *(each for each in methods if each not in DEFAULT_METHODS)]
    if dry_run:
        typer.echo(f"scenes: {scenes}; charts: {charts or 'in the same folder'}")
        typer.echo(f"methods: {', '.join(compared)}; report: {out / 'report.html'}")
        typer.echo("nothing was done (--dry-run)")
        return
    ensure_writable(out.parent)
    table = evaluate_scenes(scenes, compared, out, charts, lambda name: typer.echo(name, err=True))
    typer.echo(table_text(table))
    typer.echo(out / "report.html")


def _evaluate_worlds(
    samples: Path, worlds: int, methods: list[str], out: Path, device: str, dry_run: bool
) -> None:
    from seaice.files import ensure_writable
    from seaice.models.inference import choose_device
    from seaice.simulate.samples import written_samples
    from seaice.workflow.evaluation.worlds import evaluate_worlds, standard

    chosen = choose_device(Settings.read(None, {"run": {"device": device}}).run.device)
    compared = [*standard(), *methods]
    if dry_run:
        there = min(written_samples(samples), worlds)
        typer.echo(f"{there} of {worlds} test worlds are in {samples}")
        typer.echo(f"{worlds - there} would be simulated")
        typer.echo(f"methods: {', '.join(compared)}; report: {out / 'report.html'}")
        typer.echo("nothing was done (--dry-run)")
        return
    ensure_writable(out.parent)
    with watched() as progress:
        typer.echo(evaluate_worlds(samples, worlds, compared, out, chosen, progress))


def _evaluate_product(
    product: Path, reference: Path, out: Path, day: Date | None, cell: float | None, dry_run: bool
) -> None:
    from seaice.files import ensure_writable
    from seaice.workflow.evaluation.product import evaluate_product

    if dry_run:
        for path in (product, reference):
            if not path.exists():
                raise NoInputError(f"no {path}", "a product and a reference", "give others")
        typer.echo(f"{product} would be compared with {reference}; report: {out / 'report.html'}")
        typer.echo("nothing was done (--dry-run)")
        return
    ensure_writable(out.parent)
    with watched() as progress:
        typer.echo(evaluate_product(product, reference, out, day, cell, progress))
