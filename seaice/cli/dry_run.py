"""What a day's run would read, make and write: told, not done."""

import typer

from seaice.cli.show import rows
from seaice.config import Settings
from seaice.io.granules import count_phrase

__all__ = ["day_told", "demo_told"]


def day_told(settings: Settings) -> None:
    """Tell a day's granules, stages and files; nothing is computed or written."""
    from seaice.workflow.day import finished_files
    from seaice.workflow.plan import plan

    day = plan(settings)
    kept = {each: day.stages.path("grid", str(each), day.grid_key(each)) for each in day.granules}
    lines = [
        (f"daily map {each}", count_phrase(len(paths)), _state(bool(paths), kept[each].exists()))
        for each, paths in day.granules.items()
    ]
    for stage, key, one in (
        ("refine", day.refine_key, day.sr),
        ("concentrate", day.concentrate_key, day.sic),
    ):
        there = day.stages.path(stage, str(day.day), key).exists()
        lines.append((stage, one.name, _state(True, there)))
    result = bool(finished_files(day))
    lines.append(("write", ", ".join(settings.write.formats), _state(True, result)))
    rows(("stage", "of", "state"), lines)
    rows_of_cells = day.region_grid.refine(4).shape
    typer.echo(f"\n{rows_of_cells[0]} x {rows_of_cells[1]} cells of 1.5625 km to {day.folder}")
    typer.echo("nothing was done (--dry-run)")


def demo_told(settings: Settings) -> None:
    """The same of the demo, whose granules may have to be simulated first."""
    from seaice.workflow.demo import demo_planned

    demo = demo_planned(settings)
    if demo.run.granules is not None and demo.run.granules.exists():
        return day_told(demo)
    typer.echo(f"five days of granules would be simulated into {demo.run.granules}")
    typer.echo(f"and mapped, {demo.run.region} on {demo.run.date}; nothing was done (--dry-run)")


def _state(possible: bool, kept: bool) -> str:
    return "is there" if kept else "to be made" if possible else "absent; the nearest stands in"
