"""What every verb of a day can be told, once: a table that becomes options and settings."""

import inspect
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from seaice.cli.dry_run import day_told, demo_told
from seaice.cli.show import failed, watched
from seaice.config import Settings
from seaice.dates import checked_date
from seaice.errors import SeaIceError, SettingsError

__all__ = [
    "OPTIONS",
    "SETTINGS_HELP",
    "first_and_last",
    "hemispheres",
    "parameter",
    "parameters",
    "settings_of",
    "with_settings",
]

Command = Callable[..., None]

#: option -> (section and key of the settings, kind, help)
OPTIONS: dict[str, tuple[tuple[str, str], type, str]] = {
    "date": (("run", "date"), str, "The day to map, UTC, as 2020-03-03; it needs granules."),
    "granules": (("run", "granules"), str, "Folder of AMSR2 L1B, L1R or AU_SI6 files, or URL."),
    "out": (("run", "out"), str, "Folder for products and finished stages, or URL of a store."),
    "hemisphere": (("run", "hemisphere"), str, "north, south, or both: two products."),
    "region": (("run", "region"), str, "all, a name, or west,south,east,north in degrees."),
    "mode": (("run", "mode"), str, "auto, provisional (no later days) or final (all five days)."),
    "replace": (("run", "replace"), str, "final: a provisional map may take a final one's place."),
    "fill": (("run", "fill"), str, "gaps (pole hole, days on both sides) or none."),
    "device": (("run", "device"), str, "auto (CUDA where there is one), cpu or cuda."),
    "precision": (("run", "precision"), str, "auto (bfloat16 where it is fast) or float32."),
    "sr": (("sr", "name"), str, "Super-resolution network; `seaice models` lists them."),
    "sr-weights": (("sr", "weights"), Path, "Its safetensors file; else the one shipped."),
    "sic": (("sic", "name"), str, "Concentration network or formula; likewise."),
    "sic-weights": (("sic", "weights"), Path, "Its safetensors file; else the one shipped."),
}
SETTINGS_HELP = "TOML file, as --show-settings prints; options of the command line overrule it."


def first_and_last(days: str) -> tuple[date, date]:
    """The first and the last of some days, both included; one day is both.

    Raises
    ------
    SettingsError
        If they are no dates (`seaice.dates.checked_date`), or the last is before the first.

    >>> [day.day for day in first_and_last("2018-02-10:2018-02-14")]
    [10, 14]
    """
    options = days.split(":")
    needed = "one day, as 2018-02-10, or the first and the last, as 2018-02-10:2018-02-14"
    try:
        first, last = (checked_date(options[at]) for at in (0, -1))
    except SettingsError as error:
        raise SettingsError(
            f"days {days!r}", f"{needed}, each {error.expected}", "write them so"
        ) from error
    if len(options) > 2 or last < first:
        raise SettingsError(f"days {days!r}", f"{needed}, in order of time", "write them so")
    return first, last


def hemispheres(settings: Settings) -> tuple[Settings, ...]:
    """The settings of each hemisphere's run.

    Raises
    ------
    SettingsError
        If both are wished for, and a region, which lies in one of them.

    >>> both = Settings.from_table({"run": {"hemisphere": "both"}})
    >>> [each.run.hemisphere for each in hemispheres(both)]
    ['north', 'south']
    """
    if settings.run.hemisphere != "both":
        return (settings,)
    if settings.run.region != "all":
        raise SettingsError(
            f"region {settings.run.region!r} in both hemispheres",
            "the region all, for a region lies in one hemisphere",
            "leave the region out, or name its hemisphere",
        )
    runs = [settings.run.model_copy(update={"hemisphere": each}) for each in ("north", "south")]
    return tuple(settings.model_copy(update={"run": run}) for run in runs)


def with_settings(verb: Callable[[Settings], None]) -> Command:
    """A command that takes all OPTIONS and a settings file, and hands checked settings on.

    `--show-settings` prints them instead; `--demo` lays the demo's date, region and granules
    under them; `--dry-run` tells what would be done.
    """

    def command(**told: Any) -> None:
        settings = settings_of(told)
        if told["show_settings"]:
            typer.echo(settings.toml())
            return
        if not settings.run.region.isalpha():
            from seaice.workflow.plan import region_warnings

            for warning in region_warnings(settings.run):
                failed(f"warning: {warning}")
        done, shown = (_on_demo(verb), demo_told) if told["demo"] else (verb, day_told)
        _each_hemisphere(settings, shown if told["dry_run"] else done)

    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    dry = parameter("dry-run", bool, "Tell what would be read, made and written, only.", False)
    command.__signature__ = inspect.Signature([*parameters(), dry])  # type: ignore[attr-defined]
    return command


def _on_demo(verb: Callable[[Settings], None]) -> Callable[[Settings], None]:
    def on_demo(settings: Settings) -> None:
        from seaice.workflow.demo import demo_settings

        with watched() as progress:
            demo = demo_settings(settings, progress)
        verb(demo)

    return on_demo


def _each_hemisphere(settings: Settings, verb: Callable[[Settings], None]) -> None:
    """One run a hemisphere: what fails in one does not keep the other from its map."""
    runs = hemispheres(settings)
    if len(runs) == 1:
        return verb(runs[0])
    failures = 0
    for run in runs:
        try:
            verb(run)
        except SeaIceError as error:
            failed(f"{run.run.hemisphere}: {error}")
            failures += 1
    if failures:
        raise typer.Exit(2)


def parameters() -> list[inspect.Parameter]:
    """OPTIONS, a settings file and switches, as parameters of a command."""
    options = {name: (kind | None, help) for name, (_, kind, help) in OPTIONS.items()}
    options["settings"] = (Path | None, SETTINGS_HELP)
    switches = {
        "demo": "Simulate the demo's granules, if not there yet, and map its own day.",
        "show-settings": "Print every setting, and do nothing.",
    }
    return [
        *(
            parameter(name, kind, help, None, _variable(name))
            for name, (kind, help) in options.items()
        ),
        *(parameter(name, bool, help, False) for name, help in switches.items()),
    ]


def _variable(name: str) -> str:
    """The environment's name of an option.

    >>> _variable("sr-weights")
    'SEAICE_SR_WEIGHTS'
    """
    return f"SEAICE_{name.replace('-', '_').upper()}"


def parameter(
    name: str, kind: Any, help: str, default: object, variable: str | None = None
) -> inspect.Parameter:
    """An option of this name as a parameter of a command; `variable` of the environment sets it."""
    return inspect.Parameter(
        name.replace("-", "_"),
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, typer.Option(f"--{name}", help=help, envvar=variable)],
    )


def settings_of(told: dict[str, Any]) -> Settings:
    """Checked settings from what the command line told of OPTIONS and of a settings file."""
    table: dict[str, dict[str, Any]] = {}
    for name, ((section, key), _, _) in OPTIONS.items():
        value = told[name.replace("-", "_")]
        table.setdefault(section, {})[key] = value
    return Settings.read(told["settings"], table)
